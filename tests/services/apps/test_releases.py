"""Taking an appid from its tenant: what is deleted, what stays, and what each tenant sees."""

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
from app.services.retention import run_retention
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
    """Let acme have a café that was never used."""
    wechat.control("apps", appid=CAFE.appid, secret=CAFE.secret, open_platform="acme")
    with app.app_context():
        add_app("acme", NewApp(CAFE.appid, "Café", "on_login", "json", CAFE.secret))


@pytest.fixture
def ann(app: Flask) -> Script:
    """Ann looks after acme."""
    return signed_in(app, "ann@acme.example", "tenant_admin", "acme")


@pytest.fixture
def bob(app: Flask) -> Script:
    """Bob looks after globex."""
    return signed_in(app, "bob@globex.example", "tenant_admin", "globex")


@pytest.fixture
def ops(app: Flask) -> Script:
    """Ops runs the service."""
    return signed_in(app, "ops@wxpass.example", "platform")


def claim(bob: Script, secret: str = CAFE.secret) -> Any:
    """Enter the café at globex."""
    new = {"appid": CAFE.appid, "name": "Globex Café", "secret": secret}
    answer = bob("POST", "/tenants/globex/apps", json=new | {"registration": "on_login"})
    assert answer.status_code == 201, answer.text
    return answer.json


def release(ops: Script) -> TestResponse:
    """Release the café of acme."""
    return ops("POST", f"{HERE}/release", json={})


def move(ops: Script, to: str = "globex") -> TestResponse:
    """Move the café of acme."""
    return ops("POST", f"{HERE}/move", json={"tenant": to})


def push_about(app: Flask, client: Client, openid: str) -> None:
    """Let WeChat send a message of a person to the café."""
    configure(app, app=CAFE)
    said = event("text", MsgType="text", FromUserName=openid, OpenID=openid)
    assert succeeded(Portal(client, CAFE).push(said | {"AppID": CAFE.appid}))


def erase_closed_accounts(app: Flask, rows: Reader) -> None:
    """Let the grace of closed accounts be over, and run retention."""
    rows("UPDATE users SET erase_after = now() WHERE erase_after IS NOT NULL")
    with app.app_context():
        assert dict(run_retention())["closed_accounts"] == 1


def kept_key(rows: Reader) -> str:
    """Return the key under which the café of acme is kept."""
    ((key,),) = rows("SELECT appid FROM wechat_apps WHERE released_at IS NOT NULL")
    return str(key)


def of_tenant(script: Script, tenant: str) -> list[tuple[str, Any]]:
    """List what the tenant's audit log says of the café, newest first, with the details."""
    log = script("GET", f"/tenants/{tenant}/audit?subject={CAFE.appid}").json
    return [(one["action"], one["details"]) for one in log["items"]]


# Deleting


def test_an_app_that_nobody_used_is_deleted_by_its_tenant(
    ann: Script, client: Client, rows: Reader, app: Flask, wechat: WeChat
) -> None:
    """Failed logins, counts and verifications are no use; the appid is free after that."""
    assert client.post("login", app=CAFE, code="no-code").status_code == 400
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
    assert of_tenant(ann, "acme")[0] == ("app.deleted", {})
    for table in ("wechat_apps", "code_exchanges", "daily_counts"):
        assert rows.count(table, f"appid = '{CAFE.appid}'") == 0


