"""Guessing passwords is slow, for the guesser and for nobody else."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask

from app.services.passwords import login_throttling
from app.services.passwords.login_throttling import ACCOUNT, ACCOUNT_AT_ADDRESS, ADDRESS
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_SHOP,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    enter_user,
    failure,
)

HOME, ATTACKER = "203.0.113.1", "198.51.100.1"
RIGHT = {"account": "alice", "password": GOOD_PASSWORD}
WRONG = {"account": "alice", "password": "wrong"}
NOBODY = {"account": "nobody", "password": "wrong"}

Later = Callable[[float], None]


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Let time pass, for the counts. Otherwise it stands still: a wait of 1 s is soon over."""
    clock = [datetime.now(UTC)]
    monkeypatch.setattr(login_throttling, "now", lambda: clock[0])

    def pass_(seconds: float) -> None:
        clock[0] += timedelta(seconds=seconds)

    return pass_


@pytest.fixture(autouse=True)
def cheap_hashes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare as if the hash were cheap, except where many act at once."""
    if "app" in request.fixturenames:
        monkeypatch.setattr(
            "app.services.users.credentials.is_password",
            lambda password, hashed: hashed is not None and password == RIGHT["password"],
        )


def attempt(client: Client, ip: str = HOME, app: Any = ACME_SHOP, **credentials: str) -> Any:
    """Try a password from an address."""
    path = f"/v1/apps/{app.appid}/password-login"
    where = {"REMOTE_ADDR": ip}
    return client.send("POST", path, json=credentials, environ_overrides=where)


def wrong_times(client: Client, times: int, ip: str = HOME, **credentials: str) -> None:
    """Try wrong passwords, none of which is refused."""
    for _ in range(times):
        assert attempt(client, ip, **credentials).status_code == 401


@pytest.mark.parametrize("limit", [ACCOUNT_AT_ADDRESS, ACCOUNT, ADDRESS])
def test_delays_grow_to_their_longest(limit: login_throttling.Limit) -> None:
    """Otherwise guessing goes on at full speed, or a person waits for hours."""
    delays = [limit.delay_after(level).total_seconds() for level in range(limit.free + 2000)]
    assert not any(delays[: limit.free + 1])
    assert delays[limit.free + 1] == 1
    assert all(one <= other for one, other in pairwise(delays))
    assert delays[-1] == limit.longest <= 300


@pytest.mark.parametrize("tried", [WRONG, NOBODY], ids=["account", "no_account"])
def test_too_many_tries_are_refused_alike_whether_or_not_the_account_exists(
    app: Flask, client: Client, later: Later, tried: dict[str, str]
) -> None:
    """Otherwise passwords are guessed at full speed, or the delay tells who has an account."""
    enter_user(app, **RIGHT)
    wrong_times(client, 6, **tried)
    waits = []
    for _ in range(4):
        refused = attempt(client, **tried)
        assert failure(refused) == (429, "too_many_tries")
        waits.append(int(refused.headers["Retry-After"]))
        later(waits[-1])
        wrong_times(client, 1, **tried)
    assert waits == [1, 2, 4, 8]


def test_waiting_is_enough_and_a_right_password_clears_the_count(
    app: Flask, client: Client, later: Later, rows: Reader
) -> None:
    """Otherwise the owner stays out, or pays for a stranger's tries for ever."""
    enter_user(app, **RIGHT)
    wrong_times(client, 6, **WRONG)
    assert attempt(client, **RIGHT).status_code == 429
    later(1)
    assert attempt(client, **RIGHT).status_code == 200
    wrong_times(client, 6, **WRONG)
    refused = attempt(client, **WRONG)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")


def test_a_refused_try_does_not_prolong_the_wait(app: Flask, client: Client, later: Later) -> None:
    """Otherwise whoever keeps asking keeps the owner out."""
    enter_user(app, **RIGHT)
    wrong_times(client, 6, **WRONG)
    assert {attempt(client, **WRONG).status_code for _ in range(20)} == {429}
    later(1)
    assert attempt(client, **RIGHT).status_code == 200


