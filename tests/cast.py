"""The cast of the tests: two tenants, three mini-programs, and people with a phone in hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import requests
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import Engine
from werkzeug.test import TestResponse

from app import create_app
from app.extensions import db
from app.services.apps import NewApp, add_app
from app.services.tenants import add_tenant
from app.services.users import add_user
from app.simulator.world import current_world
from config import Config


@dataclass(frozen=True)
class App:
    """A mini-program of the cast."""

    appid: str
    tenant: str
    secret: str
    registration: str = "on_phone"


ACME_SHOP = App("wxaaaa000000000001", "acme", "a1" * 16)
ACME_CLUB = App("wxaaaa000000000002", "acme", "a2" * 16, "on_login")
ACME_STAFF = App("wxaaaa000000000003", "acme", "a3" * 16, "closed")
GLOBEX_LIFE = App("wxbbbb000000000001", "globex", "b1" * 16)
USER_AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Mobile/15E148 MicroMessenger/8.0.49(0x1800312c) NetType/{net} Language/zh_CN"
)
APPS = (ACME_SHOP, ACME_CLUB, ACME_STAFF, GLOBEX_LIFE)


def wechat_headers(app: App, net: str = "WIFI") -> dict[str, str]:
    """Say what WeChat itself says in every wx.request; `net` is the network the phone is in."""
    return {
        "Referer": f"https://servicewechat.com/{app.appid}/12/page-frame.html",
        "User-Agent": USER_AGENT.format(net=net),
    }


def add_cast(app: Flask) -> None:
    """Add the tenants and their mini-programs."""
    with app.app_context():
        for slug in ("acme", "globex"):
            add_tenant(slug, slug.title())
        for one in APPS:
            add_app(one.tenant, NewApp(one.appid, one.appid, one.registration, "json", one.secret))


@contextmanager
def service_of(config: Config) -> Iterator[Flask]:
    """Make the service, with its tables and the cast."""
    app = create_app(config)
    with app.app_context():
        upgrade()
    add_cast(app)
    yield app
    with app.app_context():
        db.engine.dispose()


def enter_user(
    app: Flask,
    tenant: str = "acme",
    account: str | None = None,
    password: str | None = None,
    phone: str | None = None,
) -> str:
    """Enter a person as an operator does, and give the user's id."""
    with app.app_context():
        return str(add_user(tenant, account, password, phone))


@contextmanager
def taken_back(app: Flask) -> Iterator[None]:
    """Run every transaction of the service inside one that is rolled back; may be nested."""
    with app.app_context():
        engine, mode = db.engine, db.session.session_factory.kw.get("join_transaction_mode")
        connection = engine.engine.connect()
        outer = connection.begin()
        db.engines[None] = connection
        connection.raw_connection = lambda: BorrowedConnection(connection)
        db.session.configure(join_transaction_mode="create_savepoint")
    try:
        yield
    finally:
        with app.app_context():
            outer.rollback()
            connection.close()
            db.engines[None] = engine
            db.session.configure(join_transaction_mode=mode or "conditional_savepoint")


@contextmanager
def statements_sent() -> Iterator[list[str]]:
    """Collect what the database is asked, but for the savepoints that tests are wrapped in."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "SAVEPOINT" not in statement:
            sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


class BorrowedConnection:
    """What a pool gives, and the driver's connection in it: here, all in the test's transaction."""

    autocommit = True

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.driver_connection = self

    def execute(self, statement: str, values: dict[str, Any]) -> Any:
        """Let a statement fail alone, as one that commits by itself does."""
        with self.connection.begin_nested():
            return self.connection.exec_driver_sql(statement, values)

    def close(self) -> None:
        """Leave the test's connection open."""


