"""GitEgg, start to end: what the person meets."""

import time

import pytest
from flask import Flask

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


def test_a_newcomer_gives_user_info_and_phone_and_is_known_from_then_on(
    phone: MiniProgram, wechat: WeChat
) -> None:
    """Otherwise the fullest flow does not work."""
    wechat.control("people", name="alice", avatar_url="https://thirdwx.qlogo.cn/mmopen/alice/132")
    met = data(phone.login())
    assert (met["userInfoAlready"], met["userBindAlready"]) == (False, False)
    assert met["openid"]
    assert met["unionid"]

    info = data(phone.info(met["bindKey"]))
    assert info["nickName"] == "alice 🌸 小花"
    assert info["avatarUrl"] == "https://thirdwx.qlogo.cn/mmopen/alice/132"
    assert "watermark" not in info
    bound = data(phone.phone(met["bindKey"]))
    assert bound["mobile"] == "13800138001"
    tokens = data(phone.grant("social", social_key=met["bindKey"]))
    assert tokens["tokenHead"] == "Bearer "

    user = data(phone.user(tokens["token"]))
    assert user == bound
    assert user["nickname"] == "alice 🌸 小花"
    assert user["avatar"] == info["avatarUrl"]
    assert {"id", "account", "gender", "tenantId"} <= set(user)

    again = data(phone.login())
    assert (again["userInfoAlready"], again["userBindAlready"]) == (True, True)
    silent = data(phone.grant("social", social_key=again["bindKey"]))
    fresh = data(phone.grant("refresh_token", refresh_token=silent["refreshToken"]))
    assert refused(phone.user(silent["token"])) == 401
    assert data(phone.user(fresh["token"])) == user

    assert data(phone.logout(fresh["token"], refreshToken=fresh["refreshToken"])) is None
    assert refused(phone.user(fresh["token"])) == 401
    assert refused(phone.grant("refresh_token", refresh_token=fresh["refreshToken"])) == 401
    assert data(phone.user(tokens["token"])) == user


def test_who_declines_the_phone_gets_in_by_password_and_then_by_wechat_alone(
    app: Flask, phone: MiniProgram
) -> None:
    """Otherwise a person who keeps their number to themselves is shut out."""
    user_id = enter_user(app, account="alice", password=PASSWORD)
    key = phone.bind_key()
    assert refused(phone.grant("social", social_key=key)) == 403

    tokens = data(phone.password(PASSWORD))
    assert data(phone.wx("bind", tokens["token"], socialKey=key)) is None

    again = data(phone.login())
    assert (again["userInfoAlready"], again["userBindAlready"]) == (True, True)
    silent = data(phone.grant("social", social_key=again["bindKey"]))
    assert data(phone.user(silent["token"]))["id"] == user_id
    assert data(phone.user(tokens["token"]))["account"] == "alice"


@pytest.mark.parametrize("version", ["12", "devtools"])
def test_the_referer_that_wechat_sends_says_where_a_password_counts(
    app: Flask, phone: MiniProgram, version: str
) -> None:
    """Otherwise a client that names its app nowhere has no password page."""
    user_id = enter_user(app, account="alice", password=PASSWORD)
    page = f"https://servicewechat.com/{ACME_SHOP.appid}/{version}/page-frame.html"
    who = {"username": "alice", "password": PASSWORD}
    tokens = data(phone.grant("password", **who, headers={"Referer": page}))
    assert data(phone.user(tokens["token"]))["id"] == user_id


def test_a_person_whom_the_tenant_entered_becomes_that_user_by_phone(
    app: Flask, client: Client, alice: Person
) -> None:
    """Otherwise a second user stands beside the one the organisation knows."""
    user_id = enter_user(app, account="alice", phone="13800138001")
    phone = MiniProgram(client, alice, ACME_STAFF)
    key = phone.bind_key()
    assert data(phone.phone(key))["id"] == user_id
    assert data(phone.user(data(phone.grant("social", social_key=key))["token"]))["id"] == user_id


