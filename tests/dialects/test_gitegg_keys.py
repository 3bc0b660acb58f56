"""GitEgg's three secrets (bindKey, token, refresh token): each opens its own door only."""

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
    """The shop's mini-program on Alice's phone."""
    return MiniProgram(client, alice)


class Doors:
    """Everything that a bindKey is good for, and a user whose password is known."""

    def __init__(self, app: Flask, phone: MiniProgram) -> None:
        enter_user(app, account="mallory", password=PASSWORD)
        self.phone, self.token = phone, data(phone.password(PASSWORD, "mallory"))["token"]

    def bind(self, key: str) -> TestResponse:
        """Give the identity to the user."""
        return self.phone.wx("bind", self.token, socialKey=key)

    def in_the_app(self, key: str) -> list[int]:
        """Try the doors whose path names the app, and give the codes of their refusals."""
        return [refused(answer) for answer in (*self._open(key), self.bind(key))]

    def all(self, key: str) -> list[int]:
        """Try every door, and give the codes of their refusals."""
        return [*self.in_the_app(key), refused(self.phone.grant("social", social_key=key))]

    def _open(self, key: str) -> tuple[TestResponse, TestResponse]:
        return self.phone.info(key), self.phone.phone(key)


@pytest.fixture
def doors(app: Flask, phone: MiniProgram) -> Doors:
    """The shop's doors."""
    return Doors(app, phone)


# The bindKey


def test_a_bind_key_is_no_login(phone: MiniProgram) -> None:
    """Otherwise a person who is nobody yet reads a user's pages."""
    phone.bound()
    key = phone.bind_key()
    assert refused(phone.user(key)) == 403
    assert refused(phone.wx("unbind", key)) == 403
    assert refused(phone.wx("bind", key, socialKey=key)) == 403
    assert refused(phone.grant("refresh_token", refresh_token=key)) == 401


def test_a_bind_key_is_dead_after_two_hours(phone: MiniProgram, rows: Reader, doors: Doors) -> None:
    """Otherwise a key found in an old log is a login."""
    key, unbound = phone.bind_key(), "user_id IS NULL"
    [(lives,)] = rows(
        f"SELECT extract(epoch FROM expires_at - created_at)::int FROM login_sessions"
        f" WHERE {unbound}"
    )
    assert abs(lives - 7200) < 3
    rows(f"UPDATE login_sessions SET expires_at = now() - interval '1 second' WHERE {unbound}")
    assert doors.all(key) == [401] * 4


def test_use_does_not_prolong_a_bind_key(phone: MiniProgram, rows: Reader) -> None:
    """Otherwise two hours are for ever."""
    key = phone.bind_key()
    rows(
        "UPDATE login_sessions SET seen_at = now() - interval '1 hour',"
        " expires_at = now() + interval '1 hour'"
    )
    data(phone.info(key))
    assert rows.count("login_sessions", "expires_at > now() + interval '61 minutes'") == 0


def test_a_traded_bind_key_is_dead(phone: MiniProgram, doors: Doors) -> None:
    """Otherwise one bindKey makes many logins."""
    key = phone.bind_key()
    data(phone.phone(key))
    data(phone.grant("social", social_key=key))
    assert doors.all(key) == [401] * 4


def test_a_bind_key_that_bound_is_dead(phone: MiniProgram, doors: Doors) -> None:
    """Otherwise the key binds, or logs in, once more."""
    key = phone.bind_key()
    assert data(doors.bind(key)) is None
    assert doors.all(key) == [401] * 4


def test_a_bind_key_of_another_app_or_tenant_is_refused(
    client: Client, alice: Person, doors: Doors, rows: Reader
) -> None:
    """Otherwise the wall between tenants, or between a tenant's apps, has a hole."""
    for other in (ACME_STAFF, GLOBEX_LIFE):
        assert doors.in_the_app(MiniProgram(client, alice, other).bind_key()) == [403] * 3
    assert rows.count("social_accounts", "user_id IS NOT NULL") == 0


