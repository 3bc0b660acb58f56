"""AppSecret rotation: the next secret, its promotion, and concurrent changes."""

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
class SecretRotation:
    """Changes of the shop's AppSecret in WeChat's console and in wxpass."""

    app: Flask
    wechat: WeChat
    rows: Reader

    def reset(self, secret: str) -> None:
        """Reset the AppSecret in WeChat's console."""
        self.wechat.control("app-secret", appid=ACME_SHOP.appid, secret=secret)

    def set_next(self, secret: str | None) -> None:
        """Set or remove the next AppSecret, as an operator does."""
        with self.app.app_context():
            set_next_secret(ACME_SHOP.appid, secret)

    def stored(self) -> tuple[str, str | None]:
        """Return the current and the next AppSecret that wxpass stores."""
        with self.app.app_context():
            secrets = get_secrets(ACME_SHOP.appid)
        return secrets.current, secrets.next

    def promotions(self) -> list[tuple[str, str]]:
        """Return actor kind and appid of each `app.secret_promoted` event in the audit log."""
        query = "SELECT actor_kind, subject FROM audit_events WHERE action = 'app.secret_promoted'"
        return [(kind, subject) for kind, subject in self.rows(query)]


@pytest.fixture
def rotation(app: Flask, wechat: WeChat, rows: Reader) -> Iterator[SecretRotation]:
    """Yield a `SecretRotation` for acme's shop. Restore WeChat's AppSecret after the test."""
    rotation = SecretRotation(app, wechat, rows)
    yield rotation
    rotation.reset(OLD)


def called_paths(wechat: WeChat) -> list[str]:
    """Return the paths of the calls that WeChat received."""
    return [call["path"] for call in wechat.calls()]


def test_logins_succeed_before_and_after_the_app_secret_is_reset(
    client: Client, wechat: WeChat, alice: Person, bob: Person, rotation: SecretRotation
) -> None:
    client.log_in(alice)
    rotation.set_next(NEW)
    client.log_in(alice)
    assert rotation.stored() == (OLD, NEW)
    assert rotation.promotions() == []

    rotation.reset(NEW)
    code = bob.wx_login()
    assert client.post("login", code=code).status_code == 200
    assert rotation.stored() == (NEW, None)
    assert rotation.promotions() == [("system", ACME_SHOP.appid)]
    client.log_in(alice)
    assert called_paths(wechat) == [LOGIN] * 5, "the rejected secret is tried once"


def test_phone_request_after_an_app_secret_reset_promotes_the_next_secret(
    client: Client, wechat: WeChat, alice: Person, rotation: SecretRotation
) -> None:
    token = client.log_in(alice)["token"]
    rotation.set_next(NEW)
    rotation.reset(NEW)
    assert client.post("phone", token, **alice.tap_phone_new()).status_code == 200
    assert rotation.stored() == (NEW, None)
    assert rotation.promotions() == [("system", ACME_SHOP.appid)]
    assert called_paths(wechat).count(FETCH) == 2


def test_rejected_access_token_is_replaced_after_an_app_secret_reset(
    client: Client, wechat: WeChat, alice: Person, rotation: SecretRotation
) -> None:
    token = client.bind(alice)["token"]
    rotation.set_next(NEW)
    rotation.reset(NEW)
    wechat.fault("errcode", "/wxa/business/getuserphonenumber", errcode=40001, times=1)
    assert client.post("phone", token, **alice.tap_phone_new()).status_code == 200
    assert wechat.calls()[-2]["body"].count("force_refresh") == 1


def test_next_app_secret_that_wechat_rejects_is_not_promoted(
    client: Client, wechat: WeChat, alice: Person, rotation: SecretRotation
) -> None:
    """The login code stays valid and can be used once the correct secret is entered."""
    rotation.set_next(OTHER)
    rotation.reset(NEW)
    code = alice.wx_login()
    refused = client.post("login", code=code)
    assert failure(refused) == (502, "wechat_app_misconfigured")
    assert rotation.stored() == (OLD, OTHER)
    assert rotation.promotions() == []
    assert called_paths(wechat) == [LOGIN] * 2

    rotation.set_next(NEW)
    assert client.post("login", code=code).status_code == 200, "the code is still valid"


