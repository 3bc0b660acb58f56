"""The fast path of logins writes what the general path writes, or nothing."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
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
    taken_back,
)
from tests.fixtures.portal import Portal, configure, event
from tests.fixtures.tables import changes, read_tables
from tests.fixtures.waiting import until

pytestmark = pytest.mark.real_commits


def stranger(client: Client, alice: Person, rows: Reader) -> App:
    """Nobody knows her."""
    return ACME_SHOP


def unbound(client: Client, alice: Person, rows: Reader) -> App:
    """She has been here four times, and never said who she is."""
    for _ in range(4):
        client.log_in(alice)
    return ACME_SHOP


def unbound_without_unionid(client: Client, alice: Person, rows: Reader) -> App:
    """When she was here, WeChat did not tell her unionid yet."""
    client.log_in(alice)
    rows("UPDATE social_accounts SET unionid = NULL")
    return ACME_SHOP


def bound(client: Client, alice: Person, rows: Reader) -> App:
    """She has a phone and a name, and was here four times."""
    token = client.bind(alice)["token"]
    client.post("profile", token, nickname="Alice", avatar_url="https://example.org/a.png")
    for _ in range(4):
        client.log_in(alice)
    return ACME_SHOP


def bound_with_one_place_left(client: Client, alice: Person, rows: Reader) -> App:
    """She has one session less than the app allows."""
    place = bound(client, alice, rows)
    rows("UPDATE wechat_apps SET session_limit = 6")
    return place


def bound_without_a_limit(client: Client, alice: Person, rows: Reader) -> App:
    """She may have as many sessions as she likes."""
    place = bound(client, alice, rows)
    rows("UPDATE wechat_apps SET unlimited_sessions = true")
    return place


def bound_in_an_app_that_registers(client: Client, alice: Person, rows: Reader) -> App:
    """She is a user by having logged in, without a phone."""
    client.log_in(alice, ACME_CLUB)
    return ACME_CLUB


@pytest.mark.parametrize(
    "prepare",
    [
        *(stranger, unbound, unbound_without_unionid),
        *(bound, bound_with_one_place_left, bound_without_a_limit),
        bound_in_an_app_that_registers,
    ],
)
def test_both_paths_write_answer_and_count_the_same(
    prepare: Callable[[Client, Person, Reader], App],
    app: Flask,
    client: Client,
    alice: Person,
    rows: Reader,
) -> None:
    place = prepare(client, alice, rows)

    def enter() -> Outcome:
        request = partial(client.post, "login", app=place)
        began, undone = datetime.now(UTC), partial(taken_back, app)
        return outcome_of(app, rows, began, undone, lambda: request(code=alice.wx_login(place)))

    with fast_path_only():
        fast = enter()
    with general_path_only():
        assert enter() == fast
    assert fast.response[0] == 200
    assert {"login_sessions", "session_keys", "social_accounts"} <= set(fast.rows)


# Against everything that takes away what a login stands on


@contextmanager
def stopped_before_its_end(app: Flask) -> Iterator[Callable[[int], None]]:
    """Stop whoever writes the audit trail, with all their locks; gives how to wait for stopped."""
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
class Known:
    """Alice, bound; and what somebody needs to change something about her."""

    app: Flask
    rows: Reader
    token: str

    @property
    def ids(self) -> tuple[UUID, UUID, UUID, str]:
        """Give tenant, user, social account and openid."""
        return self.rows(
            "SELECT tenant_id, user_id, id, openid FROM social_accounts WHERE user_id IS NOT NULL"
        )[0]

    def by_operator(self, change: Callable[..., object], *what: object) -> None:
        """Do something as an operator."""
        with self.app.app_context():
            change(TenantScope(audit.OPERATOR, self.ids[0], "acme", may_change=True), *what)


def unbind(known: Known) -> None:
    """She leaves the mini-program."""
    assert Client(known.app).post("unbind", known.token).status_code == 200


def unlink_by_operator(known: Known) -> None:
    """Somebody frees her identity."""
    known.by_operator(unbind_identity, *known.ids[1:3])


def close(known: Known) -> None:
    """She closes her account."""
    assert Client(known.app).send("DELETE", "/v1/me", known.token).status_code == 200


def disable(known: Known) -> None:
    """Somebody disables her."""
    known.by_operator(set_user_status, known.ids[1], "disabled")


def merge(known: Known) -> None:
    """Somebody finds that she is the owner of an account."""
    ((into,),) = known.rows("SELECT id FROM users WHERE account = 'alice'")
    known.by_operator(merge_users, known.ids[1], into)


def leave_wechat(known: Known) -> None:
    """She gives WeChat up, and is erased."""
    left = event("user_authorization_cancellation", OpenID=known.ids[3])
    assert Portal(Client(known.app)).push(left).status_code == 200


def withdraw(known: Known) -> None:
    """She takes her phone back."""
    taken_back = event(OpenID=known.ids[3], RevokeInfo="8")
    assert Portal(Client(known.app)).push(taken_back).status_code == 200


LIVING = "SELECT user_id IS NOT NULL FROM login_sessions WHERE ended_at IS NULL ORDER BY id"
Change = Callable[[Known], None]


# How a login is answered that met the change, and which sessions live then.
CAME_OF_IT = pytest.mark.parametrize(
    ("change", "came_of_it"),
    [
        (unbind, (False, [False, False])),
        (unlink_by_operator, (False, [False])),
        (close, (True, [True])),
        (disable, ("user_disabled", [])),
        (merge, (True, [True])),
        (leave_wechat, (False, [False])),
        (withdraw, (True, [True, True])),
    ],
)


@pytest.fixture
def known(app: Flask, client: Client, alice: Person, rows: Reader) -> Known:
    """Alice, who is a user by her phone."""
    enter_user(app, account="alice", password=GOOD_PASSWORD)
    configure(app)
    return Known(app, rows, client.bind(alice)["token"])


def seen(answer: TestResponse, rows: Reader) -> tuple[bool | str, list[bool]]:
    """Say what came of a login; whoever is in is a user who is there."""
    living = [is_bound for (is_bound,) in rows(LIVING)]
    if answer.status_code != 200:
        return failure(answer)[1], living
    if answer.json["bound"]:
        (its,) = rows(
            "SELECT users.id::text, status, erase_after IS NULL FROM users"
            " JOIN social_accounts ON user_id = users.id"
        )
        assert its == (answer.json["user"]["id"], "active", True)
        assert Client(rows.app).me(answer.json["token"]).json["id"] == its[0]
    return answer.json["bound"], living


@CAME_OF_IT
def test_a_login_that_waited_for_a_change_stands_on_what_came_of_it(
    change: Change, came_of_it: Any, app: Flask, client: Client, alice: Person, known: Known
) -> None:
    """Otherwise somebody is logged in as whom they no longer are, or may no longer be."""
    code = alice.wx_login()
    with ThreadPoolExecutor() as pool, stopped_before_its_end(app) as wait_for:
        changing = pool.submit(change, known)
        wait_for(1)
        answering = pool.submit(client.post, "login", code=code)
        wait_for(2)
    changing.result()
    assert seen(answering.result(), known.rows) == came_of_it


def after_the_look(
    monkeypatch: pytest.MonkeyPatch, change: Callable[..., object], *what: object, **how: object
) -> None:
    """Let something happen between the look and the entrance."""
    prepare = fast_path._values

    def change_first(*entry: Any) -> dict[str, Any]:
        with ThreadPoolExecutor() as pool:
            pool.submit(change, *what, **how).result()
        return prepare(*entry)

    monkeypatch.setattr(fast_path, "_values", change_first)


@CAME_OF_IT
def test_a_login_that_looked_before_a_change_stands_on_what_came_of_it(
    change: Change,
    came_of_it: Any,
    client: Client,
    alice: Person,
    known: Known,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the answer shows one user, and the session is another's."""
    code = alice.wx_login()
    after_the_look(monkeypatch, change, known)
    assert seen(client.post("login", code=code), known.rows) == came_of_it


