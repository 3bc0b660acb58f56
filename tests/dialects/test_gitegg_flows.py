"""Login flows of GitEgg clients."""

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
    """Return a GitEgg client that sends Alice's requests to acme's shop app."""
    return MiniProgram(client, alice)


def test_a_gitegg_client_registers_by_phone_logs_in_by_code_refreshes_and_logs_out(
    phone: MiniProgram, wechat: WeChat
) -> None:
    wechat.control("people", name="alice", avatar_url="https://thirdwx.qlogo.cn/mmopen/alice/132")
    opened = data(phone.login())
    assert (opened["userInfoAlready"], opened["userBindAlready"]) == (False, False)
    assert opened["openid"]
    assert opened["unionid"]

    info = data(phone.info(opened["bindKey"]))
    assert info["nickName"] == "alice 🌸 小花"
    assert info["avatarUrl"] == "https://thirdwx.qlogo.cn/mmopen/alice/132"
    assert "watermark" not in info
    bound = data(phone.phone(opened["bindKey"]))
    assert bound["mobile"] == "13800138001"
    tokens = data(phone.grant("social", social_key=opened["bindKey"]))
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


def test_a_gitegg_client_binds_an_identity_by_password_and_then_logs_in_by_code(
    app: Flask, phone: MiniProgram
) -> None:
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
def test_the_referer_selects_the_app_of_a_password_login(
    app: Flask, phone: MiniProgram, version: str
) -> None:
    user_id = enter_user(app, account="alice", password=PASSWORD)
    page = f"https://servicewechat.com/{ACME_SHOP.appid}/{version}/page-frame.html"
    credentials = {"username": "alice", "password": PASSWORD}
    tokens = data(phone.grant("password", **credentials, headers={"Referer": page}))
    assert data(phone.user(tokens["token"]))["id"] == user_id


def test_a_phone_binding_links_the_identity_to_a_user_that_the_tenant_added(
    app: Flask, client: Client, alice: Person
) -> None:
    user_id = enter_user(app, account="alice", phone="13800138001")
    phone = MiniProgram(client, alice, ACME_STAFF)
    key = phone.bind_key()
    assert data(phone.phone(key))["id"] == user_id
    assert data(phone.user(data(phone.grant("social", social_key=key))["token"]))["id"] == user_id


def test_a_phone_binding_registers_no_user_if_registration_is_closed(
    client: Client, alice: Person, rows: Reader
) -> None:
    phone = MiniProgram(client, alice, ACME_STAFF)
    key = phone.bind_key()
    assert refused(phone.phone(key)) == 403
    assert refused(phone.grant("social", social_key=key)) == 403
    assert rows.count("users") == rows.count("phones") == 0


def test_an_app_that_registers_at_login_issues_tokens_without_a_phone_number(
    client: Client, alice: Person
) -> None:
    phone = MiniProgram(client, alice, ACME_CLUB)
    opened = data(phone.login())
    assert opened["userBindAlready"]
    assert data(phone.user(data(phone.grant("social", social_key=opened["bindKey"]))["token"]))[
        "id"
    ]


def test_a_phone_binding_merges_a_user_registered_at_login_into_the_owner_of_the_number(
    app: Flask, client: Client, alice: Person
) -> None:
    user_id = enter_user(app, account="alice", phone="13800138001")
    phone = MiniProgram(client, alice, ACME_CLUB)
    early = data(phone.grant("social", social_key=phone.bind_key()))["token"]
    key = phone.bind_key()
    assert data(phone.phone(key))["id"] == user_id
    assert data(phone.user(data(phone.grant("social", social_key=key))["token"]))["id"] == user_id
    assert refused(phone.user(early)) == 401


def test_users_are_shared_between_apps_of_a_tenant_but_not_between_tenants(
    client: Client, alice: Person
) -> None:
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


def test_unbind_unlinks_the_identity_of_this_app_only(client: Client, alice: Person) -> None:
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


def test_unbind_does_not_end_a_password_session(app: Flask, phone: MiniProgram) -> None:
    enter_user(app, account="alice", password=PASSWORD)
    token = data(phone.password(PASSWORD))["token"]
    data(phone.wx("bind", token, socialKey=phone.bind_key()))
    data(phone.wx("unbind", token))
    assert data(phone.user(token))["account"] == "alice"


def test_unbind_is_rejected_for_a_user_without_a_wechat_identity(
    app: Flask, phone: MiniProgram
) -> None:
    enter_user(app, account="alice", password=PASSWORD)
    assert refused(phone.wx("unbind", data(phone.password(PASSWORD))["token"])) == 409


@pytest.mark.parametrize("as_int", [False, True])
def test_a_foreign_phone_number_is_stored_and_returned_with_its_country_code(
    client: Client, wechat: WeChat, rows: Reader, as_int: bool
) -> None:
    carol = Person(wechat, "carol", "2066660001", country_code="1")
    phone = MiniProgram(client, carol)
    bound = data(phone.phone(phone.bind_key(), country_code_as_int=as_int))
    assert bound["mobile"] == "+12066660001"
    assert rows("SELECT country_code FROM phones") == [(1,)]


def test_equal_phone_digits_with_different_country_codes_belong_to_different_users(
    client: Client, wechat: WeChat
) -> None:
    here = MiniProgram(client, Person(wechat, "carol", "13800138009"))
    there = MiniProgram(client, Person(wechat, "dave", "13800138009", country_code="49"))
    first, second = (data(phone.phone(phone.bind_key())) for phone in (here, there))
    assert first["id"] != second["id"]


def test_token_lifetimes_and_expiry_times_are_in_seconds_and_match_the_session(
    phone: MiniProgram, rows: Reader
) -> None:
    tokens, moment = phone.bound(), time.time()
    assert tokens["expiresIn"] == 2 * 3600
    assert tokens["refreshExpiresIn"] == 30 * 86400
    assert abs(tokens["exp"] - moment - tokens["expiresIn"]) < 3
    assert abs(tokens["refreshExp"] - moment - tokens["refreshExpiresIn"]) < 3
    [(stored, stored_refresh)] = rows(
        "SELECT extract(epoch FROM expires_at)::float,"
        " extract(epoch FROM refresh_expires_at)::float FROM login_sessions"
    )
    assert abs(tokens["exp"] - stored) < 3
    assert abs(tokens["refreshExp"] - stored_refresh) < 3


def test_a_repeated_phone_binding_has_the_same_result_and_registers_no_second_user(
    phone: MiniProgram, rows: Reader
) -> None:
    key = phone.bind_key()
    assert data(phone.phone(key)) == data(phone.phone(key))
    assert rows.count("users") == 1
    assert data(phone.grant("social", social_key=key))


def test_no_gitegg_response_contains_session_key_app_secret_or_password(
    app: Flask, phone: MiniProgram, wechat: WeChat
) -> None:
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

    query = {"person": phone.person.name, "appid": ACME_SHOP.appid}
    responses = "\n".join(phone.responses)
    assert key in responses
    assert wechat.ask("session-key", **query)["session_key"] not in responses
    assert ACME_SHOP.secret not in responses
    assert PASSWORD not in responses