@pytest.mark.parametrize("errcode", [40013, 40164, 40243, -1, 45011, 40029])
def test_next_secret_is_not_tried_after_errors_other_than_a_rejected_secret(
    errcode: int, client: Client, wechat: WeChat, alice: Person, rotation: SecretRotation
) -> None:
    """A second call after another error would double the calls and could use up the code."""
    rotation.set_next(NEW)
    wechat.fault("errcode", errcode=errcode)
    assert client.post("login", code=alice.wx_login()).status_code >= 400
    assert called_paths(wechat) == [LOGIN]
    assert rotation.stored() == (OLD, NEW)


@pytest.mark.parametrize("kind", ["busy", "rate_limited", "blocked"])
def test_next_app_secret_is_promoted_only_after_wechat_accepts_it(
    kind: str, client: Client, wechat: WeChat, alice: Person, rotation: SecretRotation
) -> None:
    rotation.set_next(NEW)
    wechat.fault("errcode", errcode=40125, times=1)
    wechat.fault(kind, times=1)
    assert client.post("login", code=alice.wx_login()).status_code >= 400
    assert called_paths(wechat) == [LOGIN] * 2
    assert rotation.stored() == (OLD, NEW)


def test_app_secret_replaced_during_a_login_is_used_by_that_login(
    app: Flask,
    client: Client,
    alice: Person,
    wechat: WeChat,
    monkeypatch: pytest.MonkeyPatch,
    rotation: SecretRotation,
) -> None:
    """The secret is replaced between WeChat's rejection and the second read of the database."""
    rotation.reset(NEW)
    original = get_secrets

    def get_secrets_after_a_change(appid: str, tenant_id: UUID) -> object:
        set_secret(appid, NEW)
        return original(appid, tenant_id)

    monkeypatch.setattr("app.services.apps.wechat_calls.get_secrets", get_secrets_after_a_change)
    assert client.post("login", code=alice.wx_login()).status_code == 200
    assert rotation.stored() == (NEW, None)
    assert called_paths(wechat) == [LOGIN] * 2


def test_promotion_of_the_next_secret_keeps_a_concurrent_change_by_an_operator(
    app: Flask, rows: Reader, rotation: SecretRotation
) -> None:
    """A promotion applies only if neither secret has changed since the login read them."""
    rotation.set_next(NEW)
    with app.app_context():
        seen = get_secrets(ACME_SHOP.appid)
        for changed_to in (OTHER, None):
            set_next_secret(ACME_SHOP.appid, changed_to)
            promote_next_secret(ACME_SHOP.appid, seen)
            assert get_secrets(ACME_SHOP.appid).current == OLD
        assert rows("SELECT action FROM audit_events ORDER BY id DESC LIMIT 2") == [
            ("app.next_secret_removed",),
            ("app.next_secret_set",),
        ]
        set_secret(ACME_SHOP.appid, OTHER)
        set_next_secret(ACME_SHOP.appid, NEW)
        promote_next_secret(ACME_SHOP.appid, seen)
    assert rotation.stored() == (OTHER, NEW)
    assert rotation.promotions() == []


def test_promotion_of_the_next_secret_keeps_a_secret_set_after_a_second_reset(
    app: Flask,
    client: Client,
    wechat: WeChat,
    alice: Person,
    monkeypatch: pytest.MonkeyPatch,
    rotation: SecretRotation,
) -> None:
    """WeChat's secret is reset again between WeChat's response and the promotion."""
    rotation.set_next(NEW)
    rotation.reset(NEW)
    original = promote_next_secret

    def promote_after_a_change(*given: Any) -> None:
        rotation.reset(OTHER)
        set_secret(ACME_SHOP.appid, OTHER)
        original(*given)

    monkeypatch.setattr(
        "app.services.apps.wechat_calls.promote_next_secret", promote_after_a_change
    )
    client.log_in(alice)
    assert rotation.stored() == (OTHER, None)
    client.log_in(alice)
    assert called_paths(wechat) == [LOGIN] * 3
    assert rotation.promotions() == []


