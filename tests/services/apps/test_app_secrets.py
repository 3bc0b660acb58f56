"""Changing an AppSecret: nobody's login fails, and whoever acts at once promotes it once."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask

from app.errors import SecretInUse
from app.services.apps.app_secrets import (
    get_secrets,
    promote_next_secret,
    set_next_secret,
    set_secret,
)
from app.services.apps.app_verification import verify_app
from app.services.encryption.key_rotation import rotate_keys
from config import Config
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, Client, Person, Reader, WeChat, failure
from tests.services.login.test_concurrency import run_concurrently
from tests.test_logs import Captured, captured, everything

OLD, NEW, OTHER = ACME_SHOP.secret, "e1" * 16, "e2" * 16
__all__ = ["captured", "everything"]
LOGIN, FETCH = "/sns/jscode2session", "/cgi-bin/stable_token"


@dataclass
class TenantScope:
    """The two places where an AppSecret is changed: WeChat's console, and ours."""

    app: Flask
    wechat: WeChat
    rows: Reader

    def reset(self, secret: str) -> None:
        """Reset the AppSecret in WeChat's console."""
        self.wechat.control("app-secret", appid=ACME_SHOP.appid, secret=secret)

    def keep(self, secret: str | None) -> None:
        """Keep a next AppSecret, as an operator does."""
        with self.app.app_context():
            set_next_secret(ACME_SHOP.appid, secret)

    def kept(self) -> tuple[str, str | None]:
        """Read the AppSecret in use, and the next."""
        with self.app.app_context():
            secrets = get_secrets(ACME_SHOP.appid)
        return secrets.current, secrets.next

    def promotions(self) -> list[tuple[str, str]]:
        """List who promoted what."""
        told = "SELECT actor_kind, subject FROM audit_events WHERE action = 'app.secret_promoted'"
        return [(kind, subject) for kind, subject in self.rows(told)]


@pytest.fixture
def scope(app: Flask, wechat: WeChat, rows: Reader) -> Iterator[TenantScope]:
    """Give both places; WeChat has the old AppSecret again after the test."""
    scope = TenantScope(app, wechat, rows)
    yield scope
    scope.reset(OLD)


def paths(wechat: WeChat) -> list[str]:
    """List the calls that WeChat received."""
    return [call["path"] for call in wechat.calls()]


def test_no_login_fails_while_the_secret_is_changed(
    client: Client, wechat: WeChat, alice: Person, bob: Person, scope: TenantScope
) -> None:
    """Otherwise a secret is only changed at night."""
    client.log_in(alice)
    scope.keep(NEW)
    client.log_in(alice)
    assert scope.kept() == (OLD, NEW)
    assert scope.promotions() == []

    scope.reset(NEW)
    code = bob.wx_login()
    assert client.post("login", code=code).status_code == 200
    assert scope.kept() == (NEW, None)
    assert scope.promotions() == [("system", ACME_SHOP.appid)]
    client.log_in(alice)
    assert paths(wechat) == [LOGIN] * 5, "the rejected secret is tried once"


def test_no_phone_fails_while_the_secret_is_changed(
    client: Client, wechat: WeChat, alice: Person, scope: TenantScope
) -> None:
    """Otherwise phones fail until the next login, which may be of nobody."""
    token = client.log_in(alice)["token"]
    scope.keep(NEW)
    scope.reset(NEW)
    assert client.post("phone", token, **alice.tap_phone_new()).status_code == 200
    assert scope.kept() == (NEW, None)
    assert scope.promotions() == [("system", ACME_SHOP.appid)]
    assert paths(wechat).count(FETCH) == 2


def test_a_dead_access_token_is_healed_when_the_secret_was_reset_too(
    client: Client, wechat: WeChat, alice: Person, scope: TenantScope
) -> None:
    """Otherwise whoever resets a leaked secret kills the phones."""
    token = client.bind(alice)["token"]
    scope.keep(NEW)
    scope.reset(NEW)
    wechat.fault("errcode", "/wxa/business/getuserphonenumber", errcode=40001, times=1)
    assert client.post("phone", token, **alice.tap_phone_new()).status_code == 200
    assert wechat.calls()[-2]["body"].count("force_refresh") == 1


