"""Requests with another user's token, or for a disabled user, app or tenant."""

import pytest
from flask import Flask

from app.services.apps.apps import set_app_enabled
from tests.api.test_bad_input import ROUTES, nothing_written, tokens_of
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    App,
    Client,
    Person,
    Reader,
    enter_user,
    failure,
)

TOKEN_INVALID = (401, "token_invalid")
SESSION_EXPIRED = (401, "session_expired")
SESSION_REPLACED = (401, "session_replaced")
SESSION_ENDED = (401, "session_ended")
OF_ANOTHER_APP = (403, "token_of_another_app")
UNBOUND = (403, "login_unbound")
USER_DISABLED = (403, "user_disabled")
APP_DISABLED = (403, "app_disabled")
TENANT_DISABLED = (403, "tenant_disabled")
CREDENTIALS_WRONG = (401, "credentials_wrong")

NEEDING_LOGIN = {name: route for name, route in ROUTES.items() if route.login != "none"}
WITHOUT_APP = {"me", "me-password"}


def refusals(client: Client, rows: Reader, token: str, names: set[str]) -> set[tuple[int, str]]:
    """Call the routes with a token. Assert that nothing is written. Return the distinct errors."""
    with nothing_written(rows):
        return {failure(ROUTES[name].send(client, token, json=ROUTES[name].body)) for name in names}


