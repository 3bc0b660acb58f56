"""Repeated codes: the same client gets the same login, and any other request is refused."""

import itertools
from contextlib import nullcontext
from typing import Any

import psycopg
import pytest
from flask import Flask

from app.models.columns import new_id
from app.services.apps.apps import get_app
from app.services.login import code_exchange
from app.services.login.code_exchange import LoginRequest, claim_code
from app.services.principals import Device
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    Client,
    Person,
    Reader,
    WeChat,
    enter_user,
    failure,
)
from tests.fixtures.waiting import until
from tests.services.login.test_concurrency import run_concurrently

CODE_USED = (400, "code_used")


def count_exchanges(wechat: WeChat) -> int:
    """Return the number of codes that were exchanged with WeChat."""
    return sum(call["path"] == "/sns/jscode2session" for call in wechat.calls())


def send(client: Client, code: str, agent: str = "", address: str = "127.0.0.1") -> Any:
    """Log in with a given User-Agent and IP address."""
    path, how = f"/v1/apps/{ACME_SHOP.appid}/login", {"REMOTE_ADDR": address}
    headers = {"User-Agent": agent}
    return client.send("POST", path, json={"code": code}, headers=headers, environ_base=how)


@pytest.mark.real_commits
@pytest.mark.parametrize("bound", [False, True], ids=["first", "known"])
def test_ten_concurrent_logins_with_one_code_open_one_session(
    app: Flask, client: Client, alice: Person, wechat: WeChat, rows: Reader, bound: bool
) -> None:
    if bound:
        client.bind(alice)
    before = (count_exchanges(wechat), rows.count("login_sessions"))
    code = alice.wx_login()
    wechat.fault("slow", seconds=0.1)
    answers = run_concurrently([lambda: send(Client(app), code) for _ in range(10)])
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert (count_exchanges(wechat), rows.count("login_sessions")) == (before[0] + 1, before[1] + 1)
    assert answers[0].json["bound"] is bound
    token = answers[0].json["token"]
    assert client.post("profile", token, nickname="Alice").status_code == 200
    if bound:
        refreshed = client.post("refresh", refresh_token=answers[0].json["refresh_token"])
        assert refreshed.status_code == 200


def test_repeated_code_returns_the_first_response_even_if_the_identity_was_bound_since(
    client: Client, alice: Person
) -> None:
    """The response is unbound, although another session has bound the identity."""
    code = alice.wx_login()
    first = send(client, code)
    client.bind(alice)  # Opens another session.
    again = send(client, code)
    assert (again.json, again.json["bound"]) == (first.json, False)
    assert failure(client.me(again.json["token"])) == (403, "login_unbound")


@pytest.mark.real_commits
def test_concurrent_logins_with_one_invalid_code_get_the_same_failure(
    app: Flask, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    code = alice.wx_login()
    wechat.fault("slow", seconds=0.2, times=1)
    logins = [lambda: send(Client(app), f"{code}x") for _ in range(5)]
    assert {failure(answer) for answer in run_concurrently(logins)} == {(400, "code_invalid")}
    assert rows.count("login_sessions") == 0


@pytest.mark.parametrize(
    "other", [{"agent": "another"}, {"address": "10.0.0.9"}], ids=["device", "address"]
)
def test_repeated_code_is_refused_for_another_device_ip_address_or_purpose(
    client: Client, alice: Person, wechat: WeChat, rows: Reader, other: dict[str, str]
) -> None:
    code = alice.wx_login()
    first = send(client, code)
    assert failure(send(client, code, **other)) == CODE_USED
    asked = {"code": code}
    bind_key = client.send("GET", f"/wx/user/{ACME_SHOP.appid}/login", query_string=asked)
    assert bind_key.json["code"] == 400, "another purpose"
    assert failure(client.post("login", app=ACME_CLUB, code=code)) == (400, "code_invalid")
    assert send(client, code).json == first.json
    rows("UPDATE code_exchanges SET asked_at = asked_at - interval '31 seconds'")
    assert failure(send(client, code)) == CODE_USED
    assert count_exchanges(wechat) == 2, "the shop's and the club's"


def test_repeated_code_with_different_credentials_is_refused(
    app: Flask, client: Client, alice: Person
) -> None:
    enter_user(app, account="alice", password=GOOD_PASSWORD)
    code, credentials = alice.wx_login(), {"account": "alice", "password": GOOD_PASSWORD}
    assert client.post("login", code=code, **credentials).status_code == 200
    assert failure(client.post("login", code=code)) == CODE_USED
    assert client.post("login", code=code, **credentials).status_code == 200


def test_repeated_code_is_refused_after_its_session_was_bound_or_ended(
    client: Client, alice: Person
) -> None:
    code = alice.wx_login()
    token = client.post("login", code=code).json["token"]
    client.post("phone", token, **alice.tap_phone_new())
    assert failure(client.post("login", code=code)) == CODE_USED
    code = alice.wx_login()
    client.post("logout", client.post("login", code=code).json["token"])
    assert failure(client.post("login", code=code)) == CODE_USED


def test_repeated_bind_key_request_with_one_code_returns_the_same_bind_key(
    client: Client, alice: Person, wechat: WeChat
) -> None:
    asked = {"code": alice.wx_login()}
    path = f"/wx/user/{ACME_SHOP.appid}/login"
    first, second = (client.send("GET", path, query_string=asked).json for _ in range(2))
    assert first["code"] == 200
    assert first == second
    assert count_exchanges(wechat) == 1


def test_code_can_be_retried_after_a_wechat_failure_and_old_exchanges_are_deleted(
    client: Client, alice: Person, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_exchange, "CLEANUP_EVERY", 1)
    code = alice.wx_login()
    wechat.fault("busy", times=1)
    assert failure(client.post("login", code=code)) == (503, "wechat_unavailable")
    assert client.post("login", code=code).status_code == 200
    rows("UPDATE code_exchanges SET asked_at = asked_at - interval '11 minutes'")
    client.log_in(alice)
    assert rows.count("code_exchanges") == 1


@pytest.mark.real_commits
def test_claim_of_a_code_is_committed_without_waiting_for_the_disk(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection, app.app_context():
        connection.execute("SET synchronous_commit = on")
        monkeypatch.setattr(code_exchange, "autocommit", lambda: nullcontext(connection))
        shop = get_app(ACME_SHOP.appid)

        def written_position() -> Any:
            return connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()

        def is_on_disk(code: str) -> bool:
            before = written_position()
            request = LoginRequest(shop, Device(None, None), code)
            assert claim_code(request, request.seed(new_id())) is not None
            asked = "SELECT pg_current_wal_flush_lsn() > %s"
            return connection.execute(asked, before).fetchone() == (True,)

        # Other connections may flush the write-ahead log, so several attempts are needed.
        codes = (f"code {number}" for number in itertools.count())
        until(lambda: not is_on_disk(next(codes)))