@pytest.mark.parametrize("use", ["identity", "session", "push"])
def test_an_app_that_was_used_is_not_deleted(
    use: str, app: Flask, ann: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """Each kind of record keeps it, also one that is left alone."""
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


def test_an_unknown_or_anothers_app_is_not_deleted(
    ann: Script, bob: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """Another tenant's app is unknown, as everywhere. So is one that was released there."""
    assert failure(bob("DELETE", THERE)) == (404, "app_unknown")
    assert failure(bob("GET", f"{THERE}/usage")) == (404, "app_unknown")
    assert failure(ann("DELETE", "/tenants/acme/apps/wxnone")) == (404, "app_unknown")
    assert ann("GET", HERE).status_code == 200
    client.log_in(alice, CAFE)
    release(ops)
    key = kept_key(rows)
    assert failure(ann("DELETE", f"/tenants/acme/apps/{key}")) == (409, "app_released")
    for unknown in (key, f"{ACME_SHOP.appid}{key[-21:]}"):
        path = f"/tenants/globex/apps/{unknown}"
        assert failure(bob("DELETE", path)) == (404, "app_unknown")
        for change in ("release", "move"):
            asked = {"tenant": "acme"} if change == "move" else {}
            assert failure(ops("POST", f"{path}/{change}", json=asked)) == (404, "app_unknown")


# Releasing


def test_a_release_frees_the_appid_and_keeps_what_users_left(
    app: Flask, ann: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """Identities, sessions, pushes and counts stay with the tenant, and every login ends."""
    login = client.log_in(alice, CAFE)
    configure(app, app=CAFE)
    said = event("text", MsgType="text", AppID="", FromUserName=login["openid"])
    assert succeeded(Portal(client, CAFE).push(said))
    rows(
        "INSERT INTO daily_counts (tenant_id, day, appid, opened) SELECT tenant_id, current_date,"
        f" appid, 5 FROM wechat_apps WHERE appid = '{CAFE.appid}'"
    )
    released = release(ops)
    assert (released.status_code, released.json) == (
        200,
        {"identities": 1, "sessions": 1, "pushes": 1},
    )
    key = kept_key(rows)
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
    assert of_tenant(ann, "acme")[0] == (
        "app.released",
        {"identities": "1", "sessions": "1", "pushes": "1"},
    )
    (platform,) = ops("GET", "/audit?action=app.released").json["items"]
    assert platform["details"] == {"tenant": "acme"}


def test_a_released_app_is_shown_without_secrets_and_never_changes(
    app: Flask, ann: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """Nothing switches it on again, and no request can name it."""
    client.log_in(alice, CAFE)
    ann("PUT", f"{HERE}/secrets", json={"next_secret": WRONG, "push_token": "PushToken12345"})
    release(ops)
    key = kept_key(rows)
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


def test_a_released_appid_is_proven_anew_and_its_users_are_found_by_unionid(
    ann: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """The same tenant gets its people back: the kept identity links their unionid to them."""
    first = client.log_in(alice, CAFE)
    release(ops)
    new = {"appid": CAFE.appid, "name": "Again", "secret": CAFE.secret}
    assert ann("POST", "/tenants/acme/apps", json=new).json["state"] == "active"
    again = client.log_in(alice, CAFE)
    assert (again["bound"], again["user"]["id"]) == (True, first["user"]["id"])
    assert again["openid"] == first["openid"]
    assert release(ops).json["identities"] == 1
    assert rows.count("wechat_apps", "released_at IS NOT NULL") == 2


def test_an_erased_person_leaves_nothing_in_a_released_app(
    app: Flask, ann: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """Pushes about them are found under the key, by the index of the appid."""
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


def test_an_erased_person_leaves_nothing_in_an_app_that_is_being_released(
    app: Flask,
    ops: Script,
    client: Client,
    alice: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The identity has been moved when the release is interrupted, and the push has not."""
    push_about(app, client, client.log_in(alice, CAFE)["openid"])
    move = app_records._move_few

    def crash(model: Any, *given: Any) -> Any:
        if model is WeChatPush:
            raise OperationalError("", {}, Exception("the server went away"))
        return move(model, *given)

    monkeypatch.setattr(app_records, "_move_few", crash)
    assert release(ops).status_code == 503
    assert rows.count("wechat_pushes", f"appid = '{CAFE.appid}'") == 1
    assert rows.count("social_accounts", f"appid = '{CAFE.appid}'") == 0
    shop = client.log_in(alice, ACME_SHOP)["token"]
    assert '"text"' in client.send("GET", "/v1/me/export", shop).text
    assert client.send("DELETE", "/v1/me", shop).status_code == 200
    erase_closed_accounts(app, rows)
    assert rows.count("wechat_pushes", "person_index IS NOT NULL") == 0
    assert rows.count("wechat_pushes", "message_sealed IS NOT NULL") == 0


def test_a_withdrawal_waits_until_an_interrupted_release_is_finished(
    app: Flask,
    ops: Script,
    client: Client,
    alice: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Carried out before, it would find no identity, and count as done."""
    login = client.log_in(alice, CAFE)
    client.post("profile", login["token"], CAFE, nickname="Alice")
    configure(app, app=CAFE)
    with monkeypatch.context() as patch:
        patch.setitem(HANDLERS, REVOKE, lambda *_: 1 / 0)
        said = event(OpenID=login["openid"], AppID=CAFE.appid, RevokeInfo="6")
        assert succeeded(Portal(client, CAFE).push(said))
    move = app_records._move_few

    def crash(model: Any, *given: Any) -> Any:
        if model is WeChatPush:
            raise OperationalError("", {}, Exception("the server went away"))
        return move(model, *given)

    with monkeypatch.context() as patch:
        patch.setattr(app_records, "_move_few", crash)
        assert release(ops).status_code == 503
    with app.app_context():
        assert retry_pushes() == Retried(0, 0)
    assert release(ops).status_code == 200
    with app.app_context():
        assert retry_pushes() == Retried(1, 0)
    assert rows("SELECT nickname FROM social_accounts") == [(None,)]


def test_an_erasure_leaves_the_pushes_of_an_appid_that_is_proven_again(
    app: Flask, ann: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """What WeChat sends to the new app is of the identity there, which may be another user's."""
    openid = client.log_in(alice, CAFE)["openid"]
    release(ops)
    new = {"appid": CAFE.appid, "name": "Café", "secret": CAFE.secret}
    assert ann("POST", "/tenants/acme/apps", json=new).json["state"] == "active"
    push_about(app, client, openid)
    client.send("DELETE", "/v1/me", client.log_in(alice, ACME_SHOP)["token"])
    erase_closed_accounts(app, rows)
    assert rows.count("social_accounts") == 0
    assert rows.count("wechat_pushes", "message_sealed IS NOT NULL") == 1


def test_an_unused_app_is_released_without_a_trace_of_records(ops: Script, rows: Reader) -> None:
    """There is nothing to keep."""
    assert release(ops).json == {"identities": 0, "sessions": 0, "pushes": 0}
    assert rows.count("wechat_apps", f"appid LIKE '{CAFE.appid}%'") == 0
    assert failure(release(ops)) == (404, "app_unknown")


def test_records_are_moved_in_batches_and_an_interrupted_release_goes_on(
    app: Flask,
    wechat: WeChat,
    ops: Script,
    client: Client,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a crash the app is off, still held, and the same call finishes under the same key."""
    for number in range(5):
        client.log_in(Person(wechat, f"p{number}", f"1390013920{number}"), CAFE)
    monkeypatch.setattr(app_records, "BATCH", 2)
    honest, calls = app_records._move_few, []

    def crash(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise OperationalError("", {}, Exception("the server went away"))
        return honest(*given)

    monkeypatch.setattr(app_records, "_move_few", crash)
    assert release(ops).status_code == 503
    assert rows.count("social_accounts", f"appid = '{CAFE.appid}'") == 3
    assert failure(client.post("login", app=CAFE, code="x")) == (403, "app_disabled")
    assert release(ops).json == {"identities": 5, "sessions": 5, "pushes": 0}
    assert rows.count("social_accounts", f"appid = '{kept_key(rows)}'") == 5


def test_a_login_that_was_under_way_is_moved_with_the_others(
    app: Flask,
    wechat: WeChat,
    client: Client,
    alice: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Records that come after the first round are moved in the next, up to a bound."""
    client.log_in(alice, CAFE)
    late = rows("SELECT tenant_id, social_account_id FROM login_sessions")[0]
    honest, rounds = releases.move_records, []

    def meanwhile(*given: Any) -> None:
        honest(*given)
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

    monkeypatch.setattr(releases, "move_records", meanwhile)
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


def test_a_large_app_is_left_to_the_command_line(
    ops: Script,
    bob: Script,
    client: Client,
    alice: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request moves a bounded number of records, and refuses more before changing anything."""
    client.log_in(alice, CAFE)
    claim(bob)
    monkeypatch.setattr(releases, "MOST_BY_REQUEST", 1)
    before = read_tables(rows)
    assert failure(release(ops)) == (409, "app_release_too_large")
    assert failure(move(ops)) == (409, "app_release_too_large")
    assert set(changes(before, read_tables(rows))) <= {"operator_sessions"}


# Moving


def test_a_move_activates_the_claim_and_leaves_the_users(
    ann: Script, bob: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """The receiving tenant gets the appid with its own settings and no users."""
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
    assert [one[0] for one in of_tenant(bob, "globex")] == [
        "app.activated",
        "app_claim.held_elsewhere",
        "app_claim.added",
    ]
    assert [one[0] for one in of_tenant(ann, "acme")] == ["app.released", "app.added"]
    for script, own, other in ((ann, "acme", "globex"), (bob, "globex", "acme")):
        for what in ("audit", "apps", "sessions", "users"):
            assert other not in script("GET", f"/tenants/{own}/{what}").text.lower(), what
    (platform,) = ops("GET", "/audit?action=app.moved").json["items"]
    assert platform["details"] == {"from_tenant": "acme", "to_tenant": "globex"}


@pytest.mark.parametrize(("had", "has"), [("off", 2), (2, "off"), ("off", None), (None, "off")])
def test_a_move_keeps_the_session_limit_of_each_tenant(
    had: Any, has: Any, bob: Script, ops: Script, client: Client, alice: Person
) -> None:
    """The former tenant's record keeps its limit. The app gets that of the claim, and obeys it."""
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


def test_a_login_of_the_former_tenant_meets_no_person_of_the_new_one(
    app: Flask, bob: Script, ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    """A request that found the app before the move is refused, and writes nothing."""
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


def test_an_app_that_was_never_used_is_moved_and_moved_back(
    ann: Script, bob: Script, ops: Script, rows: Reader
) -> None:
    """Nothing is left of it where it was."""
    claim(bob)
    assert move(ops).status_code == 200
    assert rows.count("wechat_apps", f"appid LIKE '{CAFE.appid}%'") == 1
    new = {"appid": CAFE.appid, "name": "Café", "secret": CAFE.secret}
    assert ann("POST", "/tenants/acme/apps", json=new).json["state"] == "pending"
    assert ops("POST", f"{THERE}/move", json={"tenant": "acme"}).status_code == 200
    assert ann("GET", HERE).json["state"] == "active"


def test_a_move_needs_a_claim_whose_secret_wechat_accepts(
    ann: Script, bob: Script, ops: Script, wechat: WeChat, rows: Reader
) -> None:
    """A platform admin cannot give an appid to a tenant that has merely typed it."""
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
    assert failure(refused) == (404, "app_unknown"), "globex has no such app"
    for wrong in ({}, {"tenant": "A B"}, {"tenant": None}, {"tenant": "globex", "x": 1}):
        assert failure(ops("POST", f"{HERE}/move", json=wrong)) == (422, "request_invalid")


def test_a_claim_that_is_withdrawn_during_a_move_leaves_the_app_to_be_released(
    bob: Script,
    ops: Script,
    client: Client,
    alice: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The app is off and held; a second decision of the platform finishes it."""
    client.log_in(alice, CAFE)
    claim(bob)
    honest = releases.move_records

    def meanwhile(*given: Any) -> None:
        honest(*given)
        bob("DELETE", THERE)

    monkeypatch.setattr(releases, "move_records", meanwhile)
    assert failure(move(ops)) == (404, "app_unknown")
    assert rows("SELECT enabled FROM wechat_apps WHERE appid = :a", a=CAFE.appid) == [(False,)]
    assert failure(move(ops)) == (404, "app_claim_unknown")
    assert release(ops).json["identities"] == 1


def test_tenant_admins_neither_release_nor_move(ann: Script, bob: Script) -> None:
    """An appid with users leaves its tenant by a decision of the platform only."""
    claim(bob)
    for script, path in ((ann, HERE), (bob, HERE), (bob, THERE)):
        for what, body in (("release", {}), ("move", {"tenant": "globex"})):
            refused = script("POST", f"{path}/{what}", json=body)
            assert failure(refused) == (403, "role_too_low")
    assert ann("GET", HERE).json["state"] == "active"


# The command line


def test_commands_prove_correct_move_release_and_remove(
    app: Flask, client: Client, alice: Person, wechat: WeChat
) -> None:
    """The exit code says whether it was done, and each tenant's own state is listed."""
    runner = app.test_cli_runner()

    def run(*arguments: str, said: str = "") -> tuple[int, str]:
        result = runner.invoke(args=["apps", *arguments], input=f"{said}\n")
        assert not said or said not in result.output
        return result.exit_code, result.output

    client.log_in(alice, CAFE)
    options = ("--tenant", "globex", "--name", "Globex Café", "--secret-stdin")
    assert run("add", CAFE.appid, *options, said=WRONG)[0] == 1
    listed = run("list")[1]
    assert f"{CAFE.appid}\tacme\ton_login\tenabled" in listed
    assert f"{CAFE.appid}\tglobex\ton_phone\tpending" in listed
    assert run("move", CAFE.appid, "--tenant", "acme", "--to", "globex")[0] == 1
    secret = ("set-secret", CAFE.appid, "--tenant", "globex", "--secret-stdin")
    assert run(*secret, said=CAFE.secret)[0] == 0
    code, output = run("verify", CAFE.appid, "--tenant", "globex")
    assert (code, "another tenant of this service" in output) == (1, True)
    assert run("verify", CAFE.appid)[0] == 0, "the proven one"
    code, output = run("move", CAFE.appid, "--tenant", "acme", "--to", "globex")
    assert (code, "Kept for acme: 1 identities, 1 sessions, 0 pushes." in output) == (0, True)
    assert f"{CAFE.appid}\tglobex\ton_phone\tenabled" in run("list")[1]
    assert "\treleased\t" in run("list", "--tenant", "acme")[1]
    assert run("remove", CAFE.appid, "--tenant", "acme")[0] == 1
    assert run("remove", CAFE.appid, "--tenant", "globex")[0] == 0
    assert run("release", CAFE.appid, "--tenant", "globex")[0] == 1
    for tenant in ("acme", "globex"):
        told = run("add", CAFE.appid, "--tenant", tenant, *options[2:], said=WRONG)
        assert told[0] == 1
    code, output = run("verify", CAFE.appid)
    assert (code, "say which with --tenant" in output) == (2, True)
    assert run("set-secret", CAFE.appid, "--secret-stdin", said=WRONG)[0] == 2
    assert run("remove", CAFE.appid, "--tenant", "acme")[0] == 0
    assert run("verify", CAFE.appid, "--tenant", "acme")[0] == 1
    assert run(*secret, said=CAFE.secret)[0] == 0
    assert run("verify", CAFE.appid)[0] == 0
    assert client.post("login", app=CAFE, code=alice.wx_login(CAFE)).status_code == 200
    assert run("release", CAFE.appid, "--tenant", "globex")[0] == 0


def test_a_move_without_asking_wechat_is_for_the_command_line(
    app: Flask, bob: Script, wechat: WeChat
) -> None:
    """The platform answers for it where WeChat cannot be reached."""
    claim(bob, WRONG)
    wechat.control("reset")
    arguments = ["apps", "move", CAFE.appid, "--tenant", "acme", "--to", "globex", "--unproven"]
    moved = app.test_cli_runner().invoke(args=arguments)
    assert (moved.exit_code, wechat.calls()) == (0, [])
    assert bob("GET", THERE).json["state"] == "active"


# Keys


def test_a_key_is_no_appid_and_names_its_moment(rows: Reader) -> None:
    """It is made in UTC, so that a release that is continued elsewhere finds the same key."""
    ((moment,),) = rows("SELECT timestamptz '2026-01-02 03:04:05.678901+08'")
    key = released_key(CAFE.appid, moment)
    assert key == f"{CAFE.appid}~20260101190405678901"
    assert original_appid(key) == original_appid(CAFE.appid) == CAFE.appid
