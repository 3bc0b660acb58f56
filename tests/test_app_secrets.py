"""Changing an AppSecret: nobody's login fails, and whoever acts at once promotes it once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from app.services.app_secrets import get_secrets, promote_next_secret, set_next_secret, set_secret
from app.services.key_rotation import rotate_keys
from tests.cast import ACME_SHOP, GLOBEX_LIFE, Client, Person, Reader, WeChat, failure
from tests.test_concurrency import at_once

OLD, NEW, OTHER = ACME_SHOP.secret, "e1" * 16, "e2" * 16
LOGIN, FETCH = "/sns/jscode2session", "/cgi-bin/stable_token"

Reset = Callable[[str], None]


@pytest.fixture
def reset(wechat: WeChat) -> Iterator[Reset]:
    """Reset the AppSecret in WeChat's console; the old one is back after the test."""

    def reset(secret: str) -> None:
        wechat.control("app-secret", appid=ACME_SHOP.appid, secret=secret)

    yield reset
    reset(OLD)


@pytest.fixture
def keep(app: Flask) -> Callable[[str | None], None]:
    """Keep a next AppSecret, as an operator does."""

    def keep(secret: str | None) -> None:
        with app.app_context():
            set_next_secret(ACME_SHOP.appid, secret)

    return keep


def kept(app: Flask) -> tuple[str, str | None]:
    """Read the AppSecret in use, and the next."""
    with app.app_context():
        secrets = get_secrets(ACME_SHOP.appid)
    return secrets.current, secrets.next


def promotions(rows: Reader) -> list[tuple[str, str]]:
    """List who promoted what."""
    told = "SELECT actor_kind, subject FROM audit_events WHERE action = 'app.secret_promoted'"
    return [(kind, subject) for kind, subject in rows(told)]


def paths(wechat: WeChat) -> list[str]:
    """List the calls that WeChat received."""
    return [call["path"] for call in wechat.calls()]


def test_a_login_fails_while_the_secret_is_changed(
    app: Flask,
    client: Client,
    wechat: WeChat,
    alice: Person,
    bob: Person,
    rows: Reader,
    keep: Callable[[str], None],
    reset: Reset,
) -> None:
    """Otherwise a secret is only changed at night."""
    client.log_in(alice)
    keep(NEW)
    client.log_in(alice)
    assert kept(app) == (OLD, NEW)
    assert promotions(rows) == []

    reset(NEW)
    code = bob.wx_login()
    assert client.post("login", code=code).status_code == 200
    assert kept(app) == (NEW, None)
    assert promotions(rows) == [("system", ACME_SHOP.appid)]
    client.log_in(alice)
    assert paths(wechat) == [LOGIN] * 5, "the rejected secret is tried once"


def test_a_phone_fails_while_the_secret_is_changed(
    app: Flask,
    client: Client,
    wechat: WeChat,
    alice: Person,
    rows: Reader,
    keep: Callable[[str], None],
    reset: Reset,
) -> None:
    """Otherwise phones fail until the next login, which may be of nobody."""
    token = client.log_in(alice)["token"]
    keep(NEW)
    reset(NEW)
    assert client.post("phone", token, **alice.tap_phone_new()).status_code == 200
    assert kept(app) == (NEW, None)
    assert promotions(rows) == [("system", ACME_SHOP.appid)]
    assert paths(wechat).count(FETCH) == 2


def test_a_dead_access_token_is_not_healed_when_the_secret_was_reset_too(
    client: Client, wechat: WeChat, alice: Person, keep: Callable[[str], None], reset: Reset
) -> None:
    """Otherwise whoever resets a leaked secret kills the phones."""
    token = client.bind(alice)["token"]
    keep(NEW)
    reset(NEW)
    wechat.fault("errcode", "/wxa/business/getuserphonenumber", errcode=40001, times=1)
    assert client.post("phone", token, **alice.tap_phone_new()).status_code == 200
    assert wechat.calls()[-2]["body"].count("force_refresh") == 1


def test_a_next_secret_that_is_wrong_takes_the_place_of_the_old_one(
    app: Flask,
    client: Client,
    wechat: WeChat,
    alice: Person,
    rows: Reader,
    keep: Callable[[str], None],
    reset: Reset,
) -> None:
    """Otherwise a slip of the pen is in use before anybody looks."""
    keep(OTHER)
    reset(NEW)
    code = alice.wx_login()
    refused = client.post("login", code=code)
    assert failure(refused) == (502, "wechat_app_misconfigured")
    assert kept(app) == (OLD, OTHER)
    assert promotions(rows) == []
    assert paths(wechat) == [LOGIN] * 2

    keep(NEW)
    assert client.post("login", code=code).status_code == 200, "the code is used up"