class WeChat:
    """The simulated WeChat, by its control API: across the network unless it is in this process.

    The service reaches it at its URL in either case. A phone's tap across the network takes ten
    times as long, and tests tap thousands of times.
    """

    def __init__(self, url: str, simulator: Flask | None = None) -> None:
        self.url, self.simulator = url, simulator

    def control(self, what: str, **fields: Any) -> Any:
        """Tell the simulator something."""
        return self._call("POST", what, fields)

    def ask(self, what: str, **query: str) -> Any:
        """Ask the simulator something."""
        return self._call("GET", f"{what}?{urlencode(query)}")

    def _call(self, method: str, what: str, body: dict[str, Any] | None = None) -> Any:
        path = f"/_simulator/{what}"
        if self.simulator:
            told = self.simulator.test_client().open(path, method=method, json=body)
            assert told.status_code == 200, told.text
            return told.json
        answer = requests.request(method, self.url + path, json=body, timeout=5)
        answer.raise_for_status()
        return answer.json()

    def reset(self) -> None:
        """Forget everything but the cast's mini-programs. The simulator must be in this process.

        Another test's mini-program would be known to WeChat, or not, by the order of the tests.
        """
        self.control("reset")
        assert self.simulator
        with self.simulator.app_context():
            world = current_world()
        with world.lock:
            cast = {one.appid for one in APPS}
            world.apps = {appid: app for appid, app in world.apps.items() if appid in cast}

    def fault(self, kind: str, path: str = "/sns/jscode2session", **how: Any) -> None:
        """Switch a fault on; `reset` after the test switches it off."""
        self.control("faults", kind=kind, path=path, **how)

    def calls(self) -> list[dict[str, Any]]:
        """List the calls that WeChat received."""
        return self.ask("calls")["calls"]


class Person:
    """Somebody with WeChat on a phone."""

    def __init__(self, wechat: WeChat, name: str, phone: str, country_code: str = "86") -> None:
        self.wechat, self.name, self.phone = wechat, name, phone
        wechat.control(
            "people", name=name, nickname=f"{name} 🌸 小花", phone=phone, country_code=country_code
        )

    def wx_login(self, app: App = ACME_SHOP) -> str:
        """Open the mini-program: `wx.login` gives a code."""
        return self.wechat.control("login", person=self.name, appid=app.appid)["code"]

    def tap_user_info(self, app: App = ACME_SHOP, **how: Any) -> dict[str, str]:
        """Allow the user info: rawData, signature, encryptedData, iv."""
        return self.wechat.control("user-info", person=self.name, appid=app.appid, **how)

    def tap_phone(self, app: App = ACME_SHOP, **how: Any) -> dict[str, str]:
        """Allow the phone number: code (the new way), encryptedData and iv (the old)."""
        return self.wechat.control("phone", person=self.name, appid=app.appid, **how)

    def tap_phone_new(self, app: App = ACME_SHOP, **how: Any) -> dict[str, str]:
        """Allow the phone number, the new way."""
        return {"code": self.tap_phone(app, **how)["code"]}

    def tap_phone_old(self, app: App = ACME_SHOP, **how: Any) -> dict[str, str]:
        """Allow the phone number, the old way."""
        tapped = self.tap_phone(app, **how)
        return {name: tapped[name] for name in ("encryptedData", "iv")}


class Client:
    """A mini-program's network: sends what the front end says, with its login token."""

    def __init__(self, app: Flask) -> None:
        self.http = app.test_client()

    def send(self, method: str, path: str, token: str | None = None, **how: Any) -> TestResponse:
        """Send a request, with a login token if there is one."""
        headers = how.pop("headers", {})
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.http.open(path, method=method, headers=headers, **how)

    def post(self, what: str, token: str | None = None, app: App = ACME_SHOP, **body: Any) -> Any:
        """Call the native interface of a mini-program."""
        return self.send("POST", f"/v1/apps/{app.appid}/{what}", token, json=body)

    def me(self, token: str) -> TestResponse:
        """Ask who the token says I am."""
        return self.send("GET", "/v1/me", token)

    def log_in(self, person: Person, app: App = ACME_SHOP, **more: str) -> dict[str, Any]:
        """Log a person in, bound or not."""
        answer = self.post("login", app=app, code=person.wx_login(app), **more)
        assert answer.status_code == 200, answer.text
        return answer.json

    def bind(self, person: Person, app: App = ACME_SHOP) -> dict[str, Any]:
        """Log a person in and verify their phone."""
        token = self.log_in(person, app)["token"]
        answer = self.post("phone", token, app, **person.tap_phone_new(app))
        assert answer.status_code == 200, answer.text
        return answer.json


class Reader:
    """The database, read in SQL."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def __call__(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run a statement and give its rows."""
        with self.app.app_context():
            result = db.session.execute(text(query), values)
            rows = [tuple(row) for row in result] if result.returns_rows else []
            db.session.commit()
            return rows

    def count(self, table: str, where: str = "true") -> int:
        """Count rows."""
        return int(self(f"SELECT count(*) FROM {table} WHERE {where}")[0][0])


def failure(answer: TestResponse) -> tuple[int, str]:
    """Give status and code of a refusal, having checked its shape."""
    assert answer.content_type == "application/problem+json", answer.text
    problem = answer.json
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    return answer.status_code, problem["code"]
