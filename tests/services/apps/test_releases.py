"""Deleting, releasing and moving an app: kept rows, and what each tenant can see."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app.errors import AppBusy, AppUnknown
from app.models import WeChatPush
from app.models.wechat_app import original_appid, released_key
from app.services.apps import app_records, releases
from app.services.apps.app_secrets import get_secrets
from app.services.apps.apps import NewApp, add_app, get_app
from app.services.apps.releases import release_app
from app.services.audit import OPERATOR
from app.services.database.transactions import transaction
from app.services.pushes.push_retry import Retried, retry_pushes
from app.services.pushes.receive import HANDLERS, receive
from app.services.retention.run import run_retention
from app.services.social_accounts.accounts import upsert_social_account
from app.wechat import WeChatIdentity
from tests.fixtures.operators import Script, signed_in
from tests.fixtures.personas import ACME_SHOP, App, Client, Person, Reader, WeChat, failure
from tests.fixtures.portal import REVOKE, Portal, configure, event, succeeded
from tests.fixtures.tables import changes, read_tables

CAFE = App("wxcafe000000000004", "acme", "cc" * 16, "on_login")
WRONG = "0f" * 16
HERE, THERE = (f"/tenants/{slug}/apps/{CAFE.appid}" for slug in ("acme", "globex"))


@pytest.fixture(autouse=True)
def _cafe(app: Flask, wechat: WeChat) -> None:
    """Add an unused café app to acme."""
    wechat.control("apps", appid=CAFE.appid, secret=CAFE.secret, open_platform="acme")
    with app.app_context():
        add_app("acme", NewApp(CAFE.appid, "Café", "on_login", "json", CAFE.secret))


@pytest.fixture
def ann(app: Flask) -> Script:
    """Return the admin API client of Ann, a tenant admin of acme."""
    return signed_in(app, "ann@acme.example", "tenant_admin", "acme")


@pytest.fixture
def bob(app: Flask) -> Script:
    """Return the admin API client of Bob, a tenant admin of globex."""
    return signed_in(app, "bob@globex.example", "tenant_admin", "globex")


@pytest.fixture
def ops(app: Flask) -> Script:
    """Return the admin API client of a platform admin."""
    return signed_in(app, "ops@wxpass.example", "platform")


def claim(bob: Script, secret: str = CAFE.secret) -> Any:
    """Add a claim of globex to the appid of the café app."""
    new = {"appid": CAFE.appid, "name": "Globex Café", "secret": secret}
    answer = bob("POST", "/tenants/globex/apps", json=new | {"registration": "on_login"})
    assert answer.status_code == 201, answer.text
    return answer.json


def release(ops: Script) -> TestResponse:
    """Release acme's café app."""
    return ops("POST", f"{HERE}/release", json={})


def move(ops: Script, to: str = "globex") -> TestResponse:
    """Move acme's café app to another tenant."""
    return ops("POST", f"{HERE}/move", json={"tenant": to})


def push_about(app: Flask, client: Client, openid: str) -> None:
    """Send a push of the café app about an openid to the service."""
    configure(app, app=CAFE)
    message = event("text", MsgType="text", FromUserName=openid, OpenID=openid)
    assert succeeded(Portal(client, CAFE).push(message | {"AppID": CAFE.appid}))


def erase_closed_accounts(app: Flask, rows: Reader) -> None:
    """End the grace period of closed accounts and run retention."""
    rows("UPDATE users SET erase_after = now() WHERE erase_after IS NOT NULL")
    with app.app_context():
        assert dict(run_retention())["closed_accounts"] == 1


def released_key_of_cafe(rows: Reader) -> str:
    """Return the key under which acme's released café app is stored."""
    ((key,),) = rows("SELECT appid FROM wechat_apps WHERE released_at IS NOT NULL")
    return str(key)