def test_replacing_the_current_app_secret_deletes_the_next_app_secret(
    client: Client, wechat: WeChat, alice: Person, rows: Reader, rotation: SecretRotation
) -> None:
    rotation.set_next(NEW)
    with rotation.app.app_context():
        assert set_secret(ACME_SHOP.appid, OTHER)
        assert not set_secret(ACME_SHOP.appid, OTHER)
    assert rotation.stored() == (OTHER, None)
    latest = rows("SELECT action FROM audit_events ORDER BY id DESC LIMIT 3")
    assert {action for (action,) in latest} == {"app.secret_replaced", "app.next_secret_removed"}
    refused = client.post("login", code=alice.wx_login())
    assert failure(refused) == (502, "wechat_app_misconfigured")
    assert called_paths(wechat) == [LOGIN]


def test_current_app_secret_is_refused_as_the_next_app_secret(
    rotation: SecretRotation, rows: Reader
) -> None:
    rotation.set_next(NEW)
    audited = rows.count("audit_events")
    with pytest.raises(SecretInUse):
        rotation.set_next(OLD)
    assert rotation.stored() == (OLD, NEW)
    assert rows.count("audit_events") == audited


AWKWARD = ("a%2Bb+c&secret=d#e?f", "%", "+" * 32, '"\\/{appid}<x>', "!" * 128)


@pytest.mark.parametrize("secret", AWKWARD)
def test_app_secret_with_special_characters_reaches_wechat_unchanged(
    secret: str, client: Client, alice: Person, rotation: SecretRotation
) -> None:
    rotation.set_next(secret)
    rotation.reset(secret)
    client.bind(alice)
    assert rotation.stored() == (secret, None)
    client.log_in(alice)
    with rotation.app.app_context():
        assert [one.outcome for one in verify_app(ACME_SHOP.appid)] == ["right"]


def test_responses_and_logs_contain_no_app_secret_during_a_secret_change(
    client: Client, wechat: WeChat, alice: Person, everything: Captured, rotation: SecretRotation
) -> None:
    rotation.set_next(NEW)
    responses = ""
    for secret in (OTHER, NEW):
        rotation.reset(secret)
        token = client.post("login", code=alice.wx_login())
        responses += token.text
    wechat.fault("drop", times=1)
    responses += client.post("login", code=alice.wx_login()).text
    with rotation.app.app_context():
        responses += str(verify_app(ACME_SHOP.appid)) + repr(get_secrets(ACME_SHOP.appid))
    assert rotation.stored() == (NEW, None)
    assert "app_secret_rejected" in everything.text
    for secret in (OLD, NEW, OTHER):
        assert secret not in everything.text + responses


def test_promotion_of_the_next_secret_of_one_app_leaves_another_app_with_the_same_one(
    client: Client, app: Flask, alice: Person, rotation: SecretRotation
) -> None:
    """Two apps store the same next secret. Only the app whose secret was reset promotes it."""
    with app.app_context():
        set_next_secret(GLOBEX_LIFE.appid, NEW)
    rotation.set_next(NEW)
    rotation.reset(NEW)
    client.log_in(alice)
    with app.app_context():
        others = get_secrets(GLOBEX_LIFE.appid)
    assert (others.current, others.next) == (GLOBEX_LIFE.secret, NEW)