def test_a_next_secret_that_is_wrong_takes_nobodys_place(
    client: Client, wechat: WeChat, alice: Person, scope: TenantScope
) -> None:
    """Otherwise a slip of the pen is in use before anybody looks."""
    scope.keep(OTHER)
    scope.reset(NEW)
    code = alice.wx_login()
    refused = client.post("login", code=code)
    assert failure(refused) == (502, "wechat_app_misconfigured")
    assert scope.kept() == (OLD, OTHER)
    assert scope.promotions() == []
    assert paths(wechat) == [LOGIN] * 2

    scope.keep(NEW)
    assert client.post("login", code=code).status_code == 200, "the code is used up"


@pytest.mark.parametrize("errcode", [40013, 40164, 40243, -1, 45011, 40029])
def test_a_next_secret_is_tried_for_no_other_refusal(
    errcode: int, client: Client, wechat: WeChat, alice: Person, scope: TenantScope
) -> None:
    """Otherwise trouble of any kind doubles the calls, and may spend a code."""
    scope.keep(NEW)
    wechat.fault("errcode", errcode=errcode)
    assert client.post("login", code=alice.wx_login()).status_code >= 400
    assert paths(wechat) == [LOGIN]
    assert scope.kept() == (OLD, NEW)


@pytest.mark.parametrize("kind", ["busy", "rate_limited", "blocked"])
def test_a_next_secret_is_not_promoted_without_success(
    kind: str, client: Client, wechat: WeChat, alice: Person, scope: TenantScope
) -> None:
    """Otherwise one that WeChat has not accepted comes into use."""
    scope.keep(NEW)
    wechat.fault("errcode", errcode=40125, times=1)
    wechat.fault(kind, times=1)
    assert client.post("login", code=alice.wx_login()).status_code >= 400
    assert paths(wechat) == [LOGIN] * 2
    assert scope.kept() == (OLD, NEW)


def test_a_secret_that_an_operator_enters_meanwhile_is_used_at_once(
    app: Flask,
    client: Client,
    alice: Person,
    wechat: WeChat,
    monkeypatch: pytest.MonkeyPatch,
    scope: TenantScope,
) -> None:
    """Otherwise a login that had begun fails, for which the right secret was there in time."""
    scope.reset(NEW)
    honest = get_secrets

    def meanwhile(appid: str, tenant_id: UUID) -> object:
        set_secret(appid, NEW)
        return honest(appid, tenant_id)

    monkeypatch.setattr("app.services.apps.wechat_calls.get_secrets", meanwhile)
    assert client.post("login", code=alice.wx_login()).status_code == 200
    assert scope.kept() == (NEW, None)
    assert paths(wechat) == [LOGIN] * 2


def test_a_promotion_undoes_nothing_that_an_operator_did_meanwhile(
    app: Flask, rows: Reader, scope: TenantScope
) -> None:
    """Otherwise a slow login puts a secret in use that was taken back."""
    scope.keep(NEW)
    with app.app_context():
        seen = get_secrets(ACME_SHOP.appid)
        for now_kept in (OTHER, None):
            set_next_secret(ACME_SHOP.appid, now_kept)
            promote_next_secret(ACME_SHOP.appid, seen)
            assert get_secrets(ACME_SHOP.appid).current == OLD
        assert rows("SELECT action FROM audit_events ORDER BY id DESC LIMIT 2") == [
            ("app.next_secret_removed",),
            ("app.next_secret_set",),
        ]
        set_secret(ACME_SHOP.appid, OTHER)
        set_next_secret(ACME_SHOP.appid, NEW)
        promote_next_secret(ACME_SHOP.appid, seen)
    assert scope.kept() == (OTHER, NEW)
    assert scope.promotions() == []


