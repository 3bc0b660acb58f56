"""Repeated codes: the same client gets the same login, and any other request is refused."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.extensions import db
from app.services.login import code_exchange, code_flights, login
from app.simulator.world import current_world
from config import Config
from tests.fixtures.login_codes import clear_code_flights
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


@pytest.fixture(autouse=True)
def real_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the login of another process as long as in production."""
    monkeypatch.setattr(code_exchange, "USED_WAIT_SECONDS", 2.0)
    monkeypatch.setattr(code_exchange, "INVALID_WAIT_SECONDS", 0.2)


@pytest.fixture(scope="module")
def second_process(app: Flask, config: Config) -> Iterator[Flask]:
    """A service with the same database and memory of its own, like another process."""
    second = create_app(config)
    yield second
    with second.app_context():
        db.engine.dispose()


@pytest.fixture
def processes(app: Flask, second_process: Flask) -> list[Flask]:
    """Two processes of the service."""
    return [app, second_process]


def accept_again(wechat: WeChat, code: str) -> None:
    """Make the simulator accept a used code once more."""
    assert wechat.simulator
    with wechat.simulator.app_context():
        world = current_world()
        world.login_codes.get(code, world.now()).used = False


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


@pytest.mark.parametrize("same_process", [True, False], ids=["same process", "other process"])
@pytest.mark.parametrize(
    "other", [{"agent": "another"}, {"address": "10.0.0.9"}], ids=["device", "address"]
)
def test_repeated_code_is_refused_for_another_device_ip_address_or_purpose(
    app: Flask,
    client: Client,
    alice: Person,
    rows: Reader,
    other: dict[str, str],
    same_process: bool,
) -> None:
    def next_request() -> None:
        if not same_process:
            clear_code_flights(app)

    code = alice.wx_login()
    first = send(client, code)
    next_request()
    assert failure(send(client, code, **other)) == CODE_USED
    next_request()
    bind_key = client.send("GET", f"/wx/user/{ACME_SHOP.appid}/login", query_string={"code": code})
    assert bind_key.json["code"] == 400, "another purpose"
    next_request()
    assert failure(client.post("login", app=ACME_CLUB, code=code)) == (400, "code_invalid")
    next_request()
    assert send(client, code).json == first.json, "refused requests do not prevent a repetition"
    rows("UPDATE code_exchanges SET asked_at = asked_at - interval '31 seconds'")
    next_request()
    assert failure(send(client, code)) == CODE_USED


@pytest.mark.real_commits
@pytest.mark.parametrize("bound", [False, True], ids=["first", "known"])
def test_fifty_concurrent_repeats_of_a_code_in_two_processes_get_one_login(
    processes: list[Flask],
    client: Client,
    alice: Person,
    wechat: WeChat,
    rows: Reader,
    bound: bool,
) -> None:
    if bound:
        client.bind(alice)
    before = (count_exchanges(wechat), rows.count("login_sessions"))
    code = alice.wx_login()
    logins = [lambda process=process: send(Client(process), code) for process in processes * 25]
    answers = run_concurrently(logins)
    assert {answer.status_code for answer in answers} == {200}, {one.text for one in answers}
    assert len({answer.text for answer in answers}) == 1
    assert rows.count("login_sessions") == before[1] + 1
    assert count_exchanges(wechat) <= before[0] + 2, "one call per process"


@pytest.mark.real_commits
@pytest.mark.parametrize("errcode", [40163, 40029])
def test_rejected_repetition_waits_for_the_login_of_another_process(
    app: Flask,
    second_process: Flask,
    alice: Person,
    wechat: WeChat,
    monkeypatch: pytest.MonkeyPatch,
    errcode: int,
) -> None:
    """WeChat has answered the first process, which has not yet written the login."""
    code, may_write, is_writing = alice.wx_login(), threading.Event(), threading.Event()
    general_login = login._general_login

    def write_late(*arguments: Any) -> Any:
        is_writing.set()
        assert may_write.wait(10)
        return general_login(*arguments)

    monkeypatch.setattr(login, "try_fast_login", lambda *_: None)
    monkeypatch.setattr(login, "_general_login", write_late)
    monkeypatch.setattr(code_exchange, "INVALID_WAIT_SECONDS", 2.0)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(send, Client(app), code)
        assert is_writing.wait(10)
        wechat.fault("errcode", errcode=errcode, times=1)
        asked = count_exchanges(wechat)
        repeated = pool.submit(send, Client(second_process), code)
        until(lambda: count_exchanges(wechat) > asked)
        may_write.set()
    assert first.result().status_code == 200
    assert repeated.result().json == first.result().json


