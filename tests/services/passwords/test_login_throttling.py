"""Throttling of password logins by account, IP address and known device."""

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
UNKNOWN_ACCOUNT = {"account": "nobody", "password": "wrong"}

AdvanceClock = Callable[[float], None]


@pytest.fixture(autouse=True)
def advance_clock(monkeypatch: pytest.MonkeyPatch) -> AdvanceClock:
    """Stop the clock of login throttling, and return a function that advances it by seconds."""
    clock = [datetime.now(UTC)]
    monkeypatch.setattr(login_throttling, "now", lambda: clock[0])

    def advance(seconds: float) -> None:
        clock[0] += timedelta(seconds=seconds)

    return advance


@pytest.fixture(autouse=True)
def cheap_hashes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare passwords without hashing in tests that use the `app` fixture."""
    if "app" in request.fixturenames:
        monkeypatch.setattr(
            "app.services.users.credentials.is_password",
            lambda password, hashed: hashed is not None and password == RIGHT["password"],
        )


def attempt(client: Client, ip: str = HOME, app: Any = ACME_SHOP, **credentials: str) -> Any:
    """Send a password login from an IP address."""
    path = f"/v1/apps/{app.appid}/password-login"
    where = {"REMOTE_ADDR": ip}
    return client.send("POST", path, json=credentials, environ_overrides=where)


def fail_times(client: Client, times: int, ip: str = HOME, **credentials: str) -> None:
    """Send password logins that must fail with status 401, and not be throttled."""
    for _ in range(times):
        assert attempt(client, ip, **credentials).status_code == 401


@pytest.mark.parametrize("limit", [ACCOUNT_AT_ADDRESS, ACCOUNT, ADDRESS])
def test_login_delays_grow_up_to_a_limit(limit: login_throttling.Limit) -> None:
    delays = [limit.delay_after(level).total_seconds() for level in range(limit.free + 2000)]
    assert not any(delays[: limit.free + 1])
    assert delays[limit.free + 1] == 1
    assert all(one <= other for one, other in pairwise(delays))
    assert delays[-1] == limit.longest <= 300


@pytest.mark.parametrize("tried", [WRONG, UNKNOWN_ACCOUNT], ids=["account", "no_account"])
def test_throttling_is_the_same_whether_or_not_the_account_exists(
    app: Flask, client: Client, advance_clock: AdvanceClock, tried: dict[str, str]
) -> None:
    enter_user(app, **RIGHT)
    fail_times(client, 6, **tried)
    waits = []
    for _ in range(4):
        refused = attempt(client, **tried)
        assert failure(refused) == (429, "too_many_tries")
        waits.append(int(refused.headers["Retry-After"]))
        advance_clock(waits[-1])
        fail_times(client, 1, **tried)
    assert waits == [1, 2, 4, 8]


def test_right_password_after_the_delay_resets_the_count_of_failures(
    app: Flask, client: Client, advance_clock: AdvanceClock, rows: Reader
) -> None:
    enter_user(app, **RIGHT)
    fail_times(client, 6, **WRONG)
    assert attempt(client, **RIGHT).status_code == 429
    advance_clock(1)
    assert attempt(client, **RIGHT).status_code == 200
    fail_times(client, 6, **WRONG)
    refused = attempt(client, **WRONG)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")


def test_throttled_attempts_do_not_extend_the_delay(
    app: Flask, client: Client, advance_clock: AdvanceClock
) -> None:
    enter_user(app, **RIGHT)
    fail_times(client, 6, **WRONG)
    assert {attempt(client, **WRONG).status_code for _ in range(20)} == {429}
    advance_clock(1)
    assert attempt(client, **RIGHT).status_code == 200


def test_attack_from_one_ip_address_does_not_block_the_user_at_another_ip_address(
    app: Flask, client: Client, advance_clock: AdvanceClock, rows: Reader
) -> None:
    enter_user(app, **RIGHT)
    for _ in range(60):
        answer = attempt(client, ATTACKER, **WRONG)
        advance_clock(int(answer.headers.get("Retry-After", 0)))
    assert rows.count("password_tries", "level > 5") > 0, "the attacker's count is high"
    assert attempt(client, HOME, **RIGHT).status_code == 200


def test_attack_from_many_ip_addresses_is_throttled_and_delays_the_user_by_seconds(
    app: Flask, client: Client, advance_clock: AdvanceClock
) -> None:
    enter_user(app, **RIGHT)
    for number in range(40):
        answer = attempt(client, f"198.51.100.{number}", **WRONG)
        if answer.status_code == 429:
            advance_clock(int(answer.headers["Retry-After"]))
            fail_times(client, 1, f"198.51.100.{number}", **WRONG)
    refused = attempt(client, HOME, **RIGHT)
    assert failure(refused) == (429, "too_many_tries")
    assert int(refused.headers["Retry-After"]) <= 30
    advance_clock(30)
    assert attempt(client, HOME, **RIGHT).status_code == 200


@pytest.mark.parametrize("source", ["botnet", "school"])
def test_continued_attack_does_not_block_a_device_that_logged_in_before(
    source: str, app: Flask, client: Client, advance_clock: AdvanceClock
) -> None:
    enter_user(app, **RIGHT)
    assert attempt(client, **RIGHT).status_code == 200
    for turn in range(120):
        ip = f"198.51.{turn % 20}.1" if source == "botnet" else HOME
        account = "alice" if source == "botnet" else f"made-up-{turn}"
        attempt(client, ip, account=account, password="wrong")
        advance_clock(1)
    unknown_device = (UNKNOWN_ACCOUNT, HOME) if source == "school" else (WRONG, "192.0.2.1")
    assert attempt(client, unknown_device[1], **unknown_device[0]).status_code == 429
    assert attempt(client, **RIGHT).status_code == 200


def test_known_device_is_throttled_by_its_own_failures(
    app: Flask, client: Client, advance_clock: AdvanceClock
) -> None:
    """The device is throttled like any other one when its last login is over 30 days ago."""
    enter_user(app, **RIGHT)
    assert attempt(client, **RIGHT).status_code == 200
    fail_times(client, 6, **WRONG)
    assert failure(attempt(client, **RIGHT)) == (429, "too_many_tries")
    advance_clock(300)
    assert attempt(client, **RIGHT).status_code == 200
    advance_clock(31 * 24 * 3600)
    fail_times(client, 6, **WRONG)
    assert failure(attempt(client, **RIGHT)) == (429, "too_many_tries")


def test_failures_with_one_account_do_not_block_other_accounts_at_the_same_ip_address(
    app: Flask, client: Client
) -> None:
    enter_user(app, **RIGHT)
    for _ in range(150):
        attempt(client, **UNKNOWN_ACCOUNT)
    assert attempt(client, **RIGHT).status_code == 200


def test_ip_address_that_tries_many_accounts_is_delayed_by_up_to_five_seconds(
    client: Client, advance_clock: AdvanceClock
) -> None:
    for number in range(101):
        fail_times(client, 1, account=f"person{number}", password="wrong")
    for wait in (1, 2, 4, 5, 5):
        refused = attempt(client, account="another", password="wrong")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(wait))
        advance_clock(wait)
        fail_times(client, 1, account=f"next{wait}{datetime.now(UTC)}", password="wrong")


def test_successful_login_does_not_reset_the_failures_counted_for_the_ip_address(
    app: Flask, client: Client, advance_clock: AdvanceClock
) -> None:
    enter_user(app, **RIGHT)
    for number in range(100):
        fail_times(client, 1, account=f"person{number}", password="wrong")
    assert attempt(client, **RIGHT).status_code == 200
    fail_times(client, 1, account="person100", password="wrong")
    assert attempt(client, account="person101", password="wrong").status_code == 429


def test_ipv6_addresses_of_one_64_bit_network_share_a_count_of_failures(client: Client) -> None:
    for number in range(6):
        fail_times(client, 1, f"2001:db8::{number}", **UNKNOWN_ACCOUNT)
    assert attempt(client, "2001:db8::ffff", **UNKNOWN_ACCOUNT).status_code == 429
    assert attempt(client, "2001:db8:0:1::1", **UNKNOWN_ACCOUNT).status_code == 401


def test_different_spellings_of_an_ip_address_share_a_count_of_failures(client: Client) -> None:
    """The spellings have a port, or are IPv4-mapped IPv6 addresses."""
    for spelling in (ATTACKER, f"::ffff:{ATTACKER}", f"{ATTACKER}:4711", f"{ATTACKER}:4712"):
        fail_times(client, 1, spelling, **UNKNOWN_ACCOUNT)
    fail_times(client, 2, f"[::ffff:{ATTACKER}]:4713", **UNKNOWN_ACCOUNT)
    assert attempt(client, ATTACKER, **UNKNOWN_ACCOUNT).status_code == 429
    assert attempt(client, f"::ffff:{HOME}", **UNKNOWN_ACCOUNT).status_code == 401


@pytest.mark.parametrize("address", ["", "unknown", "unix:", "_hidden", "::1%", "x" * 3000])
def test_password_login_works_if_the_client_ip_address_is_unusable(
    app: Flask, client: Client, address: str
) -> None:
    """A proxy may hide the IP addresses of its clients."""
    enter_user(app, **RIGHT)
    assert attempt(client, address, **RIGHT).status_code == 200


def test_same_account_in_another_tenant_has_its_own_count_of_failures(client: Client) -> None:
    fail_times(client, 6, **UNKNOWN_ACCOUNT)
    assert attempt(client, **UNKNOWN_ACCOUNT).status_code == 429
    assert attempt(client, app=GLOBEX_LIFE, **UNKNOWN_ACCOUNT).status_code == 401


def test_all_endpoints_that_check_a_password_share_the_count_of_failures(
    app: Flask, client: Client, alice: Person
) -> None:
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
    fail_times(client, 2, "127.0.0.1", **WRONG)
    assert [one() for one in wrong] == [429] * 4
    assert client.post("login", code=code).status_code == 200, "the code is still valid"


def test_expired_failure_counts_are_deleted_and_their_keys_are_hashes(
    client: Client, advance_clock: AdvanceClock, rows: Reader
) -> None:
    for number in range(12):
        fail_times(client, 1, account=f"person{number}", password="wrong")
    assert rows.count("password_tries") == 25
    assert {len(key) for (key,) in rows("SELECT key FROM password_tries")} == {32}
    advance_clock(3600)
    for _ in range(2):
        fail_times(client, 1, **UNKNOWN_ACCOUNT)
    assert rows.count("password_tries") == 3


@pytest.mark.real_commits
def test_concurrent_password_attempts_are_all_counted(app: Flask, rows: Reader) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: attempt(Client(app), **UNKNOWN_ACCOUNT), range(60)))
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {401, 429}
    assert codes.count(401) <= 8
    assert rows("SELECT max(level) < 9 FROM password_tries") == [(True,)]


@pytest.mark.real_commits
def test_concurrent_logins_from_one_ip_address_succeed(app: Flask, rows: Reader) -> None:
    for number in range(10):
        enter_user(app, account=f"pupil{number}", password=RIGHT["password"])
    enter = [f"pupil{number}" for number in range(10)] * 4
    with ThreadPoolExecutor(20) as pool:
        logins = pool.map(
            lambda one: attempt(Client(app), account=one, password=RIGHT["password"]), enter
        )
        assert {answer.status_code for answer in logins} == {200}
    assert rows("SELECT DISTINCT level FROM password_tries") == [(0.0,)]
    # One row for the IP address. Three per account: device at IP address, device, IP address.
    assert rows.count("password_tries") == 1 + 10 * 3
