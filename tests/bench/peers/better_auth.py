"""better-auth with a small endpoint for WeChat logins."""

import hmac
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote

import requests

from tests.bench.data import feeds
from tests.bench.data.people import Person
from tests.bench.data.rows import Row
from tests.bench.data.world import Service
from tests.bench.data.written_rows import DEVICE, Columns, Lines, line
from tests.bench.peers.compared_service import Api, ComparedService, Kind, label_of
from tests.bench.peers.filling import fill
from tests.bench.peers.servers import PROCESSES, SECRET, Servers
from tests.bench.progress import report_progress, say

NAME, CACHED = "better-auth", "better-auth, cookie cache"
SCRIPT = "better_auth.mjs"
CHECK, LOGIN = "/check", "/api/auth/sign-in/wechat"
# The default of better-auth.
VALID_FOR = timedelta(days=7)
# Longer than the measurement, because the load generator does not renew cookies as a browser does.
# The default of better-auth is 5 minutes.
COOKIE_CACHE_SECONDS = 86_400

COLUMNS: Columns = {
    '"user"': ("id", "name", "email", '"emailVerified"', '"createdAt"', '"updatedAt"'),
    "account": ("id", '"accountId"', '"providerId"', '"userId"', '"createdAt"', '"updatedAt"'),
    "session": (
        *("id", '"userId"', "token", '"expiresAt"', '"createdAt"', '"updatedAt"'),
        *('"ipAddress"', '"userAgent"'),
    ),
}


@contextmanager
def running(
    servers: Servers, people: Sequence[Person], users: int
) -> Iterator[list[ComparedService]]:
    """Run better-auth inside the block: with 1 and 2 processes, and with the cookie cache.

    `people` are the users under load.
    """
    say(f"Filling the database of better-auth with {users:,} users")
    with servers.world.extra_database("better_auth") as url, ExitStack() as stack:
        servers.run_script("migrate_better_auth.mjs", url)
        fill(url, COLUMNS, rows_of, users)
        services = []
        for processes in PROCESSES:
            service = stack.enter_context(servers.serving(SCRIPT, url, processes))
            rows = rows_with(label_of(NAME, processes))
            services.append(ComparedService(NAME, processes, service, url, API, rows))
        most, settings = PROCESSES[-1], {"COOKIE_CACHE_SECONDS": str(COOKIE_CACHE_SECONDS)}
        service = stack.enter_context(servers.serving(SCRIPT, url, most, **settings))
        cached = cached_check(label_of(CACHED, most), service, people)
        services.append(ComparedService(CACHED, most, service, url, API, {Kind.CHECK: cached}))
        yield services


def user_id(person: Person) -> str:
    """Return the id of a person's user. It is random and has the length of better-auth's ids."""
    return person.random[:16].hex()


def rows_of(people: Iterable[Person]) -> Lines:
    """Return a user, an account and two sessions for each person, by table."""
    now = datetime.now(UTC)
    lines: Lines = {table: [] for table in COLUMNS}
    for person in people:
        user, account = user_id(person), person.random[16:32].hex()
        email = f"{user}@wechat.invalid"
        lines['"user"'].append(line(user, "WeChat user", email, False, now, now))
        lines["account"].append(line(account, person.openid, "wechat", user, now, now))
        for which in (0, 1):
            session, token = person.random[32 + 16 * which :][:16].hex(), person.token(which)
            times = (now + VALID_FOR, now, now)
            lines["session"].append(line(session, user, token, *times, "192.0.2.1", DEVICE))
    return lines


def rows_with(label: str) -> dict[Kind, Row]:
    """Return the rows of better-auth."""

    def checks(people: Sequence[Person]) -> list[str]:
        return feeds.both_sessions(CHECK, people)

    def known_logins(people: Sequence[Person]) -> list[str]:
        return [feeds.request("POST", LOGIN, code=f"k.{one.openid}.@") for one in people]

    def new_logins(people: Sequence[Person]) -> list[str]:
        return [feeds.request("POST", LOGIN, code="n.@") for _ in people]

    return {
        Kind.CHECK: Row(f"{Kind.CHECK}, {label}", checks, HTTPStatus.NO_CONTENT),
        Kind.KNOWN: Row(f"{Kind.KNOWN}, {label}", known_logins, asks_wechat=True),
        Kind.NEW: Row(f"{Kind.NEW}, {label}", new_logins, asks_wechat=True),
    }


def cached_check(label: str, service: Service, people: Sequence[Person]) -> Row:
    """Return the row of checks with the cookies that cache both sessions of each person."""
    found: dict[int, list[str]] = {}
    for done, person in enumerate(people, 1):
        headers = [cookies_of(service, person.token(which)) for which in (0, 1)]
        found[person.number] = [feeds.request_with("GET", CHECK, one) for one in headers]
        report_progress("  cookies", 2 * done, 2 * len(people))

    def checks(people: Sequence[Person]) -> list[str]:
        return [line for person in people for line in found[person.number]]

    return Row(f"{Kind.CHECK}, {label}", checks, HTTPStatus.NO_CONTENT)


def cookies_of(service: Service, token: str) -> dict[str, str]:
    """Return the Cookie header of a browser: the signed token, and the session that it caches."""
    url, headers = f"{service.url}/api/auth/get-session", token_header(token)
    answer = requests.get(url, headers=headers, timeout=20)
    answer.raise_for_status()
    # Only a sign-in sets the cookie with the token.
    signature = b64encode(hmac.digest(SECRET.encode(), token.encode(), "sha256")).decode()
    cookies = {"better-auth.session_token": quote(f"{token}.{signature}", safe="")}
    cookies |= {cookie.name: cookie.value or "" for cookie in answer.cookies}
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def token_header(token: str) -> dict[str, str]:
    """Return the header of a request with a login token."""
    return {"Authorization": f"Bearer {token}"}


def headers_of(login: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a check after a login."""
    return token_header(login["token"])


API = Api(CHECK, user_id, headers_of, sessions="session", users='"user"')