def test_a_stranger_is_not_registered_where_registration_is_closed(
    client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a staff app lets the street in."""
    phone = MiniProgram(client, alice, ACME_STAFF)
    key = phone.bind_key()
    assert refused(phone.phone(key)) == 403
    assert refused(phone.grant("social", social_key=key)) == 403
    assert rows.count("users") == rows.count("phones") == 0


def test_where_login_registers_the_token_comes_at_once(client: Client, alice: Person) -> None:
    """Otherwise the policy `on_login` means nothing to these clients."""
    phone = MiniProgram(client, alice, ACME_CLUB)
    met = data(phone.login())
    assert met["userBindAlready"]
    assert data(phone.user(data(phone.grant("social", social_key=met["bindKey"]))["token"]))["id"]


def test_a_user_made_by_login_alone_gives_way_to_the_owner_of_the_phone(
    app: Flask, client: Client, alice: Person
) -> None:
    """Otherwise the bindKey dies under the merge, or leads to the closed user."""
    user_id = enter_user(app, account="alice", phone="13800138001")
    phone = MiniProgram(client, alice, ACME_CLUB)
    early = data(phone.grant("social", social_key=phone.bind_key()))["token"]
    key = phone.bind_key()
    assert data(phone.phone(key))["id"] == user_id
    assert data(phone.user(data(phone.grant("social", social_key=key))["token"]))["id"] == user_id
    assert refused(phone.user(early)) == 401


def test_a_person_known_in_one_app_is_known_in_the_tenants_others_and_in_no_other_tenant(
    client: Client, alice: Person
) -> None:
    """Otherwise users are not shared by a tenant's apps, or are by two tenants."""
    phone = MiniProgram(client, alice)
    user = data(phone.user(phone.bound()["token"]))
    staff = MiniProgram(client, alice, ACME_STAFF)
    token = data(staff.grant("social", social_key=staff.bind_key()))["token"]
    assert data(staff.user(token)) == user

    life = MiniProgram(client, alice, GLOBEX_LIFE)
    assert not data(life.login())["userBindAlready"]
    other = data(life.user(life.bound()["token"]))
    assert other["id"] != user["id"]
    assert other["tenantId"] != user["tenantId"]


def test_unbind_frees_this_apps_identity_and_no_other(client: Client, alice: Person) -> None:
    """Otherwise the original's bug is back, or the person cannot leave."""
    shop, club = MiniProgram(client, alice), MiniProgram(client, alice, ACME_CLUB)
    old = shop.bound()
    elsewhere = data(club.grant("social", social_key=club.bind_key()))
    here = data(shop.grant("social", social_key=shop.bind_key()))
    assert data(shop.wx("unbind", here["token"])) is None

    assert not data(shop.login())["userBindAlready"]
    assert refused(shop.grant("social", social_key=shop.bind_key())) == 403
    for tokens in (here, old):
        assert refused(shop.user(tokens["token"])) == 401
        assert refused(shop.grant("refresh_token", refresh_token=tokens["refreshToken"])) == 401
    assert data(club.login())["userBindAlready"]
    user = data(club.user(elsewhere["token"]))
    assert data(shop.user(shop.bound()["token"])) == user


def test_unbind_leaves_a_login_by_password_logged_in(app: Flask, phone: MiniProgram) -> None:
    """Otherwise the person is thrown out by a password login that has nothing to do with it."""
    enter_user(app, account="alice", password=PASSWORD)
    token = data(phone.password(PASSWORD))["token"]
    data(phone.wx("bind", token, socialKey=phone.bind_key()))
    data(phone.wx("unbind", token))
    assert data(phone.user(token))["account"] == "alice"


def test_unbind_with_nothing_to_free_is_refused(app: Flask, phone: MiniProgram) -> None:
    """Otherwise the person believes that something was freed."""
    enter_user(app, account="alice", password=PASSWORD)
    assert refused(phone.wx("unbind", data(phone.password(PASSWORD))["token"])) == 409


@pytest.mark.parametrize("as_int", [False, True])
def test_a_number_from_abroad_keeps_its_country_code(
    client: Client, wechat: WeChat, rows: Reader, as_int: bool
) -> None:
    """Otherwise +1 206 666 0001 is a Chinese number, or nobody's."""
    carol = Person(wechat, "carol", "2066660001", country_code="1")
    phone = MiniProgram(client, carol)
    bound = data(phone.phone(phone.bind_key(), country_code_as_int=as_int))
    assert bound["mobile"] == "+12066660001"
    assert rows("SELECT country_code FROM phones") == [(1,)]


def test_the_same_digits_in_two_countries_are_two_people(client: Client, wechat: WeChat) -> None:
    """Otherwise purePhoneNumber alone makes one person another."""
    here = MiniProgram(client, Person(wechat, "carol", "13800138009"))
    there = MiniProgram(client, Person(wechat, "dave", "13800138009", country_code="49"))
    first, second = (data(each.phone(each.bind_key())) for each in (here, there))
    assert first["id"] != second["id"]


def test_lifetimes_and_moments_agree_and_are_in_seconds(phone: MiniProgram, rows: Reader) -> None:
    """Otherwise clients refresh too late, or at every request."""
    tokens, moment = phone.bound(), time.time()
    assert tokens["expiresIn"] == 2 * 3600
    assert tokens["refreshExpiresIn"] == 30 * 86400
    assert abs(tokens["exp"] - moment - tokens["expiresIn"]) < 3
    assert abs(tokens["refreshExp"] - moment - tokens["refreshExpiresIn"]) < 3
    [(kept, kept_refresh)] = rows(
        "SELECT extract(epoch FROM expires_at)::float,"
        " extract(epoch FROM refresh_expires_at)::float FROM login_sessions"
    )
    assert abs(tokens["exp"] - kept) < 3
    assert abs(tokens["refreshExp"] - kept_refresh) < 3


def test_the_second_tap_on_the_phone_button_changes_nothing(
    phone: MiniProgram, rows: Reader
) -> None:
    """Otherwise a nervous finger registers two users or kills the bindKey."""
    key = phone.bind_key()
    assert data(phone.phone(key)) == data(phone.phone(key))
    assert rows.count("users") == 1
    assert data(phone.grant("social", social_key=key))


def test_no_answer_holds_the_session_key_or_the_app_secret(
    app: Flask, phone: MiniProgram, wechat: WeChat
) -> None:
    """Otherwise whoever holds the phone can forge open data, or be the mini-program."""
    enter_user(app, account="alice", password=PASSWORD)
    tokens = data(phone.password(PASSWORD))
    key = phone.bind_key()
    phone.info(key)
    phone.wx("bind", tokens["token"], socialKey=key)
    tokens = phone.bound()
    phone.user(tokens["token"])
    phone.wx("login", code="nonsense")
    phone.phone(phone.bind_key(), stale=True)
    wechat.fault("errcode", errcode=40125, times=1)
    phone.login()
    phone.wx("unbind", tokens["token"])
    phone.logout(tokens["token"])

    asked = {"person": phone.person.name, "appid": ACME_SHOP.appid}
    heard = "\n".join(phone.heard)
    assert key in heard
    assert wechat.ask("session-key", **asked)["session_key"] not in heard
    assert ACME_SHOP.secret not in heard
    assert PASSWORD not in heard
