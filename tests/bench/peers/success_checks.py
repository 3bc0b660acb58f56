"""Checks before the measurement that the measured responses are real successes.

Otherwise a row could be fast because a service returns errors with the status 200, verifies nothing
or stores nothing.
"""

from http import HTTPStatus

import psycopg
import requests

from tests.bench.costs import wait_until_idle
from tests.bench.data.people import Person
from tests.bench.data.rows import Bench, send
from tests.bench.peers.compared_service import ComparedService, Kind
from tests.bench.progress import say

SECONDS, CONNECTIONS = 1, 8


def check_responses(one: ComparedService, bench: Bench) -> None:
    """Exit unless checks name the right user, and logins store sessions and users."""
    say(f"Checking the responses of {one.label}")
    person = bench.people[0]
    check_user(one, person)
    if Kind.KNOWN in one.rows:
        check_logins(one, person)
        for kind in (Kind.KNOWN, Kind.NEW):
            check_stored(one, bench, kind)


def check_user(one: ComparedService, person: Person) -> None:
    """Exit unless the check of a session names its user, and a check without a session fails."""
    found = send(one.service, one.rows[Kind.CHECK].lines([person])[0]).headers.get("X-User-Id")
    expect(found == one.api.user_of(person), f"{one.label}: the check names the user {found}")
    status = requests.get(one.service.url + one.api.check, timeout=20).status_code
    expect(status == HTTPStatus.UNAUTHORIZED, f"{one.label}: {status} without a session")


def check_logins(one: ComparedService, person: Person) -> None:
    """Exit unless a known login is the person's, and two new logins are of two other users."""
    known, new = (one.rows[kind].lines([person]) for kind in (Kind.KNOWN, Kind.NEW))
    found = user_after_login(one, known[0])
    expect(found == one.api.user_of(person), f"{one.label}: the login is of the user {found}")
    users = {found, *(user_after_login(one, line) for line in (new[0], new[-1]))}
    expect(len(users) == 3, f"{one.label}: a known and two new logins are of the users {users}")


def user_after_login(one: ComparedService, line: str) -> str | None:
    """Return the user that the check names after a login. Exit if the login fails."""
    login = send(one.service, line)
    expect(login.status_code == HTTPStatus.OK, f"{one.label}: {login.status_code} {login.text}")
    headers = one.api.headers_of(login.json())
    answer = requests.get(one.service.url + one.api.check, headers=headers, timeout=20)
    return answer.headers.get("X-User-Id")


def check_stored(one: ComparedService, bench: Bench, kind: Kind) -> None:
    """Exit unless each login under load stores a session, and each new login a user.

    The last request of each connection may be stored without being counted.
    """
    before = stored(one)
    load = bench.prepare(one.rows[kind], SECONDS).drive(one.service, CONNECTIONS, SECONDS)
    wait_until_idle(one.service.pid)
    sessions, users = (after - earlier for after, earlier in zip(stored(one), before, strict=True))
    done = f"{one.label}: {load.requests} requests ({kind}), {load.errors} errors"
    expect(load.errors == 0, done)
    counted = range(load.requests, load.requests + CONNECTIONS + 1)
    expect(sessions in counted, f"{done}, {sessions} new sessions")
    if one.api.users:
        expected = counted if kind is Kind.NEW else range(1)
        expect(users in expected, f"{done}, {users} new users")


def stored(one: ComparedService) -> tuple[int, int]:
    """Return the number of sessions and of users in the database, which is 0 without a table."""
    tables = [one.api.sessions, one.api.users]
    with psycopg.connect(one.database_url) as connection:
        sessions, users = (count(connection, table) if table else 0 for table in tables)
    return sessions, users


def count(connection: psycopg.Connection, table: str) -> int:
    """Return the number of rows of a table."""
    ((number,),) = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchall()
    return int(number)


def expect(is_expected: bool, found: str) -> None:
    """Exit with what was found unless it is expected."""
    if not is_expected:
        raise SystemExit(f"Unexpected response. {found}")