def test_what_is_known_to_others_is_no_bind_key(
    phone: MiniProgram, wechat: WeChat, rows: Reader, doors: Doors
) -> None:
    """Otherwise an openid, or a key from a tutorial's back end, is a login."""
    met = data(phone.login())
    asked = {"person": "alice", "appid": ACME_SHOP.appid}
    session_key = wechat.ask("session-key", **asked)["session_key"]
    [(session_id, token_hash)] = rows(
        "SELECT id::text, encode(token_hash, 'hex') FROM login_sessions WHERE user_id IS NULL"
    )
    for known in (met["openid"], met["unionid"], session_key, session_id, token_hash):
        assert doors.all(known) == [401] * 4


def test_a_login_is_no_bind_key(phone: MiniProgram, doors: Doors) -> None:
    """Otherwise a stolen login binds its owner's WeChat to the thief, for good."""
    token = phone.bound()["token"]
    assert doors.all(token) == [401] * 4
    assert data(phone.user(token))


def test_two_logins_give_two_bind_keys(phone: MiniProgram) -> None:
    """Otherwise the key can be computed, as the original's could."""
    assert phone.bind_key() != phone.bind_key()


def test_a_bind_key_does_not_take_an_identity_from_its_user(
    phone: MiniProgram, doors: Doors
) -> None:
    """Otherwise a person with a password takes over another's WeChat."""
    alice = data(phone.user(phone.bound()["token"]))
    assert refused(doors.bind(phone.bind_key())) == 409
    again = data(phone.grant("social", social_key=phone.bind_key()))["token"]
    assert data(phone.user(again)) == alice


def test_a_phone_of_another_user_is_not_taken(
    phone: MiniProgram, client: Client, wechat: WeChat
) -> None:
    """Otherwise two real users become one."""
    alice = data(phone.user(phone.bound()["token"]))
    bob = MiniProgram(client, Person(wechat, "bob", "13800138002"))
    bob.bound()
    bob.person = Person(wechat, "bob", "13800138001")
    assert refused(bob.phone(bob.bind_key())) == 409
    assert data(phone.user(data(phone.grant("social", social_key=phone.bind_key()))["token"])) == (
        alice
    )


# The token


def test_a_token_is_not_traded_for_another(phone: MiniProgram) -> None:
    """Otherwise a stolen token never ends."""
    tokens = phone.bound()
    assert refused(phone.grant("social", social_key=tokens["token"])) == 401
    assert refused(phone.grant("social", social_key=tokens["refreshToken"])) == 401
    assert data(phone.user(tokens["token"]))


def test_a_token_is_read_from_the_header_only(phone: MiniProgram, client: Client) -> None:
    """Otherwise tokens end up in logs and histories."""
    token = phone.bound()["token"]
    asked = {"token": token, "access_token": token, "Authorization": f"Bearer {token}"}
    path = "/system/account/user/info"
    assert refused(client.send("GET", path, query_string=asked)) == 401
    basic = {"Authorization": f"Basic {token}"}
    assert refused(client.send("GET", path, headers=basic)) == 401


def test_a_token_of_another_app_neither_binds_nor_unbinds_here(
    client: Client, phone: MiniProgram, alice: Person
) -> None:
    """Otherwise one app's login frees another app's identity."""
    phone.bound()
    club = MiniProgram(client, alice, ACME_CLUB)
    token = club.bound()["token"]
    assert refused(phone.wx("unbind", token)) == 403
    assert refused(phone.wx("bind", token, socialKey=phone.bind_key())) == 403
    assert data(phone.login())["userBindAlready"]


def test_a_disabled_user_gets_in_no_way(app: Flask, phone: MiniProgram, rows: Reader) -> None:
    """Otherwise switching a user off leaves WeChat open."""
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


def test_a_refresh_token_used_later_again_ends_the_login(phone: MiniProgram, rows: Reader) -> None:
    """Otherwise a stolen one is never noticed."""
    tokens = phone.bound()
    fresh = data(phone.grant("refresh_token", refresh_token=tokens["refreshToken"]))
    rows("UPDATE login_sessions SET refreshed_at = refreshed_at - interval '31 seconds'")
    assert refused(phone.grant("refresh_token", refresh_token=tokens["refreshToken"])) == 401
    assert refused(phone.user(fresh["token"])) == 401
    assert refused(phone.grant("refresh_token", refresh_token=fresh["refreshToken"])) == 401


