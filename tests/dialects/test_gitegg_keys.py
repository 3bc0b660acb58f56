"""bindKeys, tokens and refresh tokens of GitEgg clients."""

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.dialects.gitegg_client import MiniProgram, data, refused
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    ACME_STAFF,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    WeChat,
    enter_user,
)

PASSWORD = GOOD_PASSWORD


@pytest.fixture
def phone(client: Client, alice: Person) -> MiniProgram:
    """Return a GitEgg client that sends Alice's requests to acme's shop app."""
    return MiniProgram(client, alice)


class BindKeyUses:
    """Sends a bindKey in every request that accepts one. `token` is the token of a user."""

    def __init__(self, app: Flask, phone: MiniProgram) -> None:
        enter_user(app, account="mallory", password=PASSWORD)
        self.phone, self.token = phone, data(phone.password(PASSWORD, "mallory"))["token"]

    def bind(self, key: str) -> TestResponse:
        """Bind the identity of the bindKey to the user of `token`."""
        return self.phone.wx("bind", self.token, socialKey=key)

    def refusals_in_the_app(self, key: str) -> list[int]:
        """Send the bindKey in every request with the appid in its path. Return the error codes."""
        return [refused(answer) for answer in (*self._send_open_data(key), self.bind(key))]

    def all_refusals(self, key: str) -> list[int]:
        """Send the bindKey in every request that accepts one. Return the error codes."""
        return [*self.refusals_in_the_app(key), refused(self.phone.grant("social", social_key=key))]

    def _send_open_data(self, key: str) -> tuple[TestResponse, TestResponse]:
        return self.phone.info(key), self.phone.phone(key)


@pytest.fixture
def bind_key_uses(app: Flask, phone: MiniProgram) -> BindKeyUses:
    """Return an object that sends bindKeys to acme's shop app."""
    return BindKeyUses(app, phone)


# The bindKey


def test_a_bind_key_is_rejected_as_login_token_and_refresh_token(phone: MiniProgram) -> None:
    phone.bound()
    key = phone.bind_key()
    assert refused(phone.user(key)) == 403
    assert refused(phone.wx("unbind", key)) == 403
    assert refused(phone.wx("bind", key, socialKey=key)) == 403
    assert refused(phone.grant("refresh_token", refresh_token=key)) == 401


def test_a_bind_key_expires_after_two_hours(
    phone: MiniProgram, rows: Reader, bind_key_uses: BindKeyUses
) -> None:
    key, unbound = phone.bind_key(), "user_id IS NULL"
    [(lifetime,)] = rows(
        f"SELECT extract(epoch FROM expires_at - created_at)::int FROM login_sessions"
        f" WHERE {unbound}"
    )
    assert abs(lifetime - 7200) < 3
    rows(f"UPDATE login_sessions SET expires_at = now() - interval '1 second' WHERE {unbound}")
    assert bind_key_uses.all_refusals(key) == [401] * 4


def test_the_use_of_a_bind_key_does_not_extend_its_lifetime(
    phone: MiniProgram, rows: Reader
) -> None:
    key = phone.bind_key()
    rows(
        "UPDATE login_sessions SET seen_at = now() - interval '1 hour',"
        " expires_at = now() + interval '1 hour'"
    )
    data(phone.info(key))
    assert rows.count("login_sessions", "expires_at > now() + interval '61 minutes'") == 0


def test_a_bind_key_is_invalid_after_it_was_exchanged_for_a_token(
    phone: MiniProgram, bind_key_uses: BindKeyUses
) -> None:
    key = phone.bind_key()
    data(phone.phone(key))
    data(phone.grant("social", social_key=key))
    assert bind_key_uses.all_refusals(key) == [401] * 4


def test_a_bind_key_is_invalid_after_its_identity_was_bound_to_a_user(
    phone: MiniProgram, bind_key_uses: BindKeyUses
) -> None:
    key = phone.bind_key()
    assert data(bind_key_uses.bind(key)) is None
    assert bind_key_uses.all_refusals(key) == [401] * 4


