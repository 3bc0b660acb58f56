"""Changes that operators make in a tenant, and the audit events of these changes."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from app.errors import MergedIdentitiesGone, UserMerged
from app.services.apps.app_secrets import get_secrets, promote_next_secret
from app.services.apps.apps import NewApp, get_app
from app.services.apps.changes import AppSettings, SecretChanges
from app.services.database.paging import CursorPage
from app.services.tenant_admin import apps, sessions, user_changes
from app.services.tenant_admin import users as tenant_users
from app.services.tenant_admin.audit_log import AuditQuery, list_audit
from app.services.tenant_admin.tenant_scope import TenantScope
from tests.fixtures.operators import Script, signed_in, tenant_scope_of
from tests.fixtures.passwords import GOOD_PASSWORD, OTHER_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    WeChat,
    enter_user,
    failure,
)
from tests.services.login.test_concurrency import run_concurrently

ANN = "ann@acme.example"
APPS, USERS = "/tenants/acme/apps", "/tenants/acme/users"
SHOP = f"{APPS}/{ACME_SHOP.appid}"
CAROL = {"account": "carol", "password": GOOD_PASSWORD}


@pytest.fixture
def ann(app: Flask) -> Script:
    """Return the admin API client of Ann, a tenant admin of acme."""
    return signed_in(app, ANN, "tenant_admin", "acme")


def last_event(script: Script, action: str) -> dict[str, Any]:
    """Return the newest audit event of an action. Check that Ann is its actor."""
    event: dict[str, Any] = script("GET", f"/tenants/acme/audit?action={action}").json["items"][0]
    assert (event["actor_kind"], event["actor_email"]) == ("operator", ANN)
    assert event["address"] == "127.0.0.1"
    return event


def change_of(script: Script, action: str) -> tuple[Any, Any]:
    """Return the values before and after the change in the newest audit event of an action."""
    details = last_event(script, action)["details"]
    return details.get("before"), details.get("after")


def test_app_added_with_a_correct_secret_is_active_immediately(
    ann: Script, wechat: WeChat, client: Client, alice: Person
) -> None:
    """The request adds and proves the claim. The audit log has an event for each step."""
    new = {"appid": "wxaaaa000000000009", "name": "新店", "secret": "f0" * 16}
    wechat.control("apps", appid=new["appid"], secret=new["secret"], open_platform="acme")
    added = ann("POST", APPS, json=new | {"registration": "on_login", "push_token": "Token123"})
    assert added.status_code == 201
    assert (added.json["state"], added.json["verdict"]["outcome"]) == ("active", "right")
    assert added.json["secret"]["set_at"]
    assert added.json["next_secret"] is None
    code = wechat.control("login", person="alice", appid=new["appid"])["code"]
    login = client.send("POST", f"/v1/apps/{new['appid']}/login", json={"code": code})
    assert login.json["bound"] is True
    before, after = change_of(ann, "app_claim.added")
    assert before is None
    marks = {name: added.json[name]["fingerprint"] for name in ("secret", "push_token")}
    assert after == {
        "name": "新店",
        "registration": "on_login",
        "data_format": "json",
        **marks,
    }
    activated = {"encoding_aes_key": None, **marks}
    assert change_of(ann, "app.activated") == (None, activated)
    assert failure(ann("POST", APPS, json=new)) == (409, "app_exists")


def test_app_change_applies_to_the_next_request(ann: Script, client: Client, alice: Person) -> None:
    token = client.bind(alice)["token"]
    assert ann("PATCH", SHOP, json={"enabled": False, "session_limit": 3}).json["enabled"] is False
    assert failure(client.me(token)) == (403, "app_disabled")
    assert change_of(ann, "app.changed") == (
        {"enabled": True, "session_limit": None},
        {"enabled": False, "session_limit": 3},
    )
    assert ann("PATCH", SHOP, json={"enabled": True}).status_code == 200
    for wrong in ({}, {"enabled": "yes"}, {"secret": "x"}, {"name": " "}):
        assert failure(ann("PATCH", SHOP, json=wrong)) == (422, "request_invalid"), wrong


def test_session_limit_of_an_app_can_be_a_number_off_or_the_default(
    ann: Script, app: Flask
) -> None:
    """The limit is returned as set, recorded in the audit log, and used by the next request."""
    for limit, in_force in ((3, 3), ("off", None), (None, 50), (1000, 1000)):
        before = ann("GET", SHOP).json["session_limit"]
        assert ann("PATCH", SHOP, json={"session_limit": limit}).json["session_limit"] == limit
        assert ann("GET", SHOP).json["session_limit"] == limit
        assert change_of(ann, "app.changed") == (
            {"session_limit": before},
            {"session_limit": limit},
        )
        with app.app_context():
            assert get_app(ACME_SHOP.appid).session_limit == in_force
    for wrong in (0, -1, 1001, 2.5, True, "3", "OFF", "", "default", [3], {}):
        refused = ann("PATCH", SHOP, json={"session_limit": wrong})
        assert failure(refused) == (422, "request_invalid"), wrong
        assert list(refused.json["errors"]) == ["session_limit"]
    assert ann("GET", SHOP).json["session_limit"] == 1000


def test_app_secrets_are_stored_and_never_returned(ann: Script, app: Flask) -> None:
    secrets = {
        "secret": "0123456789abcdef0123456789abc1e5",
        "next_secret": "fedcba9876543210fedcba9876543a7c",
        "push_token": "PushToken12345",
        "encoding_aes_key": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    }
    shown = ann("PUT", f"{SHOP}/secrets", json=secrets)
    answers = [shown, ann("GET", SHOP), ann("GET", APPS), ann("GET", "/tenants/acme/audit")]
    for answer in answers:
        assert answer.status_code == 200
        for secret in secrets.values():
            assert secret not in answer.text
            assert f'"{secret[-4:]}"' not in answer.text
    marks = {shown.json[name]["fingerprint"] for name in secrets}
    assert len(marks) == 4
    with app.app_context():
        assert get_secrets(ACME_SHOP.appid).next == secrets["next_secret"]
    same = ann("PUT", f"{SHOP}/secrets", json={"secret": secrets["secret"]})
    assert same.json["secret"]["fingerprint"] == shown.json["secret"]["fingerprint"]
    other = ann("PUT", f"{APPS}/{ACME_CLUB.appid}/secrets", json={"secret": secrets["secret"]})
    assert other.json["secret"]["fingerprint"] not in marks, (
        "equal secrets of different apps have different fingerprints"
    )


def test_changes_of_app_secrets_are_recorded_in_the_audit_log_with_fingerprints(
    ann: Script,
) -> None:
    was = ann("GET", SHOP).json["secret"]["fingerprint"]
    shown = ann("PUT", f"{SHOP}/secrets", json={"secret": "e0" * 16}).json
    assert change_of(ann, "app.secret_replaced") == (
        {"secret": was},
        {"secret": shown["secret"]["fingerprint"]},
    )
    given = ann("PUT", f"{SHOP}/secrets", json={"next_secret": "e1" * 16}).json
    removed = ann("PUT", f"{SHOP}/secrets", json={"next_secret": None}).json
    assert removed["next_secret"] is None
    assert change_of(ann, "app.next_secret_set")[0] == {"next_secret": None}
    assert change_of(ann, "app.next_secret_removed") == (
        {"next_secret": given["next_secret"]["fingerprint"]},
        {"next_secret": None},
    )
    ann("PUT", f"{SHOP}/secrets", json={"push_token": "PushToken12345"})
    assert change_of(ann, "app.push_secrets_replaced")[0] == {"push_token": None}
    for wrong in ({}, {"secret": None}, {"secret": "两"}, {"secret": "a\n"}, {"push_token": "a-b"}):
        refused = ann("PUT", f"{SHOP}/secrets", json=wrong)
        assert failure(refused) == (422, "request_invalid"), wrong


def test_promoted_app_secret_keeps_the_date_when_it_was_entered(ann: Script, app: Flask) -> None:
    entered = ann("PUT", f"{SHOP}/secrets", json={"next_secret": "e1" * 16}).json["next_secret"]
    with app.app_context():
        promote_next_secret(ACME_SHOP.appid, get_secrets(ACME_SHOP.appid))
    shown = ann("GET", SHOP).json
    assert (shown["secret"]["set_at"], shown["next_secret"]) == (entered["set_at"], None)


def test_app_verification_explains_wechats_answer_in_the_operators_language(ann: Script) -> None:
    right = ann("POST", f"{SHOP}/verification", json={})
    assert [one["outcome"] for one in right.json["verdicts"]] == ["right"]
    ann("PUT", f"{SHOP}/secrets", json={"secret": "e0" * 16})
    chinese = {"Accept-Language": "zh-CN"}
    wrong = ann("POST", f"{SHOP}/verification", json={}, headers=chinese).json["verdicts"][0]
    assert (wrong["outcome"], wrong["errcode"]) == ("wrong", 40125)
    assert "AppSecret" in wrong["advice"]
    assert "重置" in wrong["advice"]


def test_no_transaction_is_open_while_wechat_verifies_an_app(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def verify(appid: str, tenant_id: UUID) -> list[Any]:
        from_pool = app.extensions["sqlalchemy"]
        seen.append(
            (appid, from_pool.session.registry.has() and from_pool.session().in_transaction())
        )
        return []

    monkeypatch.setattr(apps, "verify_app", verify)
    with app.app_context():
        apps.verify_tenant_app(tenant_scope_of(app), ACME_SHOP.appid)
    assert seen == [(ACME_SHOP.appid, False)]


def test_users_can_be_searched_by_phone_openid_account_nickname_and_status(
    app: Flask, ann: Script, client: Client, alice: Person, rows: Reader
) -> None:
    user_id = client.bind(alice)["user"]["id"]
    client.post("profile", client.log_in(alice)["token"], nickname="Älice_100%")
    ((openid,),) = rows("SELECT openid FROM social_accounts")
    carol = enter_user(app, "acme", "Carol.Smith", GOOD_PASSWORD)
    found = {
        "phone=13800138001": [user_id],
        "phone=%2B86 138-0013-8001": [user_id],
        "phone=13800138002": [],
        f"openid={openid}": [user_id],
        f"openid={openid[:-1]}": [],
        "account=CAROL": [carol],
        "account=smith": [],
        "account=c%25": [],
        "account=_arol": [],
        "nickname=älice_1": [user_id],
        "nickname=älice%25": [],
        "nickname=%5C": [],
        "nickname=Älice_100%25": [user_id],
        "status=disabled": [],
        "status=active": [carol, user_id],
        "account=carol&status=disabled": [],
    }
    for query, ids in found.items():
        answer = ann("GET", f"{USERS}?{query}&count=true").json
        assert [one["id"] for one in answer["items"]] == ids, query
        assert answer["count"] == len(ids)
    assert ann("GET", f"{USERS}?phone=13800138001").json["items"][0]["phone"] == "138****8001"
    assert failure(ann("GET", f"{USERS}?phone=nobody")) == (422, "phone_search_incomplete")
    assert failure(ann("GET", f"{USERS}?name=x")) == (422, "request_invalid")
    assert failure(ann("GET", f"{USERS}?phone=1&phone=2")) == (422, "request_invalid")


def test_user_page_shows_identities_sessions_and_audit_events_of_the_user(
    ann: Script, client: Client, alice: Person, rows: Reader
) -> None:
    user_id = client.bind(alice)["user"]["id"]
    client.log_in(alice, ACME_CLUB)
    client.post("logout", client.log_in(alice)["token"])
    page = ann("GET", f"{USERS}/{user_id}").json
    assert page["user"]["phone"] == "138****8001"
    assert {one["appid"] for one in page["identities"]} == {ACME_SHOP.appid, ACME_CLUB.appid}
    assert len({one["unionid"] for one in page["identities"]}) == 1
    assert [one["living"] for one in page["sessions"]] == [True, True, False]
    assert {one["action"] for one in page["events"]} == {"social_account.bound", "phone.verified"}
    assert "13800138001" not in str(page)
    token_hashes = str(rows("SELECT token_hash, refresh_hash FROM login_sessions"))
    assert all(one["id"] not in token_hashes for one in page["sessions"])


def test_disabled_user_cannot_log_in_until_enabled_again(
    ann: Script, client: Client, alice: Person
) -> None:
    login = client.bind(alice)
    user = f"{USERS}/{login['user']['id']}"
    assert ann("PATCH", user, json={"status": "disabled"}).json["user"]["status"] == "disabled"
    assert failure(client.me(login["token"]))[0] in (401, 403)
    assert change_of(ann, "user.changed") == ({"status": "active"}, {"status": "disabled"})
    refused = client.post("login", code=alice.wx_login())
    assert failure(refused) == (403, "user_disabled")
    ann("PATCH", user, json={"status": "active"})
    assert failure(client.me(login["token"])) == (401, "session_revoked"), (
        "disabling the user ended the session"
    )
    assert client.log_in(alice)["bound"] is True


def test_operator_can_list_and_end_sessions_of_users(
    app: Flask, ann: Script, client: Client, alice: Person, bob: Person
) -> None:
    login, other = client.bind(alice), client.bind(bob)
    club = client.log_in(alice, ACME_CLUB)
    path, user_id = "/tenants/acme/sessions", login["user"]["id"]
    assert len(ann("GET", path).json["items"]) == 3
    assert len(ann("GET", f"{path}?user_id={user_id}").json["items"]) == 2
    (of_club,) = ann("GET", f"{path}?appid={ACME_CLUB.appid}&living=true").json["items"]
    assert of_club["app_name"] == ACME_CLUB.appid
    assert ann("DELETE", f"{path}/{of_club['id']}").status_code == 204
    assert failure(client.me(club["token"])) == (401, "session_revoked")
    assert last_event(ann, "session.ended")["details"]["user"] == user_id
    assert failure(ann("DELETE", f"{path}/{of_club['id']}")) == (404, "session_unknown")
    assert ann("POST", f"{USERS}/{user_id}/end-sessions", json={}).json == {"ended": 1}
    assert change_of(ann, "sessions.all_ended") == ({"living": 1}, {"living": 0})
    assert failure(client.me(login["token"])) == (401, "session_revoked")
    assert client.me(other["token"]).status_code == 200
    active = ann("GET", f"{path}?living=true").json["items"]
    assert [one["user_id"] for one in active] == [other["user"]["id"]]
    assert len(ann("GET", f"{path}?living=false").json["items"]) == 2


def test_expired_session_with_a_valid_refresh_token_is_listed_as_active(
    ann: Script, client: Client, alice: Person, rows: Reader
) -> None:
    client.bind(alice)
    rows("UPDATE login_sessions SET expires_at = now() - interval '1 day'")
    assert len(ann("GET", "/tenants/acme/sessions?living=true").json["items"]) == 1
    rows("UPDATE login_sessions SET refresh_expires_at = now() - interval '1 day'")
    (only,) = ann("GET", "/tenants/acme/sessions?living=false").json["items"]
    assert only["living"] is False


def test_identity_unbound_by_an_operator_no_longer_logs_in_the_user(
    ann: Script, client: Client, alice: Person, rows: Reader
) -> None:
    login = client.bind(alice)
    user = f"{USERS}/{login['user']['id']}"
    (identity,) = ann("GET", user).json["identities"]
    assert ann("DELETE", f"{user}/identities/{identity['id']}").status_code == 204
    assert failure(client.me(login["token"])) == (401, "session_revoked")
    assert client.log_in(alice)["bound"] is False
    assert change_of(ann, "social_account.unbound") == (
        {"user_id": login["user"]["id"]},
        {"user_id": None},
    )
    gone = ann("DELETE", f"{user}/identities/{identity['id']}")
    assert failure(gone) == (404, "identity_unknown")


def test_setting_the_password_of_a_user_ends_the_users_sessions(
    app: Flask, ann: Script, client: Client
) -> None:
    carol = enter_user(app, **CAROL)
    login = client.post("password-login", **CAROL).json
    body = {"password": OTHER_PASSWORD}
    assert ann("POST", f"{USERS}/{carol}/password", json=body).status_code == 204
    assert failure(client.me(login["token"])) == (401, "session_revoked")
    assert failure(client.post("password-login", **CAROL)) == (401, "credentials_wrong")
    assert client.post("password-login", account="carol", **body).status_code == 200
    assert change_of(ann, "user.password_set") == ({"password": "set"}, {"password": "replaced"})
    nameless = enter_user(app, phone="13800138009")
    refused = ann("POST", f"{USERS}/{nameless}/password", json=body)
    assert failure(refused) == (409, "no_account")
    short = ann("POST", f"{USERS}/{carol}/password", json={"password": "short"})
    assert failure(short) == (422, "request_invalid")


def test_user_added_by_an_operator_can_log_in(ann: Script, client: Client) -> None:
    given = {**CAROL, "phone": "138 0013 8003", "nickname": "Carol"}
    page = ann("POST", USERS, json=given)
    assert page.status_code == 201
    assert page.json["user"]["phone"] == "138****8003"
    assert client.post("password-login", **CAROL).status_code == 200
    after = dict.fromkeys(("account", "password", "phone", "nickname"), "set")
    assert change_of(ann, "user.added") == (None, after)
    assert failure(ann("POST", USERS, json=CAROL)) == (409, "account_exists")
    taken = ann("POST", USERS, json={"phone": "13800138003"})
    assert failure(taken) == (409, "phone_taken")
    for wrong in ({}, {"nickname": "x"}, {"phone": "13800138004", "password": GOOD_PASSWORD}):
        assert failure(ann("POST", USERS, json=wrong)) == (422, "request_invalid"), wrong


def test_audit_events_of_operators_contain_no_names_or_phone_numbers_of_users(
    app: Flask, ann: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """Audit events are kept after the erasure of the user."""
    user_id = client.bind(alice)["user"]["id"]
    ann("POST", USERS, json={**CAROL, "phone": "13800138003", "nickname": "Carol Smith"})
    ann("DELETE", f"{USERS}/{user_id}/phone")
    audit_log = str(rows("SELECT subject, details FROM audit_events"))
    numbers = ("13800138003", "13800138001", "138****")
    for name in ("carol", "Carol Smith", *numbers, GOOD_PASSWORD):
        assert name not in audit_log
    assert change_of(ann, "phone.released") == ({"phone": "set"}, {"phone": None})


@pytest.fixture
def two_users(app: Flask, client: Client, alice: Person) -> tuple[str, str]:
    """Return the ids of a user with a phone number and of a user with account and password."""
    return client.bind(alice)["user"]["id"], enter_user(app, **CAROL)


def test_merge_of_users_moves_identities_and_phone_number_and_can_be_undone(
    ann: Script, two_users: tuple[str, str], client: Client, alice: Person
) -> None:
    by_phone, by_account = two_users
    before = [ann("GET", f"{USERS}/{one}").json for one in two_users]
    merged = ann("POST", f"{USERS}/{by_phone}/merge", json={"into_id": by_account}).json
    assert (merged["user"]["id"], merged["user"]["phone"]) == (by_account, "138****8001")
    assert len(merged["identities"]) == 1
    assert client.log_in(alice)["user"]["id"] == by_account
    was, then = change_of(ann, "user.merged")
    assert was == {"status": "active", "phone": "set"}
    assert then == {"status": "merged", "merged_into_id": by_account, "moved": 1}
    closed = f"{USERS}/{by_phone}"
    for method, path, body in (
        ("PATCH", closed, {"status": "active"}),
        ("POST", f"{closed}/merge", {"into_id": by_account}),
        ("POST", f"{USERS}/{by_account}/merge", {"into_id": by_phone}),
        ("POST", f"{closed}/password", {"password": GOOD_PASSWORD}),
    ):
        assert failure(ann(method, path, json=body)) == (409, "user_merged"), path

    undone = ann("POST", f"{closed}/undo-merge", json={})
    assert undone.status_code == 200
    assert change_of(ann, "user.merge_undone") == ({"status": "merged"}, {"status": "active"})
    after = [ann("GET", f"{USERS}/{one}").json for one in two_users]
    for one, other in zip(before, after, strict=True):
        for name in ("status", "phone", "account", "merged_into_id"):
            assert one["user"][name] == other["user"][name]
        assert [it["id"] for it in one["identities"]] == [it["id"] for it in other["identities"]]
    assert failure(ann("POST", f"{closed}/undo-merge", json={})) == (409, "not_merged")
    assert client.log_in(alice)["user"]["id"] == by_phone


def test_merge_of_a_user_with_only_an_account_can_be_undone(
    ann: Script, two_users: tuple[str, str], client: Client
) -> None:
    by_phone, by_account = two_users
    assert ann("POST", f"{USERS}/{by_account}/merge", json={"into_id": by_phone}).status_code == 200
    assert failure(client.post("password-login", **CAROL)) == (403, "user_disabled")
    assert ann("POST", f"{USERS}/{by_account}/undo-merge", json={}).status_code == 200
    assert client.post("password-login", **CAROL).status_code == 200


def test_two_users_with_a_phone_number_each_cannot_be_merged(
    app: Flask, ann: Script, two_users: tuple[str, str]
) -> None:
    by_phone = two_users[0]
    other = enter_user(app, phone="13800138002")
    merge = f"{USERS}/{by_phone}/merge"
    assert failure(ann("POST", merge, json={"into_id": other})) == (409, "both_have_phones")
    assert ann("DELETE", f"{USERS}/{other}/phone").status_code == 204
    assert ann("POST", merge, json={"into_id": other}).status_code == 200


def test_user_cannot_be_merged_into_itself_another_tenants_user_or_a_disabled_user(
    app: Flask, ann: Script, two_users: tuple[str, str]
) -> None:
    by_phone, by_account = two_users
    merge = f"{USERS}/{by_phone}/merge"
    assert failure(ann("POST", merge, json={"into_id": by_phone}))[1] == "request_invalid"
    foreign = enter_user(app, "globex", phone="13800138001")
    assert failure(ann("POST", merge, json={"into_id": foreign})) == (404, "user_unknown")
    ann("PATCH", f"{USERS}/{by_account}", json={"status": "disabled"})
    assert failure(ann("POST", merge, json={"into_id": by_account})) == (403, "user_disabled")


def test_undo_merge_does_not_give_back_a_phone_number_that_was_replaced_since(
    app: Flask, ann: Script, two_users: tuple[str, str], client: Client, alice: Person
) -> None:
    by_phone, by_account = two_users
    ann("POST", f"{USERS}/{by_phone}/merge", json={"into_id": by_account})
    carla = Person(alice.wechat, "carla", "13800138005")
    token = client.post("bind", client.log_in(carla)["token"], **CAROL).json["token"]
    assert client.post("phone", token, **carla.tap_phone_new()).status_code == 200
    assert ann("POST", f"{USERS}/{by_phone}/undo-merge", json={}).json["user"]["phone"] is None
    assert ann("GET", f"{USERS}/{by_account}").json["user"]["phone"] == "138****8005"


def test_undo_merge_is_refused_if_a_moved_identity_was_unbound_since(
    app: Flask, ann: Script, two_users: tuple[str, str]
) -> None:
    by_phone, by_account = two_users
    merged = ann("POST", f"{USERS}/{by_phone}/merge", json={"into_id": by_account}).json
    scope = tenant_scope_of(app)
    with app.app_context():
        identity_id = UUID(merged["identities"][0]["id"])
        user_changes.unbind_identity(scope, UUID(by_account), identity_id)
        with pytest.raises(MergedIdentitiesGone):
            user_changes.undo(scope, UUID(by_phone))


@pytest.mark.real_commits
def test_one_of_two_concurrent_merges_in_opposite_directions_succeeds(
    app: Flask, rows: Reader
) -> None:
    ids = [UUID(enter_user(app, account=name, password=GOOD_PASSWORD)) for name in ("a", "b")]
    scope = tenant_scope_of(app)

    def merge(one: UUID, into: UUID) -> str:
        with app.app_context():
            try:
                user_changes.merge_users(scope, one, into)
            except UserMerged:
                return "refused"
            return "merged"

    done = run_concurrently([lambda: merge(*ids), lambda: merge(ids[1], ids[0])])
    assert sorted(done) == ["merged", "refused"]
    assert rows.count("users", "status = 'merged'") == 1


def test_audit_log_can_be_filtered_by_action_actor_subject_and_time(
    app: Flask, ann: Script, client: Client, alice: Person
) -> None:
    user_id = client.bind(alice)["user"]["id"]
    path = "/tenants/acme/audit"
    everything = ann("GET", f"{path}?limit=200&count=true").json
    assert everything["count"] == len(everything["items"]) > 5
    found = {
        "action=app.added": {"app.added"},
        "actor_kind=user": {"social_account.bound", "phone.verified"},
        f"subject={user_id}": {"phone.verified"},
        "actor_email=Ann@acme.example": {"operator.password_set", "operator.signed_in"},
        "actor_email=nobody@acme.example": set(),
        "since=2020-01-01T00:00:00Z&action=app.added": {"app.added"},
        "until=2020-01-01T00:00:00Z": set(),
        "since=2999-01-01T00:00:00Z": set(),
    }
    for query, actions in found.items():
        items = ann("GET", f"{path}?{query}").json["items"]
        assert {one["action"] for one in items} == actions, query
    for wrong in ("since=yesterday", "since=2020-01-01T00:00:00", "actor_kind=x", "limit=0"):
        assert failure(ann("GET", f"{path}?{wrong}")) == (422, "request_invalid"), wrong


def changing_services(scope: TenantScope) -> list[Callable[[], Any]]:
    """Return a call of each service function that changes data of a tenant."""
    unknown = UUID(int=0)
    new = NewApp("wxaaaa000000000009", "x", "closed", "json", "f" * 32)
    return [
        lambda: apps.add_tenant_app(scope, new),
        lambda: apps.change_tenant_app(scope, ACME_SHOP.appid, AppSettings(name="x")),
        lambda: apps.set_tenant_secrets(scope, ACME_SHOP.appid, SecretChanges(secret="x")),
        lambda: apps.verify_tenant_app(scope, ACME_SHOP.appid),
        lambda: apps.remove_tenant_app(scope, ACME_SHOP.appid),
        lambda: user_changes.create_user(scope, account="x"),
        lambda: user_changes.set_user_status(scope, unknown, "disabled"),
        lambda: user_changes.end_user_sessions(scope, unknown),
        lambda: user_changes.unbind_identity(scope, unknown, unknown),
        lambda: user_changes.set_user_password(scope, unknown, GOOD_PASSWORD),
        lambda: user_changes.release_phone(scope, unknown),
        lambda: user_changes.merge_users(scope, unknown, unknown),
        lambda: user_changes.undo(scope, unknown),
        lambda: sessions.end_session(scope, unknown),
    ]


def test_service_functions_that_change_a_tenant_refuse_a_tenant_viewer(app: Flask) -> None:
    changes = changing_services(tenant_scope_of(app, may_change=False))
    with app.app_context():
        for change in changes:
            with pytest.raises(Exception, match="role_too_low"):
                change()


def test_user_list_and_audit_log_contain_only_rows_of_the_tenant(
    app: Flask, client: Client, alice: Person
) -> None:
    client.bind(alice)
    client.bind(alice, GLOBEX_LIFE)
    acme, globex = tenant_scope_of(app), tenant_scope_of(app, "globex")
    with app.app_context():
        for scope in (acme, globex):
            users = tenant_users.find_users(scope, tenant_users.UserQuery(), CursorPage()).items
            assert len(users) == 1
            events = list_audit(scope, AuditQuery(), CursorPage(limit=200)).items
            other = globex if scope is acme else acme
            theirs = list_audit(other, AuditQuery(), CursorPage(limit=200)).items
            assert not {one.id for one in events} & {one.id for one in theirs}
