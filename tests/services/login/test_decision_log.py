"""The log line of a request that decides about linking: decision, evidence and policy."""

import pytest
from flask import Flask
from structlog.contextvars import get_contextvars

from app.services.login import login
from tests.fixtures.login_codes import clear_code_flights
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    App,
    Client,
    Person,
    Reader,
    WeChat,
    enter_user,
    failure,
)
from tests.services.login.test_code_exchange import CODE_USED, accept_again, send

FACTS = ("decision", "evidence", "registration")


def logged() -> tuple[str | None, ...]:
    """Return the decision, evidence and policy that the last request adds to its log line."""
    values = get_contextvars()
    return tuple(values.get(name) for name in FACTS)


@pytest.fixture(params=["fast", "general"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path that logins take."""
    if request.param == "general":
        monkeypatch.setattr(login, "try_fast_login", lambda *_: None)
    return str(request.param)


@pytest.mark.parametrize(
    ("app_of_login", "first"),
    [
        (ACME_SHOP, ("wait", "login", "on_phone")),
        (ACME_CLUB, ("register", "login", "on_login")),
    ],
    ids=["on_phone", "on_login"],
)
def test_a_first_login_waits_or_registers_as_the_policy_says(
    path: str, client: Client, alice: Person, app_of_login: App, first: tuple[str, ...]
) -> None:
    client.log_in(alice, app_of_login)
    assert logged() == first


def test_a_later_login_keeps_the_user(path: str, client: Client, alice: Person) -> None:
    client.bind(alice)
    client.log_in(alice)
    assert logged() == ("keep", "login", "on_phone")


def test_a_unionid_binds_in_the_second_app(client: Client, alice: Person) -> None:
    client.bind(alice)
    client.log_in(alice, ACME_CLUB)
    assert logged() == ("bind", "login", "on_login")


def test_a_phone_number_registers_or_binds(app: Flask, client: Client, alice: Person) -> None:
    client.bind(alice)
    assert logged() == ("register", "phone", "on_phone")
    bob = Person(alice.wechat, "bob", "13800138002")
    enter_user(app, phone="+8613800138002")
    client.bind(bob)
    assert logged() == ("bind", "phone", "on_phone")


def test_a_password_binds(app: Flask, client: Client, alice: Person) -> None:
    enter_user(app, account="alice", password=GOOD_PASSWORD)
    token = client.log_in(alice)["token"]
    client.post("bind", token, account="alice", password=GOOD_PASSWORD)
    assert logged() == ("bind", "password", "on_phone")


def test_a_repeated_code_decides_nothing_again(client: Client, alice: Person) -> None:
    code = alice.wx_login(ACME_SHOP)
    for _ in range(2):
        client.post("login", code=code)
    assert logged() == ("repeat", "code", None)


def test_other_requests_have_no_decision(client: Client, alice: Person) -> None:
    client.me(client.bind(alice)["token"])
    client.post("refresh", refresh_token="wxr_unknown")
    assert logged() == (None, None, None)


def test_login_with_a_password_logs_how_the_account_was_linked(
    path: str, app: Flask, client: Client, alice: Person
) -> None:
    enter_user(app, account="alice", password=GOOD_PASSWORD)
    credentials = {"account": "alice", "password": GOOD_PASSWORD}
    client.post("login", code=alice.wx_login(ACME_SHOP), **credentials)
    assert logged() == ("bind", "password", "on_phone")


def test_login_that_fails_logs_no_decision(
    path: str, client: Client, alice: Person, rows: Reader
) -> None:
    client.bind(alice)
    rows("UPDATE users SET status = 'disabled'")
    client.post("login", code=alice.wx_login(ACME_SHOP))
    assert logged() == (None, None, None)


@pytest.mark.real_commits
def test_replayed_code_logs_no_decision(
    path: str, app: Flask, client: Client, alice: Person, wechat: WeChat
) -> None:
    """WeChat accepts the code a second time, and the database refuses it."""
    code = alice.wx_login(ACME_SHOP)
    assert send(client, code).status_code == 200
    clear_code_flights(app)
    accept_again(wechat, code)
    assert failure(send(client, code, "a thief")) == CODE_USED
    assert logged() == (None, None, None)