def test_a_bind_key_of_another_app_or_tenant_is_rejected(
    client: Client, alice: Person, bind_key_uses: BindKeyUses, rows: Reader
) -> None:
    for other in (ACME_STAFF, GLOBEX_LIFE):
        assert (
            bind_key_uses.refusals_in_the_app(MiniProgram(client, alice, other).bind_key())
            == [403] * 3
        )
    assert rows.count("social_accounts", "user_id IS NOT NULL") == 0


def test_openids_session_keys_session_ids_and_token_hashes_are_rejected_as_bind_keys(
    phone: MiniProgram, wechat: WeChat, rows: Reader, bind_key_uses: BindKeyUses
) -> None:
    opened = data(phone.login())
    query = {"person": "alice", "appid": ACME_SHOP.appid}
    session_key = wechat.ask("session-key", **query)["session_key"]
    [(session_id, token_hash)] = rows(
        "SELECT id::text, encode(token_hash, 'hex') FROM login_sessions WHERE user_id IS NULL"
    )
    for known in (opened["openid"], opened["unionid"], session_key, session_id, token_hash):
        assert bind_key_uses.all_refusals(known) == [401] * 4


def test_a_login_token_is_rejected_as_bind_key(
    phone: MiniProgram, bind_key_uses: BindKeyUses
) -> None:
    token = phone.bound()["token"]
    assert bind_key_uses.all_refusals(token) == [401] * 4
    assert data(phone.user(token))


def test_each_login_returns_a_different_bind_key(phone: MiniProgram) -> None:
    assert phone.bind_key() != phone.bind_key()


def test_binding_an_identity_that_belongs_to_another_user_is_rejected(
    phone: MiniProgram, bind_key_uses: BindKeyUses
) -> None:
    alice = data(phone.user(phone.bound()["token"]))
    assert refused(bind_key_uses.bind(phone.bind_key())) == 409
    again = data(phone.grant("social", social_key=phone.bind_key()))["token"]
    assert data(phone.user(again)) == alice


def test_a_user_with_a_phone_number_cannot_bind_the_number_of_another_user(
    phone: MiniProgram, client: Client, wechat: WeChat
) -> None:
    alice = data(phone.user(phone.bound()["token"]))
    bob = MiniProgram(client, Person(wechat, "bob", "13800138002"))
    bob.bound()
    bob.person = Person(wechat, "bob", "13800138001")
    assert refused(bob.phone(bob.bind_key())) == 409
    assert data(phone.user(data(phone.grant("social", social_key=phone.bind_key()))["token"])) == (
        alice
    )


# The token


def test_login_tokens_and_refresh_tokens_are_rejected_in_the_social_grant(
    phone: MiniProgram,
) -> None:
    tokens = phone.bound()
    assert refused(phone.grant("social", social_key=tokens["token"])) == 401
    assert refused(phone.grant("social", social_key=tokens["refreshToken"])) == 401
    assert data(phone.user(tokens["token"]))


def test_a_login_token_in_the_query_or_with_basic_scheme_is_ignored(
    phone: MiniProgram, client: Client
) -> None:
    token = phone.bound()["token"]
    query = {"token": token, "access_token": token, "Authorization": f"Bearer {token}"}
    path = "/system/account/user/info"
    assert refused(client.send("GET", path, query_string=query)) == 401
    basic = {"Authorization": f"Basic {token}"}
    assert refused(client.send("GET", path, headers=basic)) == 401


def test_a_login_token_of_another_app_cannot_bind_or_unbind_an_identity(
    client: Client, phone: MiniProgram, alice: Person
) -> None:
    phone.bound()
    club = MiniProgram(client, alice, ACME_CLUB)
    token = club.bound()["token"]
    assert refused(phone.wx("unbind", token)) == 403
    assert refused(phone.wx("bind", token, socialKey=phone.bind_key())) == 403
    assert data(phone.login())["userBindAlready"]


def test_every_login_and_refresh_of_a_disabled_user_is_rejected(
    app: Flask, phone: MiniProgram, rows: Reader
) -> None:
    enter_user(app, account="alice", password=PASSWORD, phone="13800138001")
    tokens, key = phone.bound(), phone.bind_key()
    rows("UPDATE users SET status = 'disabled'")
    assert refused(phone.user(tokens["token"])) == 403
    assert refused(phone.grant("refresh_token", refresh_token=tokens["refreshToken"])) == 403
    assert refused(phone.grant("social", social_key=key)) == 403
    assert refused(phone.phone(key)) == 403
    assert refused(phone.password(PASSWORD)) == 403
    assert refused(phone.login()) == 403


