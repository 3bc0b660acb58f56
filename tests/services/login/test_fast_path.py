"""The fast path of logins has the same results as the general path."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from threading import Event
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.services import audit
from app.services.apps.apps import set_app_enabled
from app.services.login import fast_path, login
from app.services.tenant_admin.tenant_scope import TenantScope
from app.services.tenant_admin.user_changes import merge_users, set_user_status, unbind_identity
from tests.fixtures.login_paths import Outcome, fast_path_only, general_path_only, outcome_of
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
    transactions_rolled_back,
)
from tests.fixtures.portal import Portal, configure, event
from tests.fixtures.tables import changes, read_tables
from tests.fixtures.waiting import until

pytestmark = pytest.mark.real_commits


def new_identity(client: Client, alice: Person, rows: Reader) -> App:
    """Prepare no rows: the first login of an identity."""
    return ACME_SHOP


def new_identity_in_an_app_that_registers(client: Client, alice: Person, rows: Reader) -> App:
    """Prepare no rows: the first login registers a user."""
    return ACME_CLUB


def unbound(client: Client, alice: Person, rows: Reader) -> App:
    """Prepare four logins without a user."""
    for _ in range(4):
        client.log_in(alice)
    return ACME_SHOP


def unbound_without_unionid(client: Client, alice: Person, rows: Reader) -> App:
    """Prepare an unlinked identity without a unionid."""
    client.log_in(alice)
    rows("UPDATE social_accounts SET unionid = NULL")
    return ACME_SHOP


def bound(client: Client, alice: Person, rows: Reader) -> App:
    """Prepare a user with phone and nickname and four more logins."""
    token = client.bind(alice)["token"]
    client.post("profile", token, nickname="Alice", avatar_url="https://example.org/a.png")
    for _ in range(4):
        client.log_in(alice)
    return ACME_SHOP


def bound_with_one_session_left(client: Client, alice: Person, rows: Reader) -> App:
    """Prepare a user with one session less than the limit of the app."""
    mini_program = bound(client, alice, rows)
    rows("UPDATE wechat_apps SET session_limit = 6")
    return mini_program


def bound_without_a_limit(client: Client, alice: Person, rows: Reader) -> App:
    """Prepare a user in an app without a session limit."""
    mini_program = bound(client, alice, rows)
    rows("UPDATE wechat_apps SET unlimited_sessions = true")
    return mini_program


def bound_in_an_app_that_registers(client: Client, alice: Person, rows: Reader) -> App:
    """Prepare a user without a phone in an app that registers on login."""
    client.log_in(alice, ACME_CLUB)
    return ACME_CLUB


@pytest.mark.parametrize(
    "prepare",
    [
        *(new_identity, new_identity_in_an_app_that_registers),
        *(unbound, unbound_without_unionid),
        *(bound, bound_with_one_session_left, bound_without_a_limit),
        bound_in_an_app_that_registers,
    ],
)
def test_fast_path_and_general_path_have_the_same_response_rows_and_metrics(
    prepare: Callable[[Client, Person, Reader], App],
    app: Flask,
    client: Client,
    alice: Person,
    rows: Reader,
) -> None:
    mini_program = prepare(client, alice, rows)

    def log_in() -> Outcome:
        request = partial(client.post, "login", app=mini_program)
        began, undone = datetime.now(UTC), partial(transactions_rolled_back, app)
        return outcome_of(
            app, rows, began, undone, lambda: request(code=alice.wx_login(mini_program))
        )

    with fast_path_only():
        fast = log_in()
    with general_path_only():
        assert log_in() == fast
    assert fast.response[0] == 200
    assert {"login_sessions", "session_keys", "social_accounts"} <= set(fast.rows)


# Concurrent changes


@contextmanager
def audit_log_locked(app: Flask) -> Iterator[Callable[[int], None]]:
    """Block all transactions that write to the audit log.

    Yields a function that waits until the given number of connections are blocked.
    """
    url = app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    with psycopg.connect(url) as barrier, psycopg.connect(url, autocommit=True) as watch:
        barrier.execute("LOCK TABLE audit_events IN SHARE MODE")
        waiting = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )

        def wait_for(how_many: int) -> None:
            until(lambda: watch.execute(waiting).fetchone() == (how_many,))

        yield wait_for


@dataclass
class BoundUser:
    """A bound user, with the app, rows and token that the changes below need."""

    app: Flask
    rows: Reader
    token: str

    @property
    def ids(self) -> tuple[UUID, UUID, UUID, str]:
        """Return the ids of tenant, user and social account, and the openid."""
        return self.rows(
            "SELECT tenant_id, user_id, id, openid FROM social_accounts WHERE user_id IS NOT NULL"
        )[0]

    def by_operator(self, change: Callable[..., object], *what: object) -> None:
        """Apply a change as an operator."""
        with self.app.app_context():
            change(
                TenantScope(
                    audit.OPERATOR, self.ids[0], "acme", may_change=True, is_platform=False
                ),
                *what,
            )


def unbind(user: BoundUser) -> None:
    """Unbind the identity as the user."""
    assert Client(user.app).post("unbind", user.token).status_code == 200


def unlink_by_operator(user: BoundUser) -> None:
    """Unbind the identity as an operator."""
    user.by_operator(unbind_identity, *user.ids[1:3])


def close_account(user: BoundUser) -> None:
    """Close the account as the user."""
    assert Client(user.app).send("DELETE", "/v1/me", user.token).status_code == 200


def disable_user(user: BoundUser) -> None:
    """Disable the user as an operator."""
    user.by_operator(set_user_status, user.ids[1], "disabled")


def merge_user(user: BoundUser) -> None:
    """Merge the user into another as an operator."""
    ((into,),) = user.rows("SELECT id FROM users WHERE account = 'alice'")
    user.by_operator(merge_users, user.ids[1], into)


def cancel_wechat_account(user: BoundUser) -> None:
    """Receive the push about a cancelled WeChat account, which erases the identity."""
    left = event("user_authorization_cancellation", OpenID=user.ids[3])
    assert Portal(Client(user.app)).push(left).status_code == 200


def revoke_phone(user: BoundUser) -> None:
    """Receive the push about a revoked phone number."""
    revocation = event(OpenID=user.ids[3], RevokeInfo="8")
    assert Portal(Client(user.app)).push(revocation).status_code == 200


ACTIVE_SESSIONS = (
    "SELECT user_id IS NOT NULL FROM login_sessions WHERE ended_at IS NULL ORDER BY id"
)
Change = Callable[[BoundUser], None]


# Whether a login during the change is bound, or its error code, and whether each active session is
# bound afterwards.
EXPECTED = pytest.mark.parametrize(
    ("change", "expected"),
    [
        (unbind, (False, [False, False])),
        (unlink_by_operator, (False, [False])),
        (close_account, (True, [True])),
        (disable_user, ("user_disabled", [])),
        (merge_user, (True, [True])),
        (cancel_wechat_account, (False, [False])),
        (revoke_phone, (True, [True, True])),
    ],
)


@pytest.fixture
def user(app: Flask, client: Client, alice: Person, rows: Reader) -> BoundUser:
    """Return Alice, a user with a phone."""
    enter_user(app, account="alice", password=GOOD_PASSWORD)
    configure(app)
    return BoundUser(app, rows, client.bind(alice)["token"])


def result_of(answer: TestResponse, rows: Reader) -> tuple[bool | str, list[bool]]:
    """Return whether the login is bound, or its error code, and whether each session is bound.

    Only active sessions are returned. Checks that a bound session belongs to an active user.
    """
    active = [is_bound for (is_bound,) in rows(ACTIVE_SESSIONS)]
    if answer.status_code != 200:
        return failure(answer)[1], active
    if answer.json["bound"]:
        (its,) = rows(
            "SELECT users.id::text, status, erase_after IS NULL FROM users"
            " JOIN social_accounts ON user_id = users.id"
        )
        assert its == (answer.json["user"]["id"], "active", True)
        assert Client(rows.app).me(answer.json["token"]).json["id"] == its[0]
    return answer.json["bound"], active


@EXPECTED
def test_login_that_waits_for_a_concurrent_change_uses_the_changed_state(
    change: Change, expected: Any, app: Flask, client: Client, alice: Person, user: BoundUser
) -> None:
    code = alice.wx_login()
    with ThreadPoolExecutor() as pool, audit_log_locked(app) as wait_for:
        changing = pool.submit(change, user)
        wait_for(1)
        answering = pool.submit(client.post, "login", code=code)
        wait_for(2)
    changing.result()
    assert result_of(answering.result(), user.rows) == expected


def change_after_the_read(
    monkeypatch: pytest.MonkeyPatch, change: Callable[..., object], *args: object, **kwargs: object
) -> None:
    """Run a change between the read and the write of the fast path."""
    prepare = fast_path._values

    def change_first(*entry: Any) -> dict[str, Any]:
        with ThreadPoolExecutor() as pool:
            pool.submit(change, *args, **kwargs).result()
        return prepare(*entry)

    monkeypatch.setattr(fast_path, "_values", change_first)


@EXPECTED
def test_login_uses_the_changed_state_if_a_change_commits_after_its_read(
    change: Change,
    expected: Any,
    client: Client,
    alice: Person,
    user: BoundUser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = alice.wx_login()
    change_after_the_read(monkeypatch, change, user)
    assert result_of(client.post("login", code=code), user.rows) == expected


@pytest.mark.parametrize("mini_program", [ACME_SHOP, ACME_CLUB], ids=["here", "by unionid"])
def test_login_is_bound_to_a_user_linked_between_its_read_and_its_write(
    mini_program: App, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, code = client.log_in(alice, mini_program)["token"], alice.wx_login()
    tap = alice.tap_phone_new(mini_program)
    change_after_the_read(monkeypatch, client.post, "phone", token, mini_program, **tap)
    answer = client.post("login", code=code)
    assert answer.json["bound"] is True
    assert rows.count("users") == 1


def test_login_without_unionid_is_bound_to_a_user_linked_after_its_read(
    client: Client, alice: Person, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    wechat.fault("no_unionid", times=2)
    token, code = client.log_in(alice)["token"], alice.wx_login()
    change_after_the_read(monkeypatch, client.post, "phone", token, **alice.tap_phone_new())
    assert client.post("login", code=code).json["bound"] is True


def test_login_that_waits_for_an_unrelated_change_stays_on_the_fast_path(
    app: Flask, client: Client, alice: Person, user: BoundUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "_general_login", None)
    code, url = alice.wx_login(), app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    others = psycopg.connect(url)
    with ThreadPoolExecutor() as pool, audit_log_locked(app) as wait_for, others as other:
        other.execute("UPDATE social_accounts SET last_login_at = 'epoch'")
        other.execute("UPDATE users SET level = 7")
        answering = pool.submit(client.post, "login", code=code)
        wait_for(1)
    assert answering.result().json["bound"] is True
    (moments,) = user.rows(
        "SELECT its.last_login_at > now() - interval '1 minute', users.last_login_at ="
        " its.last_login_at, level FROM users JOIN social_accounts AS its ON user_id = users.id"
    )
    assert moments == (True, True, 7)


def test_login_of_a_disabled_user_writes_nothing(
    client: Client, alice: Person, user: BoundUser, rows: Reader
) -> None:
    disable_user(user)
    code, before = alice.wx_login(), read_tables(rows)
    assert failure(client.post("login", code=code)) == (403, "user_disabled")
    assert changes(before, read_tables(rows)) == {}


def test_login_is_retried_after_a_deadlock(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """PostgreSQL aborts the login, and the other transaction commits."""
    client.bind(alice)
    code, url = alice.wx_login(), app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    with ThreadPoolExecutor() as pool, psycopg.connect(url) as other:
        other.execute("SET deadlock_timeout = '1min'")  # The login detects the deadlock.
        other.execute("SELECT FROM users FOR UPDATE")
        with audit_log_locked(app) as wait_for:
            answering = pool.submit(client.post, "login", code=code)
            wait_for(1)
        other.execute("SELECT FROM social_accounts FOR UPDATE")
        other.commit()
    assert answering.result().json["bound"] is True
    assert rows.count("login_sessions", "ended_at IS NULL") == 2


def test_token_is_refused_if_the_app_was_disabled_during_the_code_exchange(
    app: Flask, client: Client, alice: Person, wechat: WeChat
) -> None:
    client.bind(alice)
    code = alice.wx_login()
    wechat.fault("slow", seconds=1)
    asked = len(wechat.calls())
    with ThreadPoolExecutor() as pool, app.app_context():
        answering = pool.submit(client.post, "login", code=code)
        until(lambda: len(wechat.calls()) > asked)
        set_app_enabled(ACME_SHOP.appid, enabled=False)
    token = answering.result().json["token"]
    assert failure(client.me(token)) == (403, "app_disabled")


@pytest.mark.parametrize("released", [ACME_SHOP, ACME_CLUB], ids=["unbound", "registered"])
def test_first_login_is_refused_if_a_release_of_the_app_begins_after_the_read(
    client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch, released: App
) -> None:
    """The release may have moved an account of the same person, with which this one collides."""
    code = alice.wx_login(released)
    begin_release = "UPDATE wechat_apps SET enabled = false, released_at = now() WHERE appid = :a"
    change_after_the_read(monkeypatch, rows, begin_release, a=released.appid)
    assert failure(client.post("login", app=released, code=code)) == (404, "app_unknown")
    assert [rows.count(table) for table in ("users", "social_accounts", "login_sessions")] == [
        0
    ] * 3


def test_login_creates_a_new_identity_if_the_old_one_is_erased_after_the_read(
    client: Client, alice: Person, app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(app)
    client.log_in(alice)
    ((erased, openid),) = rows("SELECT id, openid FROM social_accounts")
    code, left = alice.wx_login(), event("user_authorization_cancellation", OpenID=openid)
    change_after_the_read(monkeypatch, Portal(Client(app)).push, left)
    assert client.post("login", code=code).json["bound"] is False
    ((came,),) = rows("SELECT id FROM social_accounts")
    assert came != erased
    assert rows.count("session_keys") == rows.count("login_sessions") == 1


def test_fast_registration_waits_for_a_general_login_of_the_same_person(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both lock the unionid before the account, so the two logins do not deadlock."""
    codes = [alice.wx_login(ACME_CLUB) for _ in range(2)]
    url = app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    has_account, may_continue = Event(), Event()
    keep_session_key = login.keep_session_key

    def wait_with_the_account(*arguments: Any) -> None:
        has_account.set()
        assert may_continue.wait(10)
        keep_session_key(*arguments)

    monkeypatch.setattr(login, "keep_session_key", wait_with_the_account)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor() as pool, psycopg.connect(url, autocommit=True) as watch:
        path, query = f"/wx/user/{ACME_CLUB.appid}/login", {"code": codes[0]}
        general = pool.submit(Client(app).send, "GET", path, query_string=query)
        assert has_account.wait(10)
        fast = pool.submit(Client(app).post, "login", app=ACME_CLUB, code=codes[1])
        until(lambda: watch.execute(waiting).fetchone() != (0,))
        began = time.monotonic()
        may_continue.set()
        assert fast.result().json["bound"] is True
        assert time.monotonic() - began < 0.9, "PostgreSQL detects a deadlock after a second"
    assert general.result().json["code"] == 200
    assert rows.count("users") == 1