def test_a_refresh_token_is_no_login_and_a_token_does_not_refresh(phone: MiniProgram) -> None:
    """Otherwise the long-lived secret travels with every request."""
    tokens = phone.bound()
    assert refused(phone.user(tokens["refreshToken"])) == 401
    assert refused(phone.grant("refresh_token", refresh_token=tokens["token"])) == 401
    assert data(phone.user(tokens["token"]))


def test_an_expired_refresh_token_is_dead(phone: MiniProgram, rows: Reader) -> None:
    """Otherwise thirty days are for ever."""
    tokens = phone.bound()
    rows("UPDATE login_sessions SET refresh_expires_at = now() - interval '1 second'")
    assert refused(phone.grant("refresh_token", refresh_token=tokens["refreshToken"])) == 401


# The end


def test_logging_out_with_an_expired_token_ends_the_login(phone: MiniProgram, rows: Reader) -> None:
    """Otherwise the refresh token outlives a logout by thirty days."""
    tokens = phone.bound()
    rows("UPDATE login_sessions SET expires_at = now() - interval '1 second'")
    assert data(phone.logout(tokens["token"])) is None
    assert rows.count("login_sessions", "ended_at IS NULL") == 0
    assert refused(phone.grant("refresh_token", refresh_token=tokens["refreshToken"])) == 401


@pytest.mark.parametrize("token", [None, "replaced"])
def test_logging_out_by_the_refresh_token_ends_the_login_without_its_token(
    phone: MiniProgram, token: str | None
) -> None:
    """Otherwise a client that lost or replaced its token believes it is out."""
    old = phone.bound()
    fresh = data(phone.grant("refresh_token", refresh_token=old["refreshToken"]))
    answer = phone.logout(token and old["token"], refreshToken=fresh["refreshToken"])
    assert data(answer) is None
    assert refused(phone.user(fresh["token"])) == 401
    assert refused(phone.grant("refresh_token", refresh_token=fresh["refreshToken"])) == 401


@pytest.mark.parametrize("where", ["body", "referer"])
def test_a_key_is_not_traded_in_the_name_of_another_app(
    client: Client, phone: MiniProgram, where: str
) -> None:
    """Otherwise a client logs in to one mini-program with what another one gave."""
    foreign, key = GLOBEX_LIFE.appid, phone.bind_key()
    data(phone.phone(key))
    asked = {"grant_type": "social", "social_key": key}
    referer = {"Referer": f"https://servicewechat.com/{foreign}/12/page-frame.html"}
    how = {"json": asked | {"appid": foreign}} if where == "body" else {"headers": referer}
    answer = client.send("POST", "/oauth/token", **({"json": asked} | how))
    assert refused(answer) == 403
    assert data(phone.grant("social", social_key=key))["token"]


def test_head_does_nothing(client: Client, phone: MiniProgram) -> None:
    """Otherwise a link checker unbinds people."""
    token = phone.bound()["token"]
    client.send("HEAD", f"/wx/user/{ACME_SHOP.appid}/unbind", token)
    assert data(phone.user(token))


def test_logging_out_twice_is_no_failure_and_ends_nobody_else(
    phone: MiniProgram, client: Client, bob: Person
) -> None:
    """Otherwise a second tap alarms, or throws another person out."""
    neighbour = MiniProgram(client, bob)
    token, other = phone.bound()["token"], neighbour.bound()["token"]
    assert data(phone.logout(token)) is None
    assert data(phone.logout(token)) is None
    assert data(neighbour.user(other))


def test_logging_out_with_nonsense_for_a_refresh_token_still_logs_out(phone: MiniProgram) -> None:
    """Otherwise `undefined` keeps a login alive."""
    token = phone.bound()["token"]
    assert data(phone.logout(token, refreshToken="undefined")) is None
    assert refused(phone.user(token)) == 401