def audit_of_cafe(script: Script, tenant: str) -> list[tuple[str, Any]]:
    """Return the tenant's audit actions about the café app with details, newest first."""
    log = script("GET", f"/tenants/{tenant}/audit?subject={CAFE.appid}").json
    return [(one["action"], one["details"]) for one in log["items"]]


# Deletion


def test_unused_app_is_deleted_by_its_tenant(
    ann: Script, client: Client, rows: Reader, app: Flask, wechat: WeChat
) -> None:
    """Exchanged codes, daily counts and verifications do not prevent the deletion."""
    rows(
        "INSERT INTO code_exchanges (code_index, tenant_id, appid, asked_by, asked_at, session_id)"
        " SELECT 'code', tenant_id, appid, 'client', now(), gen_random_uuid()"
        f" FROM wechat_apps WHERE appid = '{CAFE.appid}'"
    )
    assert ann("POST", f"{HERE}/verification", json={}).json["state"] == "active"
    rows(
        "INSERT INTO daily_counts (tenant_id, day, appid) SELECT tenant_id, current_date, appid"
        f" FROM wechat_apps WHERE appid = '{CAFE.appid}'"
    )
    assert rows.count("code_exchanges", f"appid = '{CAFE.appid}'") == 1
    assert ann("GET", f"{HERE}/usage").json == {"identities": 0, "sessions": 0, "pushes": 0}
    assert ann("DELETE", HERE).status_code == 204
    assert failure(ann("GET", HERE)) == (404, "app_unknown")
    assert failure(client.post("login", app=CAFE, code="x")) == (404, "app_unknown")
    assert audit_of_cafe(ann, "acme")[0] == ("app.deleted", {})
    for table in ("wechat_apps", "code_exchanges", "daily_counts"):
        assert rows.count(table, f"appid = '{CAFE.appid}'") == 0