# The refresh token


def test_reusing_a_refresh_token_after_the_grace_period_ends_the_session(
    phone: MiniProgram, rows: Reader
) -> None:
    tokens = phone.bound()
    fresh = data(phone.grant("refresh_token", refresh_token=tokens["refreshToken"]))
    rows("UPDATE login_sessions SET refreshed_at = refreshed_at - interval '31 seconds'")
    assert refused(phone.grant("refresh_token", refresh_token=tokens["refreshToken"])) == 401
    assert refused(phone.user(fresh["token"])) == 401
    assert refused(phone.grant("refresh_token", refresh_token=fresh["refreshToken"])) == 401


def test_a_refresh_token_is_rejected_as_login_token_and_vice_versa(phone: MiniProgram) -> None:
    tokens = phone.bound()
    assert refused(phone.user(tokens["refreshToken"])) == 401
    assert refused(phone.grant("refresh_token", refresh_token=tokens["token"])) == 401
    assert data(phone.user(tokens["token"]))


def test_an_expired_gitegg_refresh_token_is_rejected(phone: MiniProgram, rows: Reader) -> None:
    tokens = phone.bound()
    rows("UPDATE login_sessions SET refresh_expires_at = now() - interval '1 second'")
    assert refused(phone.grant("refresh_token", refresh_token=tokens["refreshToken"])) == 401


# Logout


def test_logout_with_an_expired_token_ends_the_session(phone: MiniProgram, rows: Reader) -> None:
    tokens = phone.bound()
    rows("UPDATE login_sessions SET expires_at = now() - interval '1 second'")
    assert data(phone.logout(tokens["token"])) is None
    assert rows.count("login_sessions", "ended_at IS NULL") == 0
    assert refused(phone.grant("refresh_token", refresh_token=tokens["refreshToken"])) == 401


@pytest.mark.parametrize("token", [None, "replaced"])
def test_logout_with_the_refresh_token_ends_the_session(
    phone: MiniProgram, token: str | None
) -> None:
    old = phone.bound()
    fresh = data(phone.grant("refresh_token", refresh_token=old["refreshToken"]))
    answer = phone.logout(token and old["token"], refreshToken=fresh["refreshToken"])
    assert data(answer) is None
    assert refused(phone.user(fresh["token"])) == 401
    assert refused(phone.grant("refresh_token", refresh_token=fresh["refreshToken"])) == 401


@pytest.mark.parametrize("where", ["body", "referer"])
def test_a_bind_key_is_rejected_if_the_body_or_referer_names_another_app(
    client: Client, phone: MiniProgram, where: str
) -> None:
    foreign, key = GLOBEX_LIFE.appid, phone.bind_key()
    data(phone.phone(key))
    query = {"grant_type": "social", "social_key": key}
    referer = {"Referer": f"https://servicewechat.com/{foreign}/12/page-frame.html"}
    how = {"json": query | {"appid": foreign}} if where == "body" else {"headers": referer}
    answer = client.send("POST", "/oauth/token", **({"json": query} | how))
    assert refused(answer) == 403
    assert data(phone.grant("social", social_key=key))["token"]


def test_a_head_request_to_unbind_does_not_unbind_the_identity(
    client: Client, phone: MiniProgram
) -> None:
    token = phone.bound()["token"]
    client.send("HEAD", f"/wx/user/{ACME_SHOP.appid}/unbind", token)
    assert data(phone.user(token))


def test_a_repeated_logout_succeeds_without_ending_another_session(
    phone: MiniProgram, client: Client, bob: Person
) -> None:
    other_phone = MiniProgram(client, bob)
    token, other = phone.bound()["token"], other_phone.bound()["token"]
    assert data(phone.logout(token)) is None
    assert data(phone.logout(token)) is None
    assert data(other_phone.user(other))


def test_logout_with_an_invalid_refresh_token_ends_the_session_of_the_token(
    phone: MiniProgram,
) -> None:
    token = phone.bound()["token"]
    assert data(phone.logout(token, refreshToken="undefined")) is None
    assert refused(phone.user(token)) == 401