@pytest.mark.parametrize("errcode", [40013, 40164, 40243, -1, 45011, 40029])
def test_a_next_secret_is_tried_for_another_refusal(
    errcode: int,
    app: Flask,
    client: Client,
    wechat: WeChat,
    alice: Person,
    keep: Callable[[str], None],
) -> None:
    """Otherwise trouble of any kind doubles the calls, and may spend a code."""
    keep(NEW)
    wechat.fault("errcode", errcode=errcode)
    assert client.post("login", code=alice.wx_login()).status_code >= 400
    assert paths(wechat) == [LOGIN]
    assert kept(app) == (OLD, NEW)


@pytest.mark.parametrize("kind", ["busy", "rate_limited", "blocked"])
def test_a_next_secret_is_promoted_without_success(
    kind: str,
    app: Flask,
    client: Client,
    wechat: WeChat,
    alice: Person,
    keep: Callable[[str], None],
) -> None:
    """Otherwise one that WeChat has not accepted comes into use."""
    keep(NEW)
    wechat.fault("errcode", errcode=40125, times=1)
    wechat.fault(kind, times=1)
    assert client.post("login", code=alice.wx_login()).status_code >= 400
    assert paths(wechat) == [LOGIN] * 2
    assert kept(app) == (OLD, NEW)


def test_a_secret_that_an_operator_enters_afterwards_is_not_used_at_once(
    app: Flask,
    client: Client,
    alice: Person,
    wechat: WeChat,
    reset: Reset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise a login that had begun fails, for which the right secret was there in time."""
    reset(NEW)
    honest = get_secrets

    def meanwhile(appid: str) -> object:
        set_secret(appid, NEW)
        return honest(appid)

    monkeypatch.setattr("app.services.wechat_calls.get_secrets", meanwhile)
    assert client.post("login", code=alice.wx_login()).status_code == 200
    assert kept(app) == (NEW, None)
    assert paths(wechat) == [LOGIN] * 2


def test_a_promotion_undoes_what_an_operator_did_in_the_meantime(app: Flask, rows: Reader) -> None:
    """Otherwise a slow login puts a secret in use that was taken back."""
    with app.app_context():
        for now_kept in (OTHER, None):
            set_next_secret(ACME_SHOP.appid, now_kept)
            promote_next_secret(ACME_SHOP.appid, NEW)
            assert get_secrets(ACME_SHOP.appid).current == OLD
    assert promotions(rows) == []
    assert rows("SELECT action FROM audit_events ORDER BY id DESC LIMIT 2") == [
        ("app.next_secret_removed",),
        ("app.next_secret_set",),
    ]


def test_a_neighbours_secret_is_changed_too(
    app: Flask,
    client: Client,
    alice: Person,
    rows: Reader,
    keep: Callable[[str], None],
    reset: Reset,
) -> None:
    """Otherwise one tenant's change ends another's logins."""
    others = "SELECT * FROM wechat_apps WHERE appid <> :appid ORDER BY appid"
    before = rows(others, appid=ACME_SHOP.appid)
    keep(NEW)
    reset(NEW)
    client.log_in(alice)
    client.log_in(alice, GLOBEX_LIFE)
    assert rows(others, appid=ACME_SHOP.appid) == before


@pytest.mark.real_commits
def test_many_who_log_in_at_once_promote_it_many_times_or_fail(
    app: Flask, alice: Person, rows: Reader, keep: Callable[[str], None], reset: Reset
) -> None:
    """Otherwise the moment of the reset is seen by those who log in just then."""
    keep(NEW)
    codes = [alice.wx_login() for _ in range(20)]
    acts = [lambda c=code: Client(app).post("login", code=c).status_code for code in codes]
    assert at_once([*acts[:10], lambda: reset(NEW), *acts[10:]]).count(200) == 20
    Client(app).log_in(alice)
    assert kept(app) == (NEW, None)
    assert promotions(rows) == [("system", ACME_SHOP.appid)]


@pytest.mark.real_commits
def test_a_rotation_of_keys_keeps_a_next_secret_from_being_promoted(
    app: Flask, alice: Person, keep: Callable[[str], None], reset: Reset
) -> None:
    """Otherwise its new ciphertext is taken for another secret, and every login tries two."""
    keep(NEW)
    reset(NEW)

    def rotate() -> None:
        with app.app_context():
            list(rotate_keys())

    with ThreadPoolExecutor(1) as pool:
        rotating = pool.submit(rotate)
        Client(app).log_in(alice)
        rotating.result()
    assert kept(app) == (NEW, None)