def test_one_address_does_not_keep_the_owner_out_from_another(
    app: Flask, client: Client, later: Later, rows: Reader
) -> None:
    """Otherwise anybody locks anybody else's account."""
    enter_user(app, **RIGHT)
    for _ in range(60):
        answer = attempt(client, ATTACKER, **WRONG)
        later(int(answer.headers.get("Retry-After", 0)))
    assert rows.count("password_tries", "level > 5") > 0, "the attacker's count is high"
    assert attempt(client, HOME, **RIGHT).status_code == 200


def test_many_addresses_are_slowed_down_together_and_the_owner_waits_for_seconds(
    app: Flask, client: Client, later: Later
) -> None:
    """Otherwise a botnet guesses at full speed, or its victim is locked out."""
    enter_user(app, **RIGHT)
    for number in range(40):
        answer = attempt(client, f"198.51.100.{number}", **WRONG)
        if answer.status_code == 429:
            later(int(answer.headers["Retry-After"]))
            wrong_times(client, 1, f"198.51.100.{number}", **WRONG)
    refused = attempt(client, HOME, **RIGHT)
    assert failure(refused) == (429, "too_many_tries")
    assert int(refused.headers["Retry-After"]) <= 30
    later(30)
    assert attempt(client, HOME, **RIGHT).status_code == 200


@pytest.mark.parametrize("who", ["botnet", "school"])
def test_an_attack_that_goes_on_does_not_keep_the_owners_phone_out(
    who: str, app: Flask, client: Client, later: Later
) -> None:
    """Otherwise whoever takes every turn there is locks the owner out for as long as they like."""
    enter_user(app, **RIGHT)
    assert attempt(client, **RIGHT).status_code == 200
    for turn in range(200):
        ip = f"198.51.{turn % 20}.1" if who == "botnet" else HOME
        account = "alice" if who == "botnet" else f"made-up-{turn}"
        attempt(client, ip, account=account, password="wrong")
        later(1)
    stranger = (NOBODY, HOME) if who == "school" else (WRONG, "192.0.2.1")
    assert attempt(client, stranger[1], **stranger[0]).status_code == 429
    assert attempt(client, **RIGHT).status_code == 200


def test_a_known_phone_waits_for_its_own_mistakes(app: Flask, client: Client, later: Later) -> None:
    """Otherwise a stolen phone is a way to guess, or is known for ever."""
    enter_user(app, **RIGHT)
    assert attempt(client, **RIGHT).status_code == 200
    wrong_times(client, 6, **WRONG)
    assert failure(attempt(client, **RIGHT)) == (429, "too_many_tries")
    later(300)
    assert attempt(client, **RIGHT).status_code == 200
    later(31 * 24 * 3600)
    wrong_times(client, 6, **WRONG)
    assert failure(attempt(client, **RIGHT)) == (429, "too_many_tries")


def test_one_person_does_not_lock_a_school(app: Flask, client: Client) -> None:
    """Otherwise one pupil's typing keeps everybody behind the address out."""
    enter_user(app, **RIGHT)
    for _ in range(150):
        attempt(client, **NOBODY)
    assert attempt(client, **RIGHT).status_code == 200


def test_one_address_that_tries_many_accounts_is_slowed_down_to_seconds(
    client: Client, later: Later
) -> None:
    """Otherwise one password is tried on everybody; or all behind the address wait for minutes."""
    for number in range(101):
        wrong_times(client, 1, account=f"person{number}", password="wrong")
    for wait in (1, 2, 4, 5, 5):
        refused = attempt(client, account="another", password="wrong")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(wait))
        later(wait)
        wrong_times(client, 1, account=f"next{wait}{datetime.now(UTC)}", password="wrong")


def test_ones_own_password_makes_no_room_for_guessing_at_others(
    app: Flask, client: Client, later: Later
) -> None:
    """Otherwise a guesser logs in as themself between two guesses."""
    enter_user(app, **RIGHT)
    for number in range(100):
        wrong_times(client, 1, account=f"person{number}", password="wrong")
    assert attempt(client, **RIGHT).status_code == 200
    wrong_times(client, 1, account="person100", password="wrong")
    assert attempt(client, account="person101", password="wrong").status_code == 429


def test_a_household_is_one_address_of_ipv6(client: Client) -> None:
    """Otherwise whoever has 2^64 addresses has as many free tries."""
    for number in range(6):
        wrong_times(client, 1, f"2001:db8::{number}", **NOBODY)
    assert attempt(client, "2001:db8::ffff", **NOBODY).status_code == 429
    assert attempt(client, "2001:db8:0:1::1", **NOBODY).status_code == 401