@pytest.mark.parametrize("place", [ACME_SHOP, ACME_CLUB], ids=["here", "by unionid"])
def test_whoever_became_somebody_since_the_look_is_let_in_as_that(
    place: App, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a person is asked for what they have just given."""
    token, code = client.log_in(alice, place)["token"], alice.wx_login()
    tap = alice.tap_phone_new(place)
    after_the_look(monkeypatch, client.post, "phone", token, place, **tap)
    answer = client.post("login", code=code)
    assert answer.json["bound"] is True
    assert rows.count("users") == 1


def test_whoever_became_somebody_without_a_unionid_is_let_in_as_that(
    client: Client, alice: Person, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise tenants without an Open Platform account have it worse."""
    wechat.fault("no_unionid", times=2)
    token, code = client.log_in(alice)["token"], alice.wx_login()
    after_the_look(monkeypatch, client.post, "phone", token, **alice.tap_phone_new())
    assert client.post("login", code=code).json["bound"] is True


def test_a_login_that_waited_for_what_changes_nothing_about_it_still_goes_the_short_way(
    app: Flask, client: Client, alice: Person, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise people who log in twice at once cost as much as if nothing were known of them."""
    monkeypatch.setattr(login, "_general_login", None)
    code, url = alice.wx_login(), app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    others = psycopg.connect(url)
    with ThreadPoolExecutor() as pool, stopped_before_its_end(app) as wait_for, others as other:
        other.execute("UPDATE social_accounts SET last_login_at = 'epoch'")
        other.execute("UPDATE users SET last_login_at = 'epoch', level = 7")
        answering = pool.submit(client.post, "login", code=code)
        wait_for(1)
    assert answering.result().json["bound"] is True
    (moments,) = known.rows(
        "SELECT its.last_login_at > now() - interval '1 minute', users.last_login_at ="
        " its.last_login_at, level FROM users JOIN social_accounts AS its ON user_id = users.id"
    )
    assert moments == (True, True, 7)


def test_a_login_that_is_refused_leaves_no_trace(
    client: Client, alice: Person, known: Known, rows: Reader
) -> None:
    """Otherwise it looks as if a disabled person had been there."""
    disable(known)
    code, before = alice.wx_login(), read_tables(rows)
    assert failure(client.post("login", code=code)) == (403, "user_disabled")
    assert set(changes(before, read_tables(rows))) == {"code_exchanges"}


def test_whoever_is_in_a_deadlock_with_a_login_wins_and_so_does_the_login(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a person gets an error of ours because an operator was at work."""
    client.bind(alice)
    code, url = alice.wx_login(), app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    with ThreadPoolExecutor() as pool, psycopg.connect(url) as other:
        other.execute("SET deadlock_timeout = '1min'")  # it is the login that will notice
        other.execute("SELECT FROM users FOR UPDATE")
        with stopped_before_its_end(app) as wait_for:
            answering = pool.submit(client.post, "login", code=code)
            wait_for(1)
        other.execute("SELECT FROM social_accounts FOR UPDATE")
        other.commit()
    assert answering.result().json["bound"] is True
    assert rows.count("login_sessions", "ended_at IS NULL") == 2


def test_an_app_that_is_switched_off_on_the_way_lets_nobody_in(
    app: Flask, client: Client, alice: Person, wechat: WeChat
) -> None:
    """Otherwise a login that was on its way outlives the app."""
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


def test_an_erased_identity_does_not_come_back_by_a_login_that_looked_before(
    client: Client, alice: Person, app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise what the audit trail says of whom it forgot is of somebody who is there."""
    configure(app)
    client.log_in(alice)
    ((erased, openid),) = rows("SELECT id, openid FROM social_accounts")
    code, left = alice.wx_login(), event("user_authorization_cancellation", OpenID=openid)
    after_the_look(monkeypatch, Portal(Client(app)).push, left)
    assert client.post("login", code=code).json["bound"] is False
    ((came,),) = rows("SELECT id FROM social_accounts")
    assert came != erased
    assert rows.count("session_keys") == rows.count("login_sessions") == 1
