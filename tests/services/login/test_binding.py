"""Account linking: registration, binding, merging and unbinding."""

import pytest
from flask import Flask

from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    ACME_STAFF,
    Client,
    Person,
    Reader,
    WeChat,
    enter_user,
    failure,
)

CREDENTIALS = {"account": "Alice@Acme", "password": GOOD_PASSWORD}


def test_first_login_registers_a_user_if_the_app_registers_on_login(
    client: Client, alice: Person, rows: Reader
) -> None:
    assert client.log_in(alice, ACME_CLUB)["bound"]
    assert client.log_in(alice, ACME_CLUB)["bound"]
    assert (rows.count("users"), rows.count("phones")) == (1, 0)


def test_closed_registration_refuses_an_unknown_phone_number_and_binds_a_stored_one(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    user_id = enter_user(app, phone="+86 138 0013 8001")
    stranger = client.log_in(bob, ACME_STAFF)["token"]
    refused = client.post("phone", stranger, ACME_STAFF, **bob.tap_phone_new(ACME_STAFF))
    assert failure(refused) == (403, "registration_closed")
    assert client.bind(alice, ACME_STAFF)["user"]["id"] == user_id
    assert rows.count("users") == 1


def test_phone_code_and_encrypted_phone_lead_to_the_same_user(
    client: Client, alice: Person
) -> None:
    new = client.bind(alice)
    again = client.log_in(alice)["token"]
    old = client.post("phone", again, **alice.tap_phone_old()).json
    assert old["user"] == new["user"]


def test_user_without_a_phone_is_merged_into_the_owner_of_the_verified_number(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    owner = enter_user(app, phone="13800138001")
    bare = client.log_in(alice, ACME_CLUB)
    elsewhere = client.log_in(alice, ACME_CLUB)["token"]
    merged = client.post("phone", bare["token"], ACME_CLUB, **alice.tap_phone_new(ACME_CLUB)).json
    assert merged["user"]["id"] == owner
    assert client.me(merged["token"]).json["id"] == owner
    assert failure(client.me(elsewhere)) == (401, "session_revoked")
    closed = rows("SELECT status, merged_into_id::text FROM users WHERE status <> 'active'")
    assert closed == [("merged", owner)]
    assert rows.count("audit_events", "action = 'user.merged'") == 1
    assert client.log_in(alice, ACME_CLUB)["user"]["id"] == owner


def test_user_with_a_phone_is_not_merged_into_the_owner_of_another_number(
    app: Flask, client: Client, wechat: WeChat, alice: Person, rows: Reader
) -> None:
    """A phone number may have been reassigned by the carrier."""
    enter_user(app, phone="13800138009")
    token = client.bind(alice)["token"]
    changed = Person(wechat, "alice", "13800138009")
    refused = client.post("phone", token, **changed.tap_phone_new())
    assert failure(refused) == (409, "phone_taken")
    assert client.me(token).json["phone"] == "+8613800138001"


def test_new_phone_number_replaces_the_old_number_which_another_user_can_verify(
    client: Client, wechat: WeChat, alice: Person, bob: Person, rows: Reader
) -> None:
    first = client.bind(alice)
    changed = Person(wechat, "alice", "13900139000")
    second = client.post("phone", first["token"], **changed.tap_phone_new()).json
    assert second["user"]["id"] == first["user"]["id"]
    assert second["user"]["phone"] == "+8613900139000"
    heir = client.bind(Person(wechat, "bob", "13800138001"))
    assert heir["user"]["id"] != first["user"]["id"]
    assert rows.count("phones") == 2


def test_wx_login_finds_the_user_after_binding_by_password(
    app: Flask, client: Client, alice: Person
) -> None:
    user_id = enter_user(app, **CREDENTIALS)
    token = client.log_in(alice)["token"]
    bound = client.post("bind", token, account="  alice@ACME ", password=GOOD_PASSWORD).json
    assert (bound["bound"], bound["user"]["id"]) == (True, user_id)
    assert failure(client.me(token)) == (401, "session_replaced")
    assert client.log_in(alice)["user"]["id"] == user_id


def test_login_with_account_and_password_binds_the_identity(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    user_id = enter_user(app, **CREDENTIALS)
    assert client.log_in(alice, **CREDENTIALS)["user"]["id"] == user_id
    assert client.log_in(alice)["user"]["id"] == user_id


def test_wrong_password_does_not_use_up_the_code_and_writes_nothing(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, **CREDENTIALS)
    code = alice.wx_login()
    wrong = client.post("login", code=code, account="alice@acme", password="wrong")
    assert failure(wrong) == (401, "credentials_wrong")
    assert rows.count("social_accounts") == rows.count("login_sessions") == 0
    assert client.post("login", code=code, **CREDENTIALS).status_code == 200


def test_identity_bound_to_another_user_is_not_rebound_by_password(
    app: Flask, client: Client, alice: Person
) -> None:
    enter_user(app, account="boss", password=GOOD_PASSWORD)
    token = client.bind(alice)["token"]
    refused = client.post("bind", token, account="boss", password=GOOD_PASSWORD)
    assert failure(refused) == (409, "social_account_taken")
    assert client.me(token).status_code == 200


def test_unbind_unlinks_only_the_identity_of_the_current_app(
    client: Client, alice: Person, rows: Reader
) -> None:
    club = client.bind(alice, ACME_CLUB)
    shop = client.bind(alice, ACME_SHOP)
    second_device = client.log_in(alice, ACME_SHOP)["token"]
    freed = client.post("unbind", shop["token"]).json
    assert (freed["bound"], freed["refresh_token"], freed["user"]) == (False, None, None)
    assert failure(client.me(shop["token"])) == (401, "session_replaced")
    assert failure(client.me(second_device)) == (401, "session_revoked")
    assert client.me(club["token"]).json["id"] == shop["user"]["id"]
    assert not client.log_in(alice, ACME_SHOP)["bound"], "the unionid does not undo the unbinding"
    assert client.log_in(alice, ACME_CLUB)["bound"]
    assert client.bind(alice, ACME_SHOP)["user"]["id"] == shop["user"]["id"]


def test_session_opened_by_password_stays_bound_after_unbind(
    app: Flask, client: Client, alice: Person
) -> None:
    enter_user(app, **CREDENTIALS)
    client.log_in(alice, **CREDENTIALS)
    login = client.post("password-login", **CREDENTIALS).json
    freed = client.post("unbind", login["token"]).json
    assert freed["bound"]
    assert client.me(freed["token"]).json["account"] == "alice@acme"
    assert failure(client.post("unbind", freed["token"])) == (409, "no_social_account")
    assert not client.log_in(alice)["bound"]


def test_session_without_a_wechat_identity_cannot_use_a_phone_code(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Without an openid, wxpass cannot check that the phone code belongs to the user."""
    enter_user(app, **CREDENTIALS)
    token = client.post("password-login", **CREDENTIALS).json["token"]
    alice.wx_login()
    refused = client.post("phone", token, **alice.tap_phone_new())
    assert failure(refused) == (409, "no_social_account")
    assert rows.count("phones") == 0


def test_merge_moves_the_identities_of_all_apps_to_the_owner_of_the_phone(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    owner = enter_user(app, phone="13800138001")
    assert client.log_in(alice, ACME_CLUB)["bound"]
    shop = client.log_in(alice, ACME_SHOP)
    assert shop["user"]["id"] != owner
    merged = client.post("phone", shop["token"], **alice.tap_phone_new()).json
    assert merged["user"]["id"] == owner
    assert client.log_in(alice, ACME_CLUB)["user"]["id"] == owner


def test_first_login_in_another_app_is_linked_by_unionid(client: Client, alice: Person) -> None:
    shop = client.bind(alice, ACME_SHOP)
    club = client.log_in(alice, ACME_CLUB)
    assert club["unionid"] == shop["unionid"]
    assert club["openid"] != shop["openid"]
    assert club["user"]["id"] == shop["user"]["id"]


def test_identity_is_linked_when_its_unionid_becomes_available(
    client: Client, wechat: WeChat, alice: Person
) -> None:
    """The app joined the Open Platform account after the first login."""
    wechat.fault("no_unionid", times=1)
    early = client.log_in(alice, ACME_STAFF)
    assert (early["unionid"], early["bound"]) == (None, False)
    shop = client.bind(alice, ACME_SHOP)
    assert client.log_in(alice, ACME_STAFF)["user"]["id"] == shop["user"]["id"]


def test_user_without_a_phone_is_merged_when_their_unionid_becomes_available(
    client: Client, wechat: WeChat, alice: Person, rows: Reader
) -> None:
    wechat.fault("no_unionid", times=1)
    bare = client.log_in(alice, ACME_CLUB)
    shop = client.bind(alice, ACME_SHOP)
    assert shop["user"]["id"] != bare["user"]["id"]
    club = client.log_in(alice, ACME_CLUB)
    assert club["user"]["id"] == shop["user"]["id"]
    assert failure(client.me(bare["token"])) == (401, "session_revoked")
    assert rows.count("users", "status = 'active'") == 1
    assert rows.count("audit_events", "action = 'user.merged'") == 1


def test_user_without_a_phone_is_merged_when_the_unionid_of_the_phone_owner_becomes_available(
    client: Client, wechat: WeChat, alice: Person, rows: Reader
) -> None:
    """The result does not depend on the order of the apps."""
    wechat.fault("no_unionid", times=1)
    shop = client.bind(alice, ACME_SHOP)
    bare = client.log_in(alice, ACME_CLUB)
    assert shop["user"]["id"] != bare["user"]["id"]
    assert client.log_in(alice, ACME_SHOP)["user"]["id"] == shop["user"]["id"]
    assert client.log_in(alice, ACME_CLUB)["user"]["id"] == shop["user"]["id"]
    assert rows.count("users", "status = 'active'") == 1


@pytest.mark.parametrize("way", ["unbind", "bare"])
def test_old_session_of_a_user_cannot_bind_its_identity_to_another_account(
    way: str, app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """The thief of a token must not bind the victim's identity to another account."""
    enter_user(app, account="mallory", password=GOOD_PASSWORD)
    here = ACME_CLUB if way == "bare" else ACME_SHOP
    login = client.log_in(alice, here) if way == "bare" else client.bind(alice, here)
    rows("UPDATE login_sessions SET created_at = created_at - interval '11 minutes'")
    stolen = login["token"]
    if way == "unbind":
        stolen = client.post("unbind", stolen).json["token"]
    mine = {"account": "mallory", "password": GOOD_PASSWORD}
    refused = client.post("bind", stolen, here, **mine)
    assert failure(refused) == (403, "login_too_old")
    again = client.log_in(alice, here)["user"]
    assert again is None or again["account"] != "mallory"
    fresh = client.log_in(alice, here)["token"]
    assert client.post("bind", fresh, here, **mine).status_code == 200, "a fresh login may bind"


def test_foreign_numbers_and_wechat_test_numbers_are_accepted(
    client: Client, wechat: WeChat
) -> None:
    abroad = client.bind(Person(wechat, "john", "4155550100", "1"))
    assert abroad["user"]["phone"] == "+14155550100"
    tester = client.bind(Person(wechat, "tester", "12066600001"))
    assert tester["user"]["phone"] == "+8612066600001"