def test_promotion_of_the_next_secret_changes_no_row_of_other_apps(
    client: Client, alice: Person, rows: Reader, rotation: SecretRotation
) -> None:
    others = "SELECT * FROM wechat_apps WHERE appid <> :appid ORDER BY appid"
    before = rows(others, appid=ACME_SHOP.appid)
    rotation.set_next(NEW)
    rotation.reset(NEW)
    client.log_in(alice)
    client.log_in(alice, GLOBEX_LIFE)
    assert rows(others, appid=ACME_SHOP.appid) == before


@pytest.mark.real_commits
def test_concurrent_logins_promote_the_next_app_secret_once(
    app: Flask, alice: Person, rotation: SecretRotation
) -> None:
    """Twenty logins run while the secret is reset in WeChat's console."""
    rotation.set_next(NEW)
    codes = [alice.wx_login() for _ in range(20)]
    requests = [lambda c=code: Client(app).post("login", code=c).status_code for code in codes]
    assert (
        run_concurrently([*requests[:10], lambda: rotation.reset(NEW), *requests[10:]]).count(200)
        == 20
    )
    Client(app).log_in(alice)
    assert rotation.stored() == (NEW, None)
    assert rotation.promotions() == [("system", ACME_SHOP.appid)]


@pytest.mark.real_commits
def test_next_app_secret_is_promoted_during_an_encryption_key_rotation(
    app: Flask, alice: Person, rotation: SecretRotation
) -> None:
    """Key rotation changes the ciphertext of a secret, but not its plain text."""
    rotation.set_next(NEW)
    rotation.reset(NEW)

    def rotate() -> None:
        with app.app_context():
            list(rotate_keys())

    with ThreadPoolExecutor(1) as pool:
        rotating = pool.submit(rotate)
        Client(app).log_in(alice)
        rotating.result()
    Client(app).log_in(alice)
    assert rotation.stored() == (NEW, None)


@pytest.mark.real_commits
def test_promotion_of_the_next_secret_does_not_wait_for_a_login_in_progress(
    app: Flask, config: Config, wechat: WeChat, alice: Person, rotation: SecretRotation
) -> None:
    rotation.set_next(NEW)
    rotation.reset(NEW)
    with psycopg.connect(config.database_url.replace("+psycopg", "")) as login:
        login.execute("SELECT FROM wechat_apps FOR KEY SHARE")
        began = time.monotonic()
        Client(app).log_in(alice)
        assert time.monotonic() - began < 12, "a statement that waits is given up after 15 s"
    assert rotation.stored() == (NEW, None)


@pytest.mark.real_commits
def test_login_does_not_wait_for_an_app_locked_by_an_operator(
    app: Flask, config: Config, wechat: WeChat, alice: Person, rotation: SecretRotation
) -> None:
    """While an operator's transaction is open, logins use the next secret without promoting it."""
    rotation.set_next(NEW)
    rotation.reset(NEW)
    with psycopg.connect(config.database_url.replace("+psycopg", "")) as operator:
        operator.execute("UPDATE wechat_apps SET name = name")
        began = time.monotonic()
        Client(app).log_in(alice)
        assert time.monotonic() - began < 12, "a statement that waits is given up after 15 s"
        assert rotation.stored() == (OLD, NEW)
    Client(app).log_in(alice)
    assert rotation.stored() == (NEW, None)
    assert len(rotation.promotions()) == 1


def test_crash_before_the_promotion_is_repaired_by_the_next_login(
    client: Client, alice: Person, monkeypatch: pytest.MonkeyPatch, rotation: SecretRotation
) -> None:
    """The process stops between WeChat's response and the promotion."""

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    rotation.set_next(NEW)
    rotation.reset(NEW)
    with monkeypatch.context() as patch:
        patch.setattr("app.services.apps.wechat_calls.promote_next_secret", crash)
        with pytest.raises(KeyboardInterrupt):
            client.post("login", code=alice.wx_login())
    assert rotation.stored() == (OLD, NEW)
    client.log_in(alice)
    assert rotation.stored() == (NEW, None)
    assert len(rotation.promotions()) == 1
