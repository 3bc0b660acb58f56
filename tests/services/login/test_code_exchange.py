"""A code sent again by its client gets the same login; sent by anybody else, nothing."""

import itertools
from contextlib import nullcontext
from typing import Any

import psycopg
import pytest
from flask import Flask

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


def exchanges(wechat: WeChat) -> int:
    """Count how often WeChat was asked about a code."""
    return sum(call["path"] == "/sns/jscode2session" for call in wechat.calls())


def send(client: Client, code: str, agent: str = "", address: str = "127.0.0.1") -> Any:
    """Log in from some device."""
    path, how = f"/v1/apps/{ACME_SHOP.appid}/login", {"REMOTE_ADDR": address}
    headers = {"User-Agent": agent}
    return client.send("POST", path, json={"code": code}, headers=headers, environ_base=how)


@pytest.mark.real_commits
@pytest.mark.parametrize("bound", [False, True], ids=["first", "known"])
def test_ten_identical_logins_at_once_are_one(
    app: Flask, client: Client, alice: Person, wechat: WeChat, rows: Reader, bound: bool
) -> None:
    """Otherwise a double tap shows an error, or opens sessions that nobody holds."""
    if bound:
        client.bind(alice)
    before = (exchanges(wechat), rows.count("login_sessions"))
    code = alice.wx_login()
    wechat.fault("slow", seconds=0.1)
    answers = run_concurrently([lambda: send(Client(app), code) for _ in range(10)])
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert (exchanges(wechat), rows.count("login_sessions")) == (before[0] + 1, before[1] + 1)
    assert answers[0].json["bound"] is bound
    token = answers[0].json["token"]
    assert client.post("profile", token, nickname="Alice").status_code == 200
    if bound:
        refreshed = client.post("refresh", refresh_token=answers[0].json["refresh_token"])
        assert refreshed.status_code == 200


def test_a_repeated_login_is_told_of_as_it_was_given(client: Client, alice: Person) -> None:
    """Otherwise it says `bound`, of a token that answers for nobody."""
    code = alice.wx_login()
    first = send(client, code)
    client.bind(alice)  # in another session
    again = send(client, code)
    assert (again.json, again.json["bound"]) == (first.json, False)
    assert failure(client.me(again.json["token"])) == (403, "login_unbound")


@pytest.mark.real_commits
def test_those_who_wait_hear_why_the_login_failed(
    app: Flask, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    """Otherwise a double tap turns one refusal into another, or asks WeChat again and again."""
    code = alice.wx_login()
    wechat.fault("slow", seconds=0.2, times=1)
    acts = [lambda: send(Client(app), f"{code}x") for _ in range(5)]
    assert {failure(answer) for answer in run_concurrently(acts)} == {(400, "code_invalid")}
    assert rows.count("login_sessions") == 0


@pytest.mark.parametrize(
    "other", [{"agent": "another"}, {"address": "10.0.0.9"}], ids=["device", "address"]
)
def test_a_code_seen_by_another_is_worth_nothing(
    client: Client, alice: Person, wechat: WeChat, rows: Reader, other: dict[str, str]
) -> None:
    """Otherwise somebody who reads a code in a log becomes the person."""
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
    assert exchanges(wechat) == 2, "the shop's and the club's"


def test_another_account_does_not_get_the_same_login(
    app: Flask, client: Client, alice: Person
) -> None:
    """Otherwise the password that was typed decides nothing."""
    enter_user(app, account="alice", password=GOOD_PASSWORD)
    code, credentials = alice.wx_login(), {"account": "alice", "password": GOOD_PASSWORD}
    assert client.post("login", code=code, **credentials).status_code == 200
    assert failure(client.post("login", code=code)) == CODE_USED
    assert client.post("login", code=code, **credentials).status_code == 200


def test_a_login_that_went_on_or_ended_is_not_given_again(client: Client, alice: Person) -> None:
    """Otherwise an old code brings tokens that do not work, or back what was logged out."""
    code = alice.wx_login()
    token = client.post("login", code=code).json["token"]
    client.post("phone", token, **alice.tap_phone_new())
    assert failure(client.post("login", code=code)) == CODE_USED
    code = alice.wx_login()
    client.post("logout", client.post("login", code=code).json["token"])
    assert failure(client.post("login", code=code)) == CODE_USED


def test_a_bind_key_is_given_again(client: Client, alice: Person, wechat: WeChat) -> None:
    """Otherwise GitEgg's clients alone meet 40163."""
    asked = {"code": alice.wx_login()}
    path = f"/wx/user/{ACME_SHOP.appid}/login"
    first, second = (client.send("GET", path, query_string=asked).json for _ in range(2))
    assert first["code"] == 200
    assert first == second
    assert exchanges(wechat) == 1


def test_a_failed_exchange_may_be_tried_anew_and_old_ones_are_forgotten(
    client: Client, alice: Person, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a busy minute of WeChat burns codes, or codes pile up for ever."""
    monkeypatch.setattr(code_exchange, "FORGETTING_EVERY", 1)
    code = alice.wx_login()
    wechat.fault("busy", times=1)
    assert failure(client.post("login", code=code)) == (503, "wechat_unavailable")
    assert client.post("login", code=code).status_code == 200
    rows("UPDATE code_exchanges SET asked_at = asked_at - interval '11 minutes'")
    client.log_in(alice)
    assert rows.count("code_exchanges") == 1


@pytest.mark.real_commits
def test_a_claim_does_not_wait_for_the_disk(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a login waits for it twice."""
    url = app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection, app.app_context():
        connection.execute("SET synchronous_commit = on")
        monkeypatch.setattr(code_exchange, "autocommit", lambda: nullcontext(connection))
        shop = get_app(ACME_SHOP.appid)

        def written() -> Any:
            return connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()

        def is_on_disk(code: str) -> bool:
            before = written()
            _, claimed_at = claim_code(LoginRequest(shop, Device(None, None), code))
            assert claimed_at is not None
            asked = "SELECT pg_current_wal_flush_lsn() > %s"
            return connection.execute(asked, before).fetchone() == (True,)

        # It may be there already, for others write too.
        codes = (f"code {number}" for number in itertools.count())
        until(lambda: not is_on_disk(next(codes)))