def test_a_second_reset_during_a_login_is_not_undone_by_it(
    app: Flask,
    client: Client,
    wechat: WeChat,
    alice: Person,
    monkeypatch: pytest.MonkeyPatch,
    scope: TenantScope,
) -> None:
    """Otherwise a secret that WeChat has taken back replaces the right one, and nobody logs in."""
    scope.keep(NEW)
    scope.reset(NEW)
    honest = promote_next_secret

    def meanwhile(*given: Any) -> None:
        scope.reset(OTHER)
        set_secret(ACME_SHOP.appid, OTHER)
        honest(*given)

    monkeypatch.setattr("app.services.apps.wechat_calls.promote_next_secret", meanwhile)
    client.log_in(alice)
    assert scope.kept() == (OTHER, None)
    client.log_in(alice)
    assert paths(wechat) == [LOGIN] * 3
    assert scope.promotions() == []


def test_a_replaced_secret_takes_the_next_one_with_it(
    client: Client, wechat: WeChat, alice: Person, rows: Reader, scope: TenantScope
) -> None:
    """Otherwise a secret of long ago is tried with each code as soon as WeChat rejects this one."""
    scope.keep(NEW)
    with scope.app.app_context():
        assert set_secret(ACME_SHOP.appid, OTHER)
        assert not set_secret(ACME_SHOP.appid, OTHER)
    assert scope.kept() == (OTHER, None)
    told = rows("SELECT action FROM audit_events ORDER BY id DESC LIMIT 3")
    assert {action for (action,) in told} == {"app.secret_replaced", "app.next_secret_removed"}
    refused = client.post("login", code=alice.wx_login())
    assert failure(refused) == (502, "wechat_app_misconfigured")
    assert paths(wechat) == [LOGIN]


def test_the_secret_in_use_cannot_follow_itself(scope: TenantScope, rows: Reader) -> None:
    """Otherwise an operator who copied the old one believes that a reset is safe."""
    scope.keep(NEW)
    audited = rows.count("audit_events")
    with pytest.raises(SecretInUse):
        scope.keep(OLD)
    assert scope.kept() == (OLD, NEW)
    assert rows.count("audit_events") == audited


AWKWARD = ("a%2Bb+c&secret=d#e?f", "%", "+" * 32, '"\\/{appid}<x>', "!" * 128)


@pytest.mark.parametrize("secret", AWKWARD)
def test_a_secret_of_any_characters_arrives_as_it_is(
    secret: str, client: Client, alice: Person, scope: TenantScope
) -> None:
    """Otherwise a query or a body changes it on the way, and WeChat rejects what is right."""
    scope.keep(secret)
    scope.reset(secret)
    client.bind(alice)
    assert scope.kept() == (secret, None)
    client.log_in(alice)
    with scope.app.app_context():
        assert [one.outcome for one in verify_app(ACME_SHOP.appid)] == ["right"]


def test_no_secret_of_a_change_is_in_an_answer_or_in_the_log(
    client: Client, wechat: WeChat, alice: Person, everything: Captured, scope: TenantScope
) -> None:
    """Otherwise the log has the AppSecret of tomorrow."""
    scope.keep(NEW)
    told = ""
    for secret in (OTHER, NEW):
        scope.reset(secret)
        token = client.post("login", code=alice.wx_login())
        told += token.text
    wechat.fault("drop", times=1)
    told += client.post("login", code=alice.wx_login()).text
    with scope.app.app_context():
        told += str(verify_app(ACME_SHOP.appid)) + repr(get_secrets(ACME_SHOP.appid))
    assert scope.kept() == (NEW, None)
    assert "app_secret_rejected" in everything.text
    for secret in (OLD, NEW, OTHER):
        assert secret not in everything.text + told


def test_two_tenants_with_one_secret_are_changed_apart(
    client: Client, app: Flask, alice: Person, scope: TenantScope
) -> None:
    """Otherwise one tenant's reset promotes the other's next secret."""
    with app.app_context():
        set_next_secret(GLOBEX_LIFE.appid, NEW)
    scope.keep(NEW)
    scope.reset(NEW)
    client.log_in(alice)
    with app.app_context():
        others = get_secrets(GLOBEX_LIFE.appid)
    assert (others.current, others.next) == (GLOBEX_LIFE.secret, NEW)


