"""Concurrent requests, with real threads, commits and PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import create_app
from app.extensions import db
from config import Config
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, App, Client, Person, Reader, WeChat

pytestmark = pytest.mark.real_commits


def run_concurrently(actions: list[Callable[[], Any]]) -> list[Any]:
    """Run each action in its own thread, starting together, and return the results in order."""
    gate = Barrier(len(actions))

    def run_when_all_are_ready(action: Callable[[], Any]) -> Any:
        gate.wait()
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run_when_all_are_ready, actions))


@pytest.mark.parametrize("mini_program", [ACME_SHOP, ACME_CLUB], ids=["on_phone", "on_login"])
def test_fifty_concurrent_first_logins_create_one_social_account_and_fifty_sessions(
    app: Flask, alice: Person, rows: Reader, mini_program: Any
) -> None:
    codes = [alice.wx_login(mini_program) for _ in range(50)]
    answers = run_concurrently(
        [lambda code=code: Client(app).post("login", app=mini_program, code=code) for code in codes]
    )
    assert {answer.status_code for answer in answers} == {200}
    assert rows.count("social_accounts") == 1
    assert rows.count("login_sessions") == 50
    assert rows.count("users") == (1 if mini_program is ACME_CLUB else 0)
    tokens = {answer.json["token"] for answer in answers}
    assert len(tokens) == 50
    answered = {
        Client(app).post("profile", token, mini_program, nickname="Alice").status_code
        for token in tokens
    }
    assert answered == {200}


def test_twenty_concurrent_verifications_of_one_phone_create_one_user(
    app: Flask, wechat: WeChat, rows: Reader
) -> None:
    people = [Person(wechat, f"person{number}", "13800138000") for number in range(20)]
    tokens = [Client(app).log_in(person)["token"] for person in people]
    taps = [person.tap_phone_new() for person in people]
    answers = run_concurrently(
        [
            lambda token=token, tap=tap: Client(app).post("phone", token, **tap)
            for token, tap in zip(tokens, taps, strict=True)
        ]
    )
    assert {answer.status_code for answer in answers} == {200}, [a.text for a in answers]
    assert len({answer.json["user"]["id"] for answer in answers}) == 1
    assert (rows.count("users"), rows.count("phones")) == (1, 1)
    assert rows.count("social_accounts", "user_id IS NOT NULL") == 20
    assert {Client(app).me(answer.json["token"]).status_code for answer in answers} == {200}


def log_in(app: Flask, mini_program: App, code: str) -> TestResponse:
    """Log in with a client of its own."""
    return Client(app).post("login", app=mini_program, code=code)


def test_concurrent_logins_in_two_apps_create_one_user_by_unionid(
    app: Flask, wechat: WeChat, rows: Reader
) -> None:
    rows("UPDATE wechat_apps SET registration = 'on_login'")
    for number in range(10):
        person = Person(wechat, f"person{number}", "13800138000")
        codes = [(one, person.wx_login(one)) for one in (ACME_SHOP, ACME_CLUB)]
        answers = run_concurrently(
            [
                lambda one=one, c=code: Client(app).post("login", app=one, code=c)
                for one, code in codes
            ]
        )
        assert len({answer.json["user"]["id"] for answer in answers}) == 1
    assert rows.count("users") == 10


def test_only_one_of_eight_concurrent_phone_requests_with_one_token_succeeds(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    token = client.log_in(alice)["token"]
    taps = [alice.tap_phone_new() for _ in range(8)]
    answers = run_concurrently(
        [lambda tap=tap: Client(app).post("phone", token, **tap) for tap in taps]
    )
    won = [answer for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert {a.json["code"] for a in answers if a is not won[0]} == {"session_replaced"}
    assert client.me(won[0].json["token"]).status_code == 200
    assert (rows.count("users"), rows.count("phones")) == (1, 1)


def refresh_from(
    app: Flask, address: str, refresh_token: str, agent: str = "phone"
) -> TestResponse:
    """Refresh a session with a given IP address and User-Agent."""
    path = f"/v1/apps/{ACME_SHOP.appid}/refresh"
    asked: dict[str, Any] = {"environ_base": {"REMOTE_ADDR": address}}
    asked["headers"] = {"User-Agent": agent}
    return Client(app).send("POST", path, json={"refresh_token": refresh_token}, **asked)


def test_twenty_concurrent_refreshes_by_one_device_get_the_same_tokens(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    old = client.bind(alice)["refresh_token"]
    answers = run_concurrently([lambda: refresh_from(app, "127.0.0.1", old) for _ in range(20)])
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert client.me(answers[0].json["token"]).status_code == 200
    next_one = client.post("refresh", refresh_token=answers[0].json["refresh_token"])
    assert next_one.status_code == 200


def test_refresh_token_used_by_twenty_devices_succeeds_once_and_ends_the_session(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    old = client.bind(alice)["refresh_token"]
    answers = run_concurrently(
        [lambda nth=nth: refresh_from(app, "127.0.0.1", old, f"{nth}") for nth in range(20)]
    )
    codes = [answer.status_code for answer in answers]
    assert codes.count(200) == 1
    assert set(codes) == {200, 401}
    assert rows.count("login_sessions", "end_reason = 'refresh_token_reused'") == 1
    assert rows.count("audit_events", "action = 'session.refresh_token_reused'") == 1


def test_concurrent_phone_requests_fetch_only_one_wechat_access_token(
    app: Flask, wechat: WeChat, rows: Reader
) -> None:
    people = [Person(wechat, f"person{number}", f"1380013{number:04}") for number in range(12)]
    tokens = [Client(app).log_in(person)["token"] for person in people]
    taps = [person.tap_phone_new() for person in people]
    wechat.fault("slow", "/cgi-bin/stable_token", seconds=0.3)
    answers = run_concurrently(
        [
            lambda token=token, tap=tap: Client(app).post("phone", token, **tap)
            for token, tap in zip(tokens, taps, strict=True)
        ]
    )
    assert {answer.status_code for answer in answers} == {200}
    fetched = [call for call in wechat.calls() if call["path"] == "/cgi-bin/stable_token"]
    assert len(fetched) == 1
    assert rows.count("users") == 12


@pytest.fixture
def small_pool(config: Config, app: Flask) -> Iterator[Flask]:
    """Return a second app with a pool of five database connections."""
    service = create_app(replace(config, database_pool_size=5))
    yield service
    with service.app_context():
        db.engine.dispose()


def test_login_holds_no_database_connection_while_waiting_for_wechat(
    small_pool: Flask, wechat: WeChat, alice: Person, rows: Reader
) -> None:
    """Sixty logins wait for WeChat at the same time with a pool of five connections."""
    codes = [alice.wx_login() for _ in range(60)]
    wechat.fault("slow", seconds=1)
    answers = run_concurrently(
        [lambda code=code: Client(small_pool).post("login", code=code) for code in codes]
    )
    assert {answer.status_code for answer in answers} == {200}
    assert rows.count("login_sessions") == 60
    assert wechat.ask("calls")["most_waiting"] > 10