@pytest.mark.parametrize("use", ["identity", "session", "push"])
def test_used_app_is_not_deleted(
    use: str, app: Flask, ann: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """A single identity, session or push prevents the deletion."""
    if use == "push":
        configure(app, app=CAFE)
        assert succeeded(Portal(client, CAFE).push(event("text", MsgType="text", AppID="")))
    else:
        client.log_in(alice, CAFE)
        rows("DELETE FROM session_keys")
        if use == "identity":
            rows("DELETE FROM login_sessions")
    before = read_tables(rows)
    assert failure(ann("DELETE", HERE)) == (409, "app_in_use")
    assert changes(before, read_tables(rows)) == {}


def test_unknown_or_released_app_or_app_of_another_tenant_cannot_be_deleted(
    ann: Script, bob: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """An app of another tenant is unknown, also after it was released there."""
    assert failure(bob("DELETE", THERE)) == (404, "app_unknown")
    assert failure(bob("GET", f"{THERE}/usage")) == (404, "app_unknown")
    assert failure(ann("DELETE", "/tenants/acme/apps/wxnone")) == (404, "app_unknown")
    assert ann("GET", HERE).status_code == 200
    client.log_in(alice, CAFE)
    release(ops)
    key = released_key_of_cafe(rows)
    assert failure(ann("DELETE", f"/tenants/acme/apps/{key}")) == (409, "app_released")
    for unknown in (key, f"{ACME_SHOP.appid}{key[-21:]}"):
        path = f"/tenants/globex/apps/{unknown}"
        assert failure(bob("DELETE", path)) == (404, "app_unknown")
        for change in ("release", "move"):
            asked = {"tenant": "acme"} if change == "move" else {}
            assert failure(ops("POST", f"{path}/{change}", json=asked)) == (404, "app_unknown")


# Release


def test_release_frees_the_appid_and_keeps_identities_sessions_pushes_and_counts(
    app: Flask, ann: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """The rows are kept under the released app's key, and all sessions end."""
    login = client.log_in(alice, CAFE)
    configure(app, app=CAFE)
    message = event("text", MsgType="text", AppID="", FromUserName=login["openid"])
    assert succeeded(Portal(client, CAFE).push(message))
    rows(
        "INSERT INTO daily_counts (tenant_id, day, appid, opened) SELECT tenant_id, current_date,"
        f" appid, 5 FROM wechat_apps WHERE appid = '{CAFE.appid}'"
    )
    released = release(ops)
    assert (released.status_code, released.json) == (
        200,
        {"identities": 1, "sessions": 1, "pushes": 1},
    )
    key = released_key_of_cafe(rows)
    assert original_appid(key) == CAFE.appid
    for table in ("social_accounts", "login_sessions", "wechat_pushes", "daily_counts"):
        assert rows.count(table, f"appid = '{key}'") == 1
        assert rows.count(table, f"appid = '{CAFE.appid}'") == 0
    assert rows("SELECT end_reason FROM login_sessions") == [("app_released",)]
    assert failure(client.me(login["token"])) == (401, "session_revoked")
    refused = client.post("refresh", app=CAFE, refresh_token=login["refresh_token"])
    assert failure(refused) == (404, "app_unknown")
    assert failure(client.post("login", app=CAFE, code="x")) == (404, "app_unknown")
    user = ann("GET", f"/tenants/acme/users/{login['user']['id']}").json
    assert [one["appid"] for one in user["identities"]] == [key]
    assert audit_of_cafe(ann, "acme")[0] == (
        "app.released",
        {"identities": "1", "sessions": "1", "pushes": "1"},
    )
    (platform,) = ops("GET", "/audit?action=app.released").json["items"]
    assert platform["details"] == {"tenant": "acme"}


def test_released_app_is_shown_without_secrets_and_cannot_be_changed(
    app: Flask, ann: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """Public requests with the released app's key get `app_unknown`."""
    client.log_in(alice, CAFE)
    ann("PUT", f"{HERE}/secrets", json={"next_secret": WRONG, "push_token": "PushToken12345"})
    release(ops)
    key = released_key_of_cafe(rows)
    path = f"/tenants/acme/apps/{key}"
    shown = ann("GET", path).json
    assert (shown["state"], shown["enabled"]) == ("released", False)
    assert [shown[name] for name in ("secret", "next_secret", "push_token")] == [None] * 3
    for method, what, body in (
        ("PATCH", "", {"enabled": True}),
        ("PUT", "/secrets", {"secret": CAFE.secret}),
        ("POST", "/verification", {}),
        ("DELETE", "", None),
        ("GET", "/usage", None),
    ):
        refused = ann(method, f"{path}{what}", json=body)
        assert failure(refused) == (409, "app_released"), what
    for what in ("release", "move"):
        body = {"tenant": "globex"} if what == "move" else {}
        assert failure(ops("POST", f"{path}/{what}", json=body))[1] == "app_released"
    answer = client.send("POST", f"/v1/apps/{key}/login", json={"code": "x"})
    assert failure(answer) == (404, "app_unknown")
    assert rows.count("wechat_apps", "secret_sealed IS NULL AND next_secret_sealed IS NULL") == 1
    assert ann("GET", f"/tenants/acme/sessions?appid={key}").json["items"]
    new = {"appid": key, "name": "x", "secret": CAFE.secret}
    assert failure(ann("POST", "/tenants/acme/apps", json=new)) == (422, "appid_invalid")


def test_released_app_can_be_added_again_and_users_are_found_by_unionid(
    ann: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """The identities of the released app still link the unionid to the user."""
    first = client.log_in(alice, CAFE)
    release(ops)
    new = {"appid": CAFE.appid, "name": "Again", "secret": CAFE.secret}
    assert ann("POST", "/tenants/acme/apps", json=new).json["state"] == "active"
    again = client.log_in(alice, CAFE)
    assert (again["bound"], again["user"]["id"]) == (True, first["user"]["id"])
    assert again["openid"] == first["openid"]
    assert release(ops).json["identities"] == 1
    assert rows.count("wechat_apps", "released_at IS NOT NULL") == 2


def test_erasure_deletes_the_pushes_of_a_released_app(
    app: Flask, ann: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """Pushes about the user are found at the released app, by the index of the original appid."""
    login = client.log_in(alice, CAFE)
    push_about(app, client, login["openid"])
    assert rows.count("wechat_pushes", "person_index IS NOT NULL") == 1
    release(ops)
    shop = client.log_in(alice, ACME_SHOP)
    assert shop["user"]["id"] == login["user"]["id"]
    export = client.send("GET", "/v1/me/export", shop["token"]).text
    assert '"event": "text"' in export or '"event":"text"' in export
    assert client.send("DELETE", "/v1/me", shop["token"]).status_code == 200
    erase_closed_accounts(app, rows)
    assert rows.count("wechat_pushes", "person_index IS NOT NULL") == 0
    assert rows.count("wechat_pushes", "message_sealed IS NOT NULL") == 0
    assert rows.count("social_accounts") == 0


def test_erasure_deletes_pushes_that_an_interrupted_release_has_not_moved(
    app: Flask,
    ops: Script,
    client: Client,
    alice: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The release stopped after it moved the identity and before it moved the push."""
    push_about(app, client, client.log_in(alice, CAFE)["openid"])
    move = app_records._move_batch

    def crash(model: Any, *given: Any) -> Any:
        if model is WeChatPush:
            raise OperationalError("", {}, Exception("the server went away"))
        return move(model, *given)

    monkeypatch.setattr(app_records, "_move_batch", crash)
    assert release(ops).status_code == 503
    assert rows.count("wechat_pushes", f"appid = '{CAFE.appid}'") == 1
    assert rows.count("social_accounts", f"appid = '{CAFE.appid}'") == 0
    shop = client.log_in(alice, ACME_SHOP)["token"]
    assert '"text"' in client.send("GET", "/v1/me/export", shop).text
    assert client.send("DELETE", "/v1/me", shop).status_code == 200
    erase_closed_accounts(app, rows)
    assert rows.count("wechat_pushes", "person_index IS NOT NULL") == 0
    assert rows.count("wechat_pushes", "message_sealed IS NOT NULL") == 0


def test_consent_revocation_push_is_processed_only_after_an_interrupted_release_is_finished(
    app: Flask,
    ops: Script,
    client: Client,
    alice: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If processed earlier, the push would find no identity and be marked as done."""
    login = client.log_in(alice, CAFE)
    client.post("profile", login["token"], CAFE, nickname="Alice")
    configure(app, app=CAFE)
    with monkeypatch.context() as patch:
        patch.setitem(HANDLERS, REVOKE, lambda *_: 1 / 0)
        message = event(OpenID=login["openid"], AppID=CAFE.appid, RevokeInfo="6")
        assert succeeded(Portal(client, CAFE).push(message))
    move = app_records._move_batch

    def crash(model: Any, *given: Any) -> Any:
        if model is WeChatPush:
            raise OperationalError("", {}, Exception("the server went away"))
        return move(model, *given)

    with monkeypatch.context() as patch:
        patch.setattr(app_records, "_move_batch", crash)
        assert release(ops).status_code == 503
    with app.app_context():
        assert retry_pushes() == Retried(0, 0)
    assert release(ops).status_code == 200
    with app.app_context():
        assert retry_pushes() == Retried(1, 0)
    assert rows("SELECT nickname FROM social_accounts") == [(None,)]


def test_erasure_keeps_pushes_received_after_the_released_appid_was_added_again(
    app: Flask, ann: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """Such a push is about the openid in the new app, which may belong to another user."""
    openid = client.log_in(alice, CAFE)["openid"]
    release(ops)
    new = {"appid": CAFE.appid, "name": "Café", "secret": CAFE.secret}
    assert ann("POST", "/tenants/acme/apps", json=new).json["state"] == "active"
    push_about(app, client, openid)
    client.send("DELETE", "/v1/me", client.log_in(alice, ACME_SHOP)["token"])
    erase_closed_accounts(app, rows)
    assert rows.count("social_accounts") == 0
    assert rows.count("wechat_pushes", "message_sealed IS NOT NULL") == 1


def test_release_of_an_unused_app_deletes_the_app(ops: Script, rows: Reader) -> None:
    assert release(ops).json == {"identities": 0, "sessions": 0, "pushes": 0}
    assert rows.count("wechat_apps", f"appid LIKE '{CAFE.appid}%'") == 0
    assert failure(release(ops)) == (404, "app_unknown")


def test_repeated_release_request_finishes_an_interrupted_release_under_the_same_key(
    app: Flask,
    wechat: WeChat,
    ops: Script,
    client: Client,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After the interruption the app is disabled and its appid is not free yet."""
    for number in range(5):
        client.log_in(Person(wechat, f"p{number}", f"1390013920{number}"), CAFE)
    monkeypatch.setattr(app_records, "BATCH", 2)
    original, calls = app_records._move_batch, []

    def crash(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise OperationalError("", {}, Exception("the server went away"))
        return original(*given)

    monkeypatch.setattr(app_records, "_move_batch", crash)
    assert release(ops).status_code == 503
    assert rows.count("social_accounts", f"appid = '{CAFE.appid}'") == 3
    assert failure(client.post("login", app=CAFE, code="x")) == (403, "app_disabled")
    assert release(ops).json == {"identities": 5, "sessions": 5, "pushes": 0}
    assert rows.count("social_accounts", f"appid = '{released_key_of_cafe(rows)}'") == 5


def test_release_also_moves_sessions_that_are_added_during_the_release(
    app: Flask,
    wechat: WeChat,
    client: Client,
    alice: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows added during one round are moved in the next round. The number of rounds is limited."""
    client.log_in(alice, CAFE)
    late = rows("SELECT tenant_id, social_account_id FROM login_sessions")[0]
    original, rounds = releases.move_records, []

    def move_and_change(*given: Any) -> None:
        original(*given)
        rounds.append(given)
        if len(rounds) <= most:
            rows(
                "INSERT INTO login_sessions (id, tenant_id, appid, social_account_id, token_hash,"
                " expires_at, seen_at) VALUES (gen_random_uuid(), :t, :a, :s,"
                " uuid_send(gen_random_uuid()), now(), now())",
                t=late[0],
                a=CAFE.appid,
                s=late[1],
            )

    monkeypatch.setattr(releases, "move_records", move_and_change)
    most = 2
    with app.app_context():
        assert release_app(OPERATOR, "acme", CAFE.appid).sessions == 3
        assert len(rounds) == 3
        add_app("acme", NewApp(CAFE.appid, "Café", "on_login", "json", CAFE.secret))
        client.log_in(alice, CAFE)
        rounds.clear()
        most = 1000
        with pytest.raises(AppBusy):
            release_app(OPERATOR, "acme", CAFE.appid)


def test_release_or_move_of_an_app_with_too_many_rows_is_refused_by_the_admin_api(
    ops: Script,
    bob: Script,
    client: Client,
    alice: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request for an app with too many rows is refused before it changes any row."""
    client.log_in(alice, CAFE)
    claim(bob)
    monkeypatch.setattr(releases, "MOST_BY_REQUEST", 1)
    before = read_tables(rows)
    assert failure(release(ops)) == (409, "app_release_too_large")
    assert failure(move(ops)) == (409, "app_release_too_large")
    assert set(changes(before, read_tables(rows))) <= {"operator_sessions"}


# Moves


def test_move_activates_the_claim_and_leaves_the_users_with_the_previous_tenant(
    ann: Script, bob: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """The receiving tenant gets the app with the settings of its own claim, without users."""
    login = client.log_in(alice, CAFE)
    assert claim(bob)["verdict"]["outcome"] == "held_elsewhere"
    assert move(ops).json == {"identities": 1, "sessions": 1, "pushes": 0}
    assert failure(client.me(login["token"])) == (401, "session_revoked")
    shown = bob("GET", THERE).json
    assert (shown["state"], shown["name"]) == ("active", "Globex Café")
    assert failure(ann("GET", HERE)) == (404, "app_unknown")
    again = client.log_in(alice, CAFE)
    assert again["openid"] == login["openid"]
    assert again["user"]["id"] != login["user"]["id"]
    assert [one[0] for one in audit_of_cafe(bob, "globex")] == [
        "app.activated",
        "app_claim.held_elsewhere",
        "app_claim.added",
    ]
    assert [one[0] for one in audit_of_cafe(ann, "acme")] == ["app.released", "app.added"]
    for script, own, other in ((ann, "acme", "globex"), (bob, "globex", "acme")):
        for what in ("audit", "apps", "sessions", "users"):
            assert other not in script("GET", f"/tenants/{own}/{what}").text.lower(), what
    (platform,) = ops("GET", "/audit?action=app.moved").json["items"]
    assert platform["details"] == {"from_tenant": "acme", "to_tenant": "globex"}


@pytest.mark.parametrize(("had", "has"), [("off", 2), (2, "off"), ("off", None), (None, "off")])
def test_move_applies_the_session_limit_of_the_claim_and_keeps_that_of_the_released_app(
    had: Any, has: Any, bob: Script, ops: Script, client: Client, alice: Person
) -> None:
    """The parameters are the limits of the releasing and of the receiving tenant."""
    assert ops("PATCH", HERE, json={"session_limit": had}).status_code == 200
    client.log_in(alice, CAFE)
    claim(bob)
    assert bob("PATCH", THERE, json={"session_limit": has}).status_code == 200
    assert move(ops).status_code == 200
    (kept,) = [one for one in ops("GET", "/tenants/acme/apps").json["items"] if "~" in one["appid"]]
    assert kept["session_limit"] == had
    assert bob("GET", THERE).json["session_limit"] == has
    tokens = [client.log_in(alice, CAFE)["token"] for _ in range(3)]
    assert client.me(tokens[0]).status_code == (401 if has == 2 else 200)


def test_login_that_began_before_a_move_is_refused_and_writes_nothing(
    app: Flask, bob: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """The request has read the app before the move, when another tenant had the app."""
    with app.app_context():
        former = get_app(CAFE.appid)
        claim(bob)
        move(ops)
        openid = client.log_in(alice, CAFE)["openid"]
        before = read_tables(rows)
        with pytest.raises(AppUnknown), transaction() as db:
            upsert_social_account(db, former, WeChatIdentity(openid, "key", "another-unionid"))
        with pytest.raises(AppUnknown):
            receive(former, b"{}", timestamp="0", nonce="x")
        with pytest.raises(AppUnknown):
            get_secrets(former.appid, former.tenant_id)
    assert changes(before, read_tables(rows)) == {}


def test_unused_app_can_be_moved_to_another_tenant_and_back(
    ann: Script, bob: Script, ops: Script, rows: Reader
) -> None:
    """No released app stays with the previous tenant, because it has no rows to keep."""
    claim(bob)
    assert move(ops).status_code == 200
    assert rows.count("wechat_apps", f"appid LIKE '{CAFE.appid}%'") == 1
    new = {"appid": CAFE.appid, "name": "Café", "secret": CAFE.secret}
    assert ann("POST", "/tenants/acme/apps", json=new).json["state"] == "pending"
    assert ops("POST", f"{THERE}/move", json={"tenant": "acme"}).status_code == 200
    assert ann("GET", HERE).json["state"] == "active"


@pytest.fixture(params=["used", "unused"])
def cafe(request: pytest.FixtureRequest, client: Client, alice: Person) -> None:
    """The app that is moved, with or without a WeChat identity."""
    if request.param == "used":
        client.log_in(alice, CAFE)


def test_move_is_refused_if_the_claim_is_replaced_during_the_call_to_wechat(
    cafe: None, bob: Script, ops: Script, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WeChat has not verified the new AppSecret. The app stays as it was."""
    claim(bob)
    original = releases.ask_claimed

    def ask_and_replace(*given: Any) -> Any:
        verdict = original(*given)
        assert bob("PUT", f"{THERE}/secrets", json={"secret": WRONG}).status_code == 200
        return verdict

    monkeypatch.setattr(releases, "ask_claimed", ask_and_replace)
    before = rows("SELECT * FROM wechat_apps ORDER BY appid")
    assert failure(move(ops)) == (409, "app_claim_changed")
    assert rows("SELECT * FROM wechat_apps ORDER BY appid") == before


def test_move_requires_a_claim_with_a_secret_that_wechat_accepts(
    ann: Script, bob: Script, ops: Script, wechat: WeChat, rows: Reader
) -> None:
    """A platform admin cannot move an app to a tenant without a correct AppSecret."""
    assert failure(move(ops)) == (404, "app_claim_unknown")
    assert failure(move(ops, "acme")) == (404, "app_claim_unknown")
    assert failure(move(ops, "nobody")) == (404, "tenant_unknown")
    claim(bob, WRONG)
    before = rows("SELECT * FROM wechat_apps ORDER BY appid")
    assert failure(move(ops)) == (409, "app_not_proven")
    bob("PUT", f"{THERE}/secrets", json={"secret": CAFE.secret})
    wechat.fault("drop", "/cgi-bin/stable_token")
    assert failure(move(ops)) == (409, "app_not_proven")
    wechat.control("reset")
    rows("UPDATE app_claims SET closed_at = now(), secret_sealed = NULL")
    assert failure(move(ops)) == (409, "app_claim_closed")
    assert rows("SELECT * FROM wechat_apps ORDER BY appid") == before
    refused = ops("POST", f"{THERE}/move", json={"tenant": "acme"})
    assert failure(refused) == (404, "app_unknown"), "globex has only a claim"
    for wrong in ({}, {"tenant": "A B"}, {"tenant": None}, {"tenant": "globex", "x": 1}):
        assert failure(ops("POST", f"{HERE}/move", json=wrong)) == (422, "request_invalid")


def test_app_can_be_released_after_its_claim_is_withdrawn_during_a_move(
    bob: Script,
    ops: Script,
    client: Client,
    alice: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The failed move leaves the app disabled with its tenant. A platform admin can release it."""
    client.log_in(alice, CAFE)
    claim(bob)
    original = releases.move_records

    def change_during_move(*given: Any) -> None:
        original(*given)
        bob("DELETE", THERE)

    monkeypatch.setattr(releases, "move_records", change_during_move)
    assert failure(move(ops)) == (404, "app_unknown")
    assert rows("SELECT enabled FROM wechat_apps WHERE appid = :a", a=CAFE.appid) == [(False,)]
    assert failure(move(ops)) == (404, "app_claim_unknown")
    assert release(ops).json["identities"] == 1


def test_tenant_admins_cannot_release_or_move_an_app(ann: Script, bob: Script) -> None:
    """Only platform admins may release or move an app."""
    claim(bob)
    for script, path in ((ann, HERE), (bob, HERE), (bob, THERE)):
        for what, body in (("release", {}), ("move", {"tenant": "globex"})):
            refused = script("POST", f"{path}/{what}", json=body)
            assert failure(refused) == (403, "role_too_low")
    assert ann("GET", HERE).json["state"] == "active"


# Command line


def test_app_commands_verify_move_release_and_remove_an_app(
    app: Flask, client: Client, alice: Person, wechat: WeChat
) -> None:
    """Exit codes and output for an appid that two tenants have added."""
    runner = app.test_cli_runner()

    def run(*arguments: str, stdin: str = "") -> tuple[int, str]:
        result = runner.invoke(args=["apps", *arguments], input=f"{stdin}\n")
        assert not stdin or stdin not in result.output
        return result.exit_code, result.output

    client.log_in(alice, CAFE)
    options = ("--tenant", "globex", "--name", "Globex Café", "--secret-stdin")
    assert run("add", CAFE.appid, *options, stdin=WRONG)[0] == 1
    listed = run("list")[1]
    assert f"{CAFE.appid}\tacme\ton_login\tenabled" in listed
    assert f"{CAFE.appid}\tglobex\ton_phone\tpending" in listed
    assert run("move", CAFE.appid, "--tenant", "acme", "--to", "globex")[0] == 1
    secret = ("set-secret", CAFE.appid, "--tenant", "globex", "--secret-stdin")
    assert run(*secret, stdin=CAFE.secret)[0] == 0
    code, output = run("verify", CAFE.appid, "--tenant", "globex")
    assert (code, "another tenant of this service" in output) == (1, True)
    assert run("verify", CAFE.appid)[0] == 0, "without --tenant, the active app is verified"
    code, output = run("move", CAFE.appid, "--tenant", "acme", "--to", "globex")
    assert (code, "Kept for acme: 1 identities, 1 sessions, 0 pushes." in output) == (0, True)
    assert f"{CAFE.appid}\tglobex\ton_phone\tenabled" in run("list")[1]
    assert "\treleased\t" in run("list", "--tenant", "acme")[1]
    assert run("remove", CAFE.appid, "--tenant", "acme")[0] == 1
    assert run("remove", CAFE.appid, "--tenant", "globex")[0] == 0
    assert run("release", CAFE.appid, "--tenant", "globex")[0] == 1
    for tenant in ("acme", "globex"):
        added = run("add", CAFE.appid, "--tenant", tenant, *options[2:], stdin=WRONG)
        assert added[0] == 1
    code, output = run("verify", CAFE.appid)
    assert (code, "say which with --tenant" in output) == (2, True)
    assert run("set-secret", CAFE.appid, "--secret-stdin", stdin=WRONG)[0] == 2
    assert run("remove", CAFE.appid, "--tenant", "acme")[0] == 0
    assert run("verify", CAFE.appid, "--tenant", "acme")[0] == 1
    assert run(*secret, stdin=CAFE.secret)[0] == 0
    assert run("verify", CAFE.appid)[0] == 0
    assert client.post("login", app=CAFE, code=alice.wx_login(CAFE)).status_code == 200
    assert run("release", CAFE.appid, "--tenant", "globex")[0] == 0


def test_move_command_with_unproven_moves_an_app_without_a_call_to_wechat(
    app: Flask, bob: Script, wechat: WeChat
) -> None:
    """Platform admins may move an app while WeChat is unreachable."""
    claim(bob, WRONG)
    wechat.control("reset")
    arguments = ["apps", "move", CAFE.appid, "--tenant", "acme", "--to", "globex", "--unproven"]
    moved = app.test_cli_runner().invoke(args=arguments)
    assert (moved.exit_code, wechat.calls()) == (0, [])
    assert bob("GET", THERE).json["state"] == "active"


# Released keys


def test_released_key_contains_the_appid_and_the_time_in_utc(rows: Reader) -> None:
    """Without UTC, a process in another time zone would continue the release with another key."""
    ((moment,),) = rows("SELECT timestamptz '2026-01-02 03:04:05.678901+08'")
    key = released_key(CAFE.appid, moment)
    assert key == f"{CAFE.appid}~20260101190405678901"
    assert original_appid(key) == original_appid(CAFE.appid) == CAFE.appid