def test_code_used_without_a_login_is_refused_after_two_seconds(
    app: Flask, client: Client, wechat: WeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_exchange, "USED_WAIT_SECONDS", 0.3)
    wechat.fault("errcode", errcode=40163, times=1)
    assert failure(send(client, "used elsewhere")) == CODE_USED


@pytest.mark.real_commits
def test_second_exchange_of_a_code_that_wechat_accepts_twice_returns_the_first_login(
    app: Flask, client: Client, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    """The primary key of `code_exchanges` decides, whatever WeChat answers."""
    for prepare in (lambda: None, lambda: client.bind(alice)):
        prepare()
        code = alice.wx_login()
        first = send(client, code)
        sessions = rows.count("login_sessions")
        accept_again(wechat, code)
        clear_code_flights(app)
        assert send(client, code).json == first.json
        accept_again(wechat, code)
        clear_code_flights(app)
        assert failure(send(client, code, agent="another")) == CODE_USED
        assert rows.count("login_sessions") == sessions


def test_repetition_is_refused_if_the_first_request_takes_too_long(
    app: Flask, client: Client, alice: Person, wechat: WeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_flights, "PATIENCE_SECONDS", 0.1)
    code = alice.wx_login()
    wechat.fault("slow", seconds=1, times=1)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(send, Client(app), code)
        until(lambda: count_exchanges(wechat) == 1)
        assert failure(send(client, code)) == (503, "wechat_unavailable")
        assert failure(send(client, code, agent="another")) == CODE_USED
    assert first.result().status_code == 200


def test_number_of_remembered_codes_is_bounded(
    app: Flask, client: Client, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_flights, "MOST_REMEMBERED", 3)
    for _ in range(5):
        client.log_in(alice)
    assert len(app.extensions["code_flights"]._flights) == 3


def test_rejected_codes_write_no_rows(client: Client, rows: Reader) -> None:
    for number in range(5):
        assert failure(send(client, f"made up {number}")) == (400, "code_invalid")
    assert rows.count("code_exchanges") == 0


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


def test_login_succeeds_if_old_codes_cannot_be_deleted(
    client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_exchange, "CLEANUP_EVERY", 1)
    monkeypatch.setattr(code_exchange, "DELETE_OLD_CODES", "SELECT 1 / 0")
    assert send(client, alice.wx_login()).status_code == 200
    assert rows.count("login_sessions") == 1


@pytest.mark.real_commits
def test_replay_of_a_code_by_another_client_does_not_refuse_the_repetition(
    app: Flask, second_process: Flask, client: Client, alice: Person, wechat: WeChat
) -> None:
    """The replay is being exchanged in the process that the repetition reaches."""
    code = alice.wx_login()
    first = send(client, code)
    asked = count_exchanges(wechat)
    wechat.fault("slow", seconds=1, times=1)
    with ThreadPoolExecutor() as pool:
        replay = pool.submit(send, Client(second_process), code, "a thief")
        until(lambda: count_exchanges(wechat) > asked)
        assert send(Client(second_process), code).json == first.json
    assert failure(replay.result()) == CODE_USED


def test_refusal_of_a_login_is_repeated_without_a_call_to_wechat(
    client: Client, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    client.bind(alice)
    rows("UPDATE users SET status = 'disabled'")
    asked, code = count_exchanges(wechat), alice.wx_login()
    for _ in range(2):
        assert failure(send(client, code)) == (403, "user_disabled")
    assert count_exchanges(wechat) == asked + 1