def test_nothing_of_another_app_is_changed(
    client: Client, alice: Person, rows: Reader, scope: TenantScope
) -> None:
    """Otherwise one tenant's change ends another's logins."""
    others = "SELECT * FROM wechat_apps WHERE appid <> :appid ORDER BY appid"
    before = rows(others, appid=ACME_SHOP.appid)
    scope.keep(NEW)
    scope.reset(NEW)
    client.log_in(alice)
    client.log_in(alice, GLOBEX_LIFE)
    assert rows(others, appid=ACME_SHOP.appid) == before


@pytest.mark.real_commits
def test_many_who_log_in_at_once_promote_it_once(
    app: Flask, alice: Person, scope: TenantScope
) -> None:
    """Otherwise the moment of the reset is seen by those who log in just then."""
    scope.keep(NEW)
    codes = [alice.wx_login() for _ in range(20)]
    acts = [lambda c=code: Client(app).post("login", code=c).status_code for code in codes]
    assert run_concurrently([*acts[:10], lambda: scope.reset(NEW), *acts[10:]]).count(200) == 20
    Client(app).log_in(alice)
    assert scope.kept() == (NEW, None)
    assert scope.promotions() == [("system", ACME_SHOP.appid)]


@pytest.mark.real_commits
def test_a_next_secret_is_promoted_while_keys_rotate(
    app: Flask, alice: Person, scope: TenantScope
) -> None:
    """Otherwise its new ciphertext is taken for another secret, and every login tries two."""
    scope.keep(NEW)
    scope.reset(NEW)

    def rotate() -> None:
        with app.app_context():
            list(rotate_keys())

    with ThreadPoolExecutor(1) as pool:
        rotating = pool.submit(rotate)
        Client(app).log_in(alice)
        rotating.result()
    Client(app).log_in(alice)
    assert scope.kept() == (NEW, None)


@pytest.mark.real_commits
def test_a_login_that_is_under_way_holds_up_no_change(
    app: Flask, config: Config, wechat: WeChat, alice: Person, scope: TenantScope
) -> None:
    """Otherwise one stuck login keeps the next secret waiting, and everybody's login with it."""
    scope.keep(NEW)
    scope.reset(NEW)
    with psycopg.connect(config.database_url.replace("+psycopg", "")) as login:
        login.execute("SELECT FROM wechat_apps FOR KEY SHARE")
        began = time.monotonic()
        Client(app).log_in(alice)
        assert time.monotonic() - began < 12, "a statement that waits is given up after 15 s"
    assert scope.kept() == (NEW, None)


@pytest.mark.real_commits
def test_no_login_waits_for_somebody_who_changes_the_app(
    app: Flask, config: Config, wechat: WeChat, alice: Person, scope: TenantScope
) -> None:
    """Otherwise an operator's open transaction stops every login after a reset."""
    scope.keep(NEW)
    scope.reset(NEW)
    with psycopg.connect(config.database_url.replace("+psycopg", "")) as operator:
        operator.execute("UPDATE wechat_apps SET name = name")
        began = time.monotonic()
        Client(app).log_in(alice)
        assert time.monotonic() - began < 12, "a statement that waits is given up after 15 s"
        assert scope.kept() == (OLD, NEW)
    Client(app).log_in(alice)
    assert scope.kept() == (NEW, None)
    assert len(scope.promotions()) == 1


def test_a_process_that_dies_before_the_promotion_leaves_it_to_the_next(
    client: Client, alice: Person, monkeypatch: pytest.MonkeyPatch, scope: TenantScope
) -> None:
    """Otherwise a secret that works is lost between two places."""

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    scope.keep(NEW)
    scope.reset(NEW)
    with monkeypatch.context() as patch:
        patch.setattr("app.services.apps.wechat_calls.promote_next_secret", cut)
        with pytest.raises(KeyboardInterrupt):
            client.post("login", code=alice.wx_login())
    assert scope.kept() == (OLD, NEW)
    client.log_in(alice)
    assert scope.kept() == (NEW, None)
    assert len(scope.promotions()) == 1
