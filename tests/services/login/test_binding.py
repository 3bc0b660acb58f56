"""Who becomes whom, carried out: registering, binding, merging, unbinding."""

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


def test_on_login_registers_at_the_first_login(client: Client, alice: Person, rows: Reader) -> None:
    """Otherwise the policy is a word without effect."""
    assert client.log_in(alice, ACME_CLUB)["bound"]
    assert client.log_in(alice, ACME_CLUB)["bound"]
    assert (rows.count("users"), rows.count("phones")) == (1, 0)


def test_closed_refuses_a_strangers_phone_and_takes_a_known_one(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    """Otherwise people whom the tenant never entered become its users, or those it did cannot."""
    user_id = enter_user(app, phone="+86 138 0013 8001")
    stranger = client.log_in(bob, ACME_STAFF)["token"]
    refused = client.post("phone", stranger, ACME_STAFF, **bob.tap_phone_new(ACME_STAFF))
    assert failure(refused) == (403, "registration_closed")
    assert client.bind(alice, ACME_STAFF)["user"]["id"] == user_id
    assert rows.count("users") == 1


def test_the_old_way_and_the_new_way_of_the_phone_lead_to_one_user(
    client: Client, alice: Person
) -> None:
    """Otherwise a client's age decides who somebody is."""
    new = client.bind(alice)
    again = client.log_in(alice)["token"]
    old = client.post("phone", again, **alice.tap_phone_old()).json
    assert old["user"] == new["user"]


def test_a_bare_user_is_merged_into_the_phones_owner(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise everybody who logs in before verifying a phone ends up as two users."""
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


def test_a_user_with_a_phone_is_not_merged_into_another(
    app: Flask, client: Client, wechat: WeChat, alice: Person, rows: Reader
) -> None:
    """Otherwise verifying somebody's recycled number takes both users' belongings together."""
    enter_user(app, phone="13800138009")
    token = client.bind(alice)["token"]
    changed = Person(wechat, "alice", "13800138009")
    refused = client.post("phone", token, **changed.tap_phone_new())
    assert failure(refused) == (409, "phone_taken")
    assert client.me(token).json["phone"] == "+8613800138001"


def test_a_new_number_replaces_the_old_one_which_is_free_afterwards(
    client: Client, wechat: WeChat, alice: Person, bob: Person, rows: Reader
) -> None:
    """Otherwise a number that somebody gave up keeps its next owner out."""
    first = client.bind(alice)
    changed = Person(wechat, "alice", "13900139000")
    second = client.post("phone", first["token"], **changed.tap_phone_new()).json
    assert second["user"]["id"] == first["user"]["id"]
    assert second["user"]["phone"] == "+8613900139000"
    heir = client.bind(Person(wechat, "bob", "13800138001"))
    assert heir["user"]["id"] != first["user"]["id"]
    assert rows.count("phones") == 2


def test_account_and_password_bind_and_afterwards_wx_login_is_enough(
    app: Flask, client: Client, alice: Person
) -> None:
    """Otherwise a person who declines the phone has no way in."""
    user_id = enter_user(app, **CREDENTIALS)
    token = client.log_in(alice)["token"]
    bound = client.post("bind", token, account="  alice@ACME ", password=GOOD_PASSWORD).json
    assert (bound["bound"], bound["user"]["id"]) == (True, user_id)
    assert failure(client.me(token)) == (401, "session_replaced")
    assert client.log_in(alice)["user"]["id"] == user_id


def test_a_login_with_account_and_password_binds_at_once(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise the seeds' one-step login does not work."""
    user_id = enter_user(app, **CREDENTIALS)
    assert client.log_in(alice, **CREDENTIALS)["user"]["id"] == user_id
    assert client.log_in(alice)["user"]["id"] == user_id


def test_a_wrong_password_leaves_the_code_good_and_nothing_written(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a typing error costs a code, or half a login is kept."""
    enter_user(app, **CREDENTIALS)
    code = alice.wx_login()
    wrong = client.post("login", code=code, account="alice@acme", password="wrong")
    assert failure(wrong) == (401, "credentials_wrong")
    assert rows.count("social_accounts") == rows.count("login_sessions") == 0
    assert client.post("login", code=code, **CREDENTIALS).status_code == 200


def test_an_identity_bound_to_another_user_is_not_taken_by_a_password(
    app: Flask, client: Client, alice: Person
) -> None:
    """Otherwise a colleague's password moves my WeChat identity."""
    enter_user(app, account="boss", password=GOOD_PASSWORD)
    token = client.bind(alice)["token"]
    refused = client.post("bind", token, account="boss", password=GOOD_PASSWORD)
    assert failure(refused) == (409, "social_account_taken")
    assert client.me(token).status_code == 200


def test_unbind_frees_this_apps_identity_only(client: Client, alice: Person, rows: Reader) -> None:
    """Otherwise leaving one mini-program logs the person out of all, as a seed did."""
    club = client.bind(alice, ACME_CLUB)
    shop = client.bind(alice, ACME_SHOP)
    second_device = client.log_in(alice, ACME_SHOP)["token"]
    freed = client.post("unbind", shop["token"]).json
    assert (freed["bound"], freed["refresh_token"], freed["user"]) == (False, None, None)
    assert failure(client.me(shop["token"])) == (401, "session_replaced")
    assert failure(client.me(second_device)) == (401, "session_revoked")
    assert client.me(club["token"]).json["id"] == shop["user"]["id"]
    assert not client.log_in(alice, ACME_SHOP)["bound"], "unionid must not undo what they chose"
    assert client.log_in(alice, ACME_CLUB)["bound"]
    assert client.bind(alice, ACME_SHOP)["user"]["id"] == shop["user"]["id"]


def test_unbind_after_a_login_by_password_keeps_that_login(
    app: Flask, client: Client, alice: Person
) -> None:
    """Otherwise freeing the WeChat identity throws the user out who is logged in without it."""
    enter_user(app, **CREDENTIALS)
    client.log_in(alice, **CREDENTIALS)
    login = client.post("password-login", **CREDENTIALS).json
    freed = client.post("unbind", login["token"]).json
    assert freed["bound"]
    assert client.me(freed["token"]).json["account"] == "alice@acme"
    assert failure(client.post("unbind", freed["token"])) == (409, "no_social_account")
    assert not client.log_in(alice)["bound"]


def test_a_login_by_password_cannot_claim_a_phone_code(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise whoever finds somebody's code owns their number, and them when they come."""
    enter_user(app, **CREDENTIALS)
    token = client.post("password-login", **CREDENTIALS).json["token"]
    alice.wx_login()
    refused = client.post("phone", token, **alice.tap_phone_new())
    assert failure(refused) == (409, "no_social_account")
    assert rows.count("phones") == 0


def test_a_bare_user_of_several_apps_is_merged_with_all_identities(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a person known in two mini-programs can never become who the tenant entered."""
    owner = enter_user(app, phone="13800138001")
    assert client.log_in(alice, ACME_CLUB)["bound"]
    shop = client.log_in(alice, ACME_SHOP)
    assert shop["user"]["id"] != owner
    merged = client.post("phone", shop["token"], **alice.tap_phone_new()).json
    assert merged["user"]["id"] == owner
    assert client.log_in(alice, ACME_CLUB)["user"]["id"] == owner


def test_unionid_joins_a_new_identity_to_its_user(client: Client, alice: Person) -> None:
    """Otherwise a person is asked for the phone again in each of the tenant's mini-programs."""
    shop = client.bind(alice, ACME_SHOP)
    club = client.log_in(alice, ACME_CLUB)
    assert club["unionid"] == shop["unionid"]
    assert club["openid"] != shop["openid"]
    assert club["user"]["id"] == shop["user"]["id"]


def test_a_unionid_that_appears_later_joins_then(
    client: Client, wechat: WeChat, alice: Person
) -> None:
    """Otherwise people who came before the app joined its Open Platform stay apart for ever."""
    wechat.fault("no_unionid", times=1)
    early = client.log_in(alice, ACME_STAFF)
    assert (early["unionid"], early["bound"]) == (None, False)
    shop = client.bind(alice, ACME_SHOP)
    assert client.log_in(alice, ACME_STAFF)["user"]["id"] == shop["user"]["id"]


def test_a_unionid_that_appears_later_makes_two_users_one(
    client: Client, wechat: WeChat, alice: Person, rows: Reader
) -> None:
    """Otherwise who came before the app joined its Open Platform is two users for ever."""
    wechat.fault("no_unionid", times=1)
    bare = client.log_in(alice, ACME_CLUB)
    shop = client.bind(alice, ACME_SHOP)
    assert shop["user"]["id"] != bare["user"]["id"]
    club = client.log_in(alice, ACME_CLUB)
    assert club["user"]["id"] == shop["user"]["id"]
    assert failure(client.me(bare["token"])) == (401, "session_revoked")
    assert rows.count("users", "status = 'active'") == 1
    assert rows.count("audit_events", "action = 'user.merged'") == 1


def test_a_unionid_that_appears_at_the_phones_owner_brings_the_bare_user_home(
    client: Client, wechat: WeChat, alice: Person, rows: Reader
) -> None:
    """Otherwise it depends on the order of the apps whether a person is one user."""
    wechat.fault("no_unionid", times=1)
    shop = client.bind(alice, ACME_SHOP)
    bare = client.log_in(alice, ACME_CLUB)
    assert shop["user"]["id"] != bare["user"]["id"]
    assert client.log_in(alice, ACME_SHOP)["user"]["id"] == shop["user"]["id"]
    assert client.log_in(alice, ACME_CLUB)["user"]["id"] == shop["user"]["id"]
    assert rows.count("users", "status = 'active'") == 1


@pytest.mark.parametrize("way", ["unbind", "bare"])
def test_a_stolen_login_does_not_give_its_identity_to_the_thiefs_account(
    way: str, app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise every later wx.login of the victim leads into the thief's account."""
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
    assert client.post("bind", fresh, here, **mine).status_code == 200, "who has the WeChat may"


def test_a_number_from_abroad_and_a_test_number_work(client: Client, wechat: WeChat) -> None:
    """Otherwise people outside China, and WeChat's own test accounts, cannot log in."""
    abroad = client.bind(Person(wechat, "john", "4155550100", "1"))
    assert abroad["user"]["phone"] == "+14155550100"
    tester = client.bind(Person(wechat, "tester", "12066600001"))
    assert tester["user"]["phone"] == "+8612066600001"