@pytest.mark.parametrize("other", [ACME_CLUB, GLOBEX_LIFE], ids=["app", "tenant"])
def test_a_login_token_of_another_app_or_tenant_is_rejected(
    other: App, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    for token in (client.log_in(alice, other)["token"], client.bind(bob, other)["token"]):
        here = NEEDING_LOGIN.keys() - WITHOUT_APP
        assert refusals(client, rows, token, here) == {OF_ANOTHER_APP}


@pytest.mark.parametrize("other", [ACME_CLUB, GLOBEX_LIFE], ids=["app", "tenant"])
def test_a_refresh_token_of_another_app_or_tenant_is_rejected_and_stays_valid(
    other: App, client: Client, bob: Person, rows: Reader
) -> None:
    refresh_token = client.bind(bob, other)["refresh_token"]
    with nothing_written(rows):
        answer = client.post("refresh", refresh_token=refresh_token)
        assert failure(answer) == OF_ANOTHER_APP
    assert client.post("refresh", app=other, refresh_token=refresh_token).status_code == 200


def test_an_unbound_session_is_rejected_by_routes_that_require_a_user(
    client: Client, alice: Person, rows: Reader
) -> None:
    token = client.log_in(alice)["token"]
    bound = {name for name, route in NEEDING_LOGIN.items() if route.login == "bound"}
    assert refusals(client, rows, token, bound) == {UNBOUND}
    assert failure(client.me(token)) == UNBOUND


def test_the_token_of_an_ended_replaced_or_expired_session_is_rejected_by_every_route(
    client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    everywhere = set(NEEDING_LOGIN)
    replaced = client.log_in(alice)["token"]
    current = client.post("phone", replaced, **alice.tap_phone_new()).json
    ended = client.bind(bob)
    client.post("logout", ended["token"])
    assert refusals(client, rows, replaced, everywhere) == {SESSION_REPLACED}
    assert refusals(client, rows, ended["token"], everywhere) == {SESSION_ENDED}
    # A refresh token is not accepted as a login token, nor a login token as a refresh token.
    assert refusals(client, rows, current["refresh_token"], everywhere) == {TOKEN_INVALID}
    with nothing_written(rows):
        refused = failure(client.post("refresh", refresh_token=ended["refresh_token"]))
        assert refused == SESSION_ENDED
        refused = failure(client.post("refresh", refresh_token=current["token"]))
        assert refused == (401, "refresh_token_invalid")
    rows("UPDATE login_sessions SET expires_at = now() - interval '1 second'")
    routes_except_logout = everywhere - {"logout"}
    assert refusals(client, rows, current["token"], routes_except_logout) == {SESSION_EXPIRED}
    assert client.post("logout", current["token"]).status_code == 204
    refused = failure(client.post("refresh", refresh_token=current["refresh_token"]))
    assert refused == SESSION_ENDED, "logout with an expired token ends the refresh token, too"


@pytest.mark.parametrize(
    "refresh_token",
    ["a", "wxr_", "wxr_" + "a" * 86, "wxr_" + "花" * 86, "wxp_" + "a" * 86, "WXR_" + "a" * 86],
)
def test_a_malformed_or_unknown_refresh_token_is_rejected(
    refresh_token: str, client: Client
) -> None:
    refused = failure(client.post("refresh", refresh_token=refresh_token))
    assert refused == (401, "refresh_token_invalid")


def test_an_expired_refresh_token_is_rejected(client: Client, bob: Person, rows: Reader) -> None:
    refresh_token = client.bind(bob)["refresh_token"]
    rows("UPDATE login_sessions SET refresh_expires_at = now()")
    with nothing_written(rows):
        refused = failure(client.post("refresh", refresh_token=refresh_token))
        assert refused == (401, "refresh_token_expired")


def test_a_disabled_user_is_rejected_by_every_route(
    client: Client, bob: Person, rows: Reader, app: Flask
) -> None:
    user = enter_user(app, account="carol", password=GOOD_PASSWORD, phone=bob.phone)
    login = client.bind(bob)
    unbound = client.log_in(Person(bob.wechat, "bob at home", bob.phone))["token"]
    assert login["user"]["id"] == user
    rows("UPDATE users SET status = 'disabled'")
    assert refusals(client, rows, login["token"], set(NEEDING_LOGIN)) == {USER_DISABLED}
    taps = Person(bob.wechat, "bob at home", bob.phone)
    proof = {"account": "Carol", "password": GOOD_PASSWORD}
    with nothing_written(rows):
        assert failure(client.me(login["token"])) == USER_DISABLED
        for answer in (
            client.post("login", code=bob.wx_login()),
            client.post("login", code=bob.wx_login(), **proof),
            client.post("password-login", **proof),
            client.post("bind", unbound, **proof),
            client.post("refresh", refresh_token=login["refresh_token"]),
            client.post("phone", unbound, **taps.tap_phone_new()),
            client.post("phone", unbound, **taps.tap_phone_old()),
        ):
            assert failure(answer) == USER_DISABLED


def test_every_request_for_a_disabled_app_is_rejected(
    client: Client, alice: Person, bob: Person, rows: Reader, app: Flask
) -> None:
    tokens = tokens_of(client, alice, bob)
    with app.app_context():
        set_app_enabled(ACME_SHOP.appid, False)
    for token in tokens.values():
        with nothing_written(rows):
            for name, route in ROUTES.items():
                if name not in WITHOUT_APP:
                    assert failure(route.send(client, token, json=route.body)) == APP_DISABLED
    assert failure(client.me(str(tokens["bound"]))) == APP_DISABLED


def test_every_request_for_a_disabled_tenant_is_rejected_and_other_tenants_work(
    client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    tokens = tokens_of(client, alice, bob)
    rows("UPDATE tenants SET status = 'disabled' WHERE slug = 'acme'")
    for token in tokens.values():
        with nothing_written(rows):
            for name, route in ROUTES.items():
                if name not in WITHOUT_APP:
                    assert failure(route.send(client, token, json=route.body)) == TENANT_DISABLED
    assert failure(client.me(str(tokens["bound"]))) == TENANT_DISABLED
    assert client.log_in(alice, GLOBEX_LIFE)["token"]


def test_wrong_credentials_get_one_error_code_and_do_not_use_up_the_login_code(
    client: Client, alice: Person, rows: Reader, app: Flask
) -> None:
    enter_user(app, account="carol", password=GOOD_PASSWORD)
    enter_user(app, account="phone only", phone="13800138009")
    enter_user(app, "globex", account="grace", password=GOOD_PASSWORD)
    token, code = client.log_in(alice)["token"], alice.wx_login()
    for account, password in [
        ("carol", "wrong"),
        ("nobody", GOOD_PASSWORD),
        ("phone only", GOOD_PASSWORD),
        ("grace", GOOD_PASSWORD),
        ("' or 1=1 --", "x"),
        ("ﷺ" * 64, "花" * 128),
    ]:
        proof = {"account": account, "password": password}
        with nothing_written(rows):
            for answer in (
                client.post("password-login", **proof),
                client.post("login", code=code, **proof),
                client.post("bind", token, **proof),
            ):
                assert failure(answer) == CREDENTIALS_WRONG
    assert client.post("login", code=code).status_code == 200


def test_a_password_session_without_wechat_identity_cannot_send_open_data_or_bind(
    client: Client, alice: Person, rows: Reader, app: Flask
) -> None:
    enter_user(app, account="carol", password=GOOD_PASSWORD)
    proof = {"account": "carol", "password": GOOD_PASSWORD}
    token = client.post("password-login", **proof).json["token"]
    client.log_in(alice)
    with nothing_written(rows):
        for answer in (
            client.post("profile", token, **alice.tap_user_info()),
            client.post("phone", token, **alice.tap_phone_old()),
            client.post("bind", token, **proof),
            client.post("unbind", token),
        ):
            assert failure(answer) == (409, "no_social_account")