def test_an_address_is_the_same_however_a_proxy_or_a_socket_spells_it(client: Client) -> None:
    """Otherwise all of IPv4 is one household, or a port makes a new address of the old one."""
    for spelling in (ATTACKER, f"::ffff:{ATTACKER}", f"{ATTACKER}:4711", f"{ATTACKER}:4712"):
        wrong_times(client, 1, spelling, **NOBODY)
    wrong_times(client, 2, f"[::ffff:{ATTACKER}]:4713", **NOBODY)
    assert attempt(client, ATTACKER, **NOBODY).status_code == 429
    assert attempt(client, f"::ffff:{HOME}", **NOBODY).status_code == 401


@pytest.mark.parametrize("told", ["", "unknown", "unix:", "_hidden", "::1%", "x" * 3000])
def test_what_is_no_address_lets_people_log_in(app: Flask, client: Client, told: str) -> None:
    """Otherwise nobody's password works behind a proxy that hides its clients."""
    enter_user(app, **RIGHT)
    assert attempt(client, told, **RIGHT).status_code == 200


def test_an_account_of_the_neighbour_has_its_own_count(client: Client) -> None:
    """Otherwise tenants slow each other's users down."""
    wrong_times(client, 6, **NOBODY)
    assert attempt(client, **NOBODY).status_code == 429
    assert attempt(client, app=GLOBEX_LIFE, **NOBODY).status_code == 401


def test_every_entrance_counts(app: Flask, client: Client, alice: Person) -> None:
    """Otherwise the slow door is walked around."""
    enter_user(app, **RIGHT)
    token = client.log_in(alice)["token"]
    code = alice.wx_login()
    granted = {"grant_type": "password", "username": "alice", "password": "wrong"}
    wrong = [
        lambda: client.post("password-login", **WRONG).status_code,
        lambda: client.post("bind", token, **WRONG).status_code,
        lambda: client.post("login", code=code, **WRONG).status_code,
        lambda: client.send("POST", "/oauth/token", data=granted | {"appid": ACME_SHOP.appid}).json[
            "code"
        ],
    ]
    assert [one() for one in wrong] == [401, 401, 401, 400]
    wrong_times(client, 2, "127.0.0.1", **WRONG)
    assert [one() for one in wrong] == [429] * 4
    assert client.post("login", code=code).status_code == 200, "the code is still good"


def test_counts_go_and_tell_nobody_who_was_meant(
    client: Client, later: Later, rows: Reader
) -> None:
    """Otherwise the table grows for ever, or a thief of it reads names and addresses."""
    for number in range(12):
        wrong_times(client, 1, account=f"person{number}", password="wrong")
    assert rows.count("password_tries") == 25
    assert {len(key) for (key,) in rows("SELECT key FROM password_tries")} == {32}
    later(3600)
    for _ in range(2):
        wrong_times(client, 1, **NOBODY)
    assert rows.count("password_tries") == 3


@pytest.mark.real_commits
def test_a_burst_is_counted_whole(app: Flask, rows: Reader) -> None:
    """Otherwise a hundred guesses at once are as good as five."""
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: attempt(Client(app), **NOBODY), range(60)))
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {401, 429}
    assert codes.count(401) <= 8
    assert rows("SELECT max(level) < 9 FROM password_tries") == [(True,)]


@pytest.mark.real_commits
def test_many_people_log_in_at_once_behind_one_address(app: Flask, rows: Reader) -> None:
    """Otherwise a school's morning is a row of deadlocks, or counts right passwords as wrong."""
    for number in range(10):
        enter_user(app, account=f"pupil{number}", password=RIGHT["password"])
    enter = [f"pupil{number}" for number in range(10)] * 4
    with ThreadPoolExecutor(20) as pool:
        logins = pool.map(
            lambda one: attempt(Client(app), account=one, password=RIGHT["password"]), enter
        )
        assert {answer.status_code for answer in logins} == {200}
    assert rows("SELECT DISTINCT level FROM password_tries") == [(0.0,)]
    # The address, and for each account its device at the address, its device and its address.
    assert rows.count("password_tries") == 1 + 10 * 3
