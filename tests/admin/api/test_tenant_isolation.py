"""Access to the admin API by role, and isolation of tenants."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from app.clock import now
from app.extensions import db
from app.models import Alert, SocialAccount, Tenant
from app.models.columns import new_id
from app.services.alerts import alerts, channels
from app.services.alerts.channels import NewChannel
from app.services.alerts.owner import Owner
from app.services.apps.tenants import tenant_id_of
from app.services.audit import Actor
from app.services.database.transactions import transaction
from app.services.user_import import run
from app.services.user_import.files import read_user_file
from app.services.user_import.preview import preview_import
from tests.fixtures.operators import PASSWORD, Script, add_operator, invite, signed_in
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_SHOP,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    enter_user,
    failure,
)
from tests.fixtures.user_files import ImmediateThread
from tests.guards.test_tenant_isolation import everything, loaded_rows

# The appid does not exist at the WeChat simulator, so the app stays pending.
NEW_APP = {"appid": "wxaaaa000000000008", "name": "New", "secret": "f0" * 16}
# The host has no address, so that no message is sent.
NEW_CHANNEL = {
    "kind": "webhook",
    "name": "On call",
    "target": "https://hooks.acme.invalid/",
    "language": "zh",
}
TENANT_UNKNOWN, ROLE_TOO_LOW = (404, "tenant_unknown"), (403, "role_too_low")


@dataclass(frozen=True)
class Route:
    """The login that a route below /v1/admin requires, and a valid request body."""

    login: str
    body: dict[str, Any] | bytes | None = field(default=None)


TENANT_SCOPE = "/tenants/<slug>"
ROUTES = {
    ("POST", "/sign-in"): Route("none"),
    ("POST", "/refresh"): Route("none"),
    ("POST", "/invitation"): Route("none"),
    ("POST", "/sign-out"): Route("operator", {}),
    ("GET", "/me"): Route("operator"),
    ("POST", "/step-up"): Route("operator", {"password": PASSWORD}),
    ("POST", "/me/password"): Route("operator", {"new_password": "silver-lantern-92"}),
    ("GET", "/me/sessions"): Route("operator"),
    ("DELETE", "/me/sessions"): Route("operator"),
    ("DELETE", "/me/sessions/<session_id>"): Route("operator"),
    ("POST", "/me/one-time-codes"): Route("operator", {}),
    ("POST", "/me/one-time-codes/confirmation"): Route("operator", {"code": "000000"}),
    ("DELETE", "/me/one-time-codes"): Route("operator", {}),
    ("POST", "/me/recovery-codes"): Route("operator", {}),
    ("GET", "/tenants"): Route("platform"),
    ("POST", "/tenants"): Route("platform", {"slug": "initech", "name": "Initech"}),
    ("PATCH", "/tenants/<its_slug>"): Route("platform", {"name": "Renamed"}),
    ("GET", "/operators"): Route("platform"),
    ("POST", "/operators"): Route("platform", {"email": "new@example.com", "role": "platform"}),
    ("PATCH", "/operators/<operator_id>"): Route("platform", {"status": "disabled"}),
    ("POST", "/operators/<operator_id>/reset"): Route("platform", {}),
    ("DELETE", "/operators/<operator_id>/one-time-codes"): Route("platform"),
    ("GET", "/audit"): Route("platform"),
    ("GET", "/failures"): Route("platform"),
    ("GET", "/alert-channels"): Route("platform"),
    ("POST", "/alert-channels"): Route("platform", NEW_CHANNEL),
    ("POST", "/alert-channels/<channel_id>/test"): Route("platform", {}),
    ("DELETE", "/alert-channels/<channel_id>"): Route("platform"),
    ("GET", "/alerts"): Route("platform"),
    ("PUT", "/alerts/<alert_id>/mute"): Route("platform", {"hours": 4}),
    ("DELETE", "/alerts/<alert_id>/mute"): Route("platform"),
    ("GET", "/alert-mutes"): Route("platform"),
    ("POST", "/alert-mutes"): Route("platform", {"hours": 4}),
    ("DELETE", "/alert-mutes/<mute_id>"): Route("platform"),
    ("GET", f"{TENANT_SCOPE}/apps"): Route("tenant_operator"),
    ("POST", f"{TENANT_SCOPE}/apps"): Route("tenant_admin", NEW_APP),
    ("GET", f"{TENANT_SCOPE}/apps/<its_appid>"): Route("tenant_operator"),
    ("PATCH", f"{TENANT_SCOPE}/apps/<its_appid>"): Route("tenant_admin", {"name": "Renamed"}),
    ("PUT", f"{TENANT_SCOPE}/apps/<its_appid>/secrets"): Route(
        "tenant_admin", {"secret": "e0" * 16}
    ),
    ("POST", f"{TENANT_SCOPE}/apps/<its_appid>/verification"): Route("tenant_admin", {}),
    ("GET", f"{TENANT_SCOPE}/apps/<its_appid>/usage"): Route("tenant_operator"),
    ("POST", f"{TENANT_SCOPE}/apps/<its_appid>/release"): Route("platform", {}),
    ("POST", f"{TENANT_SCOPE}/apps/<its_appid>/move"): Route("platform", {"tenant": "globex"}),
    ("DELETE", f"{TENANT_SCOPE}/apps/<its_appid>"): Route("tenant_admin"),
    ("GET", f"{TENANT_SCOPE}/users"): Route("tenant_operator"),
    ("POST", f"{TENANT_SCOPE}/users"): Route("tenant_admin", {"account": "dave"}),
    ("GET", f"{TENANT_SCOPE}/users/<user_id>"): Route("tenant_operator"),
    ("PATCH", f"{TENANT_SCOPE}/users/<user_id>"): Route("tenant_admin", {"status": "disabled"}),
    ("POST", f"{TENANT_SCOPE}/users/<user_id>/end-sessions"): Route("tenant_admin", {}),
    ("POST", f"{TENANT_SCOPE}/users/<user_id>/password"): Route(
        "tenant_admin", {"password": GOOD_PASSWORD}
    ),
    ("POST", f"{TENANT_SCOPE}/users/<user_id>/merge"): Route(
        "tenant_admin", {"into_id": "<other_id>"}
    ),
    ("POST", f"{TENANT_SCOPE}/users/<user_id>/undo-merge"): Route("tenant_admin", {}),
    ("DELETE", f"{TENANT_SCOPE}/users/<user_id>/identities/<identity_id>"): Route("tenant_admin"),
    ("DELETE", f"{TENANT_SCOPE}/users/<user_id>/phone"): Route("tenant_admin"),
    ("GET", f"{TENANT_SCOPE}/imports/<import_id>"): Route("tenant_admin"),
    ("POST", f"{TENANT_SCOPE}/imports/<import_id>/confirmation"): Route("tenant_admin", {}),
    ("POST", f"{TENANT_SCOPE}/imports"): Route("tenant_admin", b"account\nerin\n"),
    ("POST", f"{TENANT_SCOPE}/exports"): Route("tenant_admin", {}),
    ("GET", f"{TENANT_SCOPE}/overview"): Route("tenant_operator"),
    ("GET", f"{TENANT_SCOPE}/failures"): Route("tenant_operator"),
    ("GET", f"{TENANT_SCOPE}/sessions"): Route("tenant_operator"),
    ("DELETE", f"{TENANT_SCOPE}/sessions/<session_id>"): Route("tenant_admin"),
    ("GET", f"{TENANT_SCOPE}/audit"): Route("tenant_operator"),
    ("GET", f"{TENANT_SCOPE}/alert-channels"): Route("tenant_operator"),
    ("POST", f"{TENANT_SCOPE}/alert-channels"): Route("tenant_admin", NEW_CHANNEL),
    ("POST", f"{TENANT_SCOPE}/alert-channels/<channel_id>/test"): Route("tenant_admin", {}),
    ("DELETE", f"{TENANT_SCOPE}/alert-channels/<channel_id>"): Route("tenant_admin"),
    ("GET", f"{TENANT_SCOPE}/alerts"): Route("tenant_operator"),
    ("PUT", f"{TENANT_SCOPE}/alerts/<alert_id>/mute"): Route("tenant_admin", {"hours": 4}),
    ("DELETE", f"{TENANT_SCOPE}/alerts/<alert_id>/mute"): Route("tenant_admin"),
    ("GET", f"{TENANT_SCOPE}/alert-mutes"): Route("tenant_operator"),
    ("POST", f"{TENANT_SCOPE}/alert-mutes"): Route("tenant_admin", {"hours": 4}),
    ("DELETE", f"{TENANT_SCOPE}/alert-mutes/<mute_id>"): Route("tenant_admin"),
}


@dataclass(frozen=True)
class TenantIds:
    """Values for the path parameters of the routes: slug and ids of a tenant's objects."""

    names: dict[str, str]

    def path(self, path: str, **other: str) -> str:
        """Replace the placeholders of a path. Keyword arguments override the stored values."""
        names = self.names | other
        return re.sub(r"<(\w+)>", lambda match: names[match[1]], path)


@pytest.fixture(autouse=True)
def _synchronous_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run imports within the test's transaction."""
    monkeypatch.setattr(run, "Thread", ImmediateThread)


@pytest.fixture
def acme(app: Flask, client: Client, alice: Person, rows: Reader) -> TenantIds:
    """Create two users, an admin and an import preview at acme, and return their ids."""
    user_id = client.bind(alice)["user"]["id"]
    other_id = enter_user(app, "acme", "carol", GOOD_PASSWORD)
    ((session_id,),) = rows("SELECT id FROM login_sessions")
    with app.app_context():
        identity_id = db.session.scalars(select(SocialAccount.id)).one()
    names = {"slug": "acme", "its_slug": "acme", "its_appid": ACME_SHOP.appid}
    names |= {"user_id": user_id, "other_id": other_id, "identity_id": str(identity_id)}
    names |= {"session_id": str(session_id)}
    ann = add_operator(app, "ann@acme.example", "tenant_admin", "acme")
    with app.app_context():
        file, tenant_id = read_user_file(b"account\nfrank\n"), tenant_id_of("acme")
        preview = preview_import(Actor("operator", ann), tenant_id, file)
    names |= add_alert(app, ann)
    names |= {"operator_id": str(ann), "import_id": str(preview.import_id)}
    return TenantIds(names)


def add_alert(app: Flask, operator: UUID) -> dict[str, str]:
    """Add a channel, an open alert and a mute at acme, and return their ids."""
    with app.app_context():
        owner = Owner(Actor("operator", operator), tenant_id_of("acme"))
        channel = channels.add_channel(
            owner, NewChannel("webhook", "On call", "zh", NEW_CHANNEL["target"])
        ).channel
        mute = alerts.add_mute(owner, None, None, timedelta(hours=1))
        with transaction() as session:
            alert = Alert(
                id=new_id(),
                tenant_id=owner.tenant_id,
                appid=ACME_SHOP.appid,
                condition="wechat_unavailable",
                since=now(),
                seen_at=now(),
                opened_at=now(),
                facts={"why": "Why", "remedy": "What", "values": {}},
            )
            session.add(alert)
            alert_id = alert.id
    return {"channel_id": str(channel.id), "alert_id": str(alert_id), "mute_id": str(mute.id)}


def call(script: Script, home: TenantIds, method: str, path: str, **other: str) -> Any:
    """Call a route with the path parameters of a tenant and the valid body of `ROUTES`."""
    body = ROUTES[method, path].body
    if isinstance(body, bytes):
        file = {"data": body, "content_type": "text/csv"}
        return script(method, home.path(path, **other), **file)
    if body is not None and "into_id" in body:
        body = {"into_id": home.names["other_id"]}
    how = {} if body is None else {"json": body}
    return script(method, home.path(path, **other), **how)


def test_the_table_of_routes_lists_every_route_with_its_required_login(app: Flask) -> None:
    routes = {
        (method, re.sub(r"<\w+:", "<", rule.rule).removeprefix("/v1/admin")): rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/admin")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert set(routes) == set(ROUTES)
    for route, endpoint in routes.items():
        assert app.view_functions[endpoint].__dict__["login"] == ROUTES[route].login, route


def routes_requiring(*logins: str) -> list[tuple[str, str]]:
    """Return the routes that require one of these logins."""
    return [route for route, facts in ROUTES.items() if facts.login in logins]


def test_an_admin_of_another_tenant_can_neither_read_nor_change_the_tenant(
    app: Flask, acme: TenantIds, rows: Reader
) -> None:
    other_admin = signed_in(app, "bob@globex.example", "tenant_admin", "globex")
    before = everything(rows)
    for method, path in routes_requiring("tenant_operator", "tenant_admin"):
        assert failure(call(other_admin, acme, method, path)) == TENANT_UNKNOWN, path
        unknown = call(other_admin, acme, method, path, slug="nobody")
        assert failure(unknown) == TENANT_UNKNOWN, path
    for method, path in routes_requiring("platform"):
        assert failure(call(other_admin, acme, method, path)) == ROLE_TOO_LOW, path
    assert everything(rows) == before


def test_ids_of_another_tenant_are_not_found_below_the_operators_own_slug(
    app: Flask, acme: TenantIds, rows: Reader
) -> None:
    other_admin = signed_in(app, "bob@globex.example", "tenant_admin", "globex")
    before = everything(rows)
    for method, path in routes_requiring("tenant_operator", "tenant_admin"):
        if path.count("<") == 1:
            continue
        answer = call(other_admin, acme, method, path, slug="globex")
        unknown = {"its_appid": "app_unknown", "session_id": "session_unknown"}
        unknown |= {
            "import_id": "import_unknown",
            "identity_id": "identity_unknown",
            "user_id": "user_unknown",
            "channel_id": "alert_channel_unknown",
            "alert_id": "alert_unknown",
            "mute_id": "alert_mute_unknown",
        }
        name = re.findall(r"<(\w+)>", path)[-1]
        assert failure(answer) == (404, unknown[name]), path
    assert everything(rows) == before


def test_lists_and_searches_contain_no_data_of_another_tenant(
    app: Flask, acme: TenantIds, client: Client, alice: Person
) -> None:
    script = signed_in(app, "bob@globex.example", "tenant_admin", "globex")
    ((openid,),) = Reader(app)("SELECT openid FROM social_accounts")
    for query in (
        "users?phone=13800138001",
        "users?account=carol",
        f"users?openid={openid}",
        f"sessions?appid={ACME_SHOP.appid}",
        f"sessions?user_id={acme.names['user_id']}",
        f"audit?subject={acme.names['user_id']}",
    ):
        answer = script("GET", f"/tenants/globex/{query}&count=true")
        assert (answer.json["items"], answer.json["count"]) == ([], 0), query
    everywhere = "".join(
        script("GET", f"/tenants/globex/{what}").text for what in ("apps", "users", "audit")
    )
    for name in (*acme.names.values(), openid, "ann@acme.example"):
        assert name == "acme" or name not in everywhere, name
    assert GLOBEX_LIFE.appid in everywhere


def test_a_tenant_viewer_can_read_but_not_change_the_tenant(
    app: Flask, acme: TenantIds, rows: Reader
) -> None:
    reader = signed_in(app, "rita@acme.example", "tenant_reader", "acme")
    before = everything(rows)
    for method, path in routes_requiring("tenant_operator"):
        assert call(reader, acme, method, path).status_code == 200, path
    for method, path in routes_requiring("tenant_admin", "platform"):
        assert failure(call(reader, acme, method, path)) == ROLE_TOO_LOW, path
    assert everything(rows) == before


def test_a_tenant_admin_may_call_every_route_of_the_own_tenant(app: Flask, acme: TenantIds) -> None:
    admin = Script(Client(app), "ann@acme.example")
    admin.sign_in()
    for method, path in [("GET", "/me"), *routes_requiring("tenant_operator")]:
        assert call(admin, acme, method, path).status_code == 200, path
    routes = [route for route in routes_requiring("tenant_admin") if "merge" not in route[1]]
    before = {path: call(admin, acme, method, path) for method, path in routes}
    refused = {path: answer.text for path, answer in before.items() if answer.status_code >= 300}
    assert set(refused) <= {
        f"{TENANT_SCOPE}/sessions/<session_id>",
        f"{TENANT_SCOPE}/users/<user_id>/password",
        f"{TENANT_SCOPE}/apps/<its_appid>",
    }


@pytest.mark.parametrize("path", ["/sign-out", f"{TENANT_SCOPE}/users"])
def test_an_operators_jwt_is_rejected_after_the_session_ends(
    app: Flask, acme: TenantIds, path: str
) -> None:
    admin = Script(Client(app), "ann@acme.example")
    admin.sign_in()
    assert admin("POST", "/sign-out").status_code == 204
    method = "POST" if path == "/sign-out" else "GET"
    assert failure(call(admin, acme, method, path)) == (401, "sign_in_needed")
    assert failure(admin.refresh()) == (401, "refresh_token_invalid")


def test_every_route_rejects_tokens_that_are_not_the_jwt_of_an_operator(
    app: Flask, acme: TenantIds, client: Client, bob: Person, rows: Reader
) -> None:
    login = client.bind(bob)
    jwt = client.post("jwt", login["token"]).json["jwt"]
    reader = invite(app, "nobody@acme.example", "tenant_reader", "acme")
    before = everything(rows)
    for token in (login["token"], login["refresh_token"], jwt, reader, "x.y.z", "\udcff"):
        script = Script(client, "", {"access_token": token.encode(errors="ignore").decode()})
        for method, path in routes_requiring(
            "operator", "platform", "tenant_operator", "tenant_admin"
        ):
            status, code = failure(call(script, acme, method, path))
            assert (status, code) in {(401, "jwt_invalid"), (401, "token_missing")}, (path, token)
    for method, path in routes_requiring("operator", "platform", "tenant_operator", "tenant_admin"):
        answer = client.send(method, f"/v1/admin{acme.path(path)}")
        assert failure(answer) == (401, "token_missing"), path
    assert everything(rows) == before


def test_the_api_for_mini_programs_rejects_tokens_of_operators(
    app: Flask, acme: TenantIds, client: Client, rows: Reader
) -> None:
    admin = Script(client, "ann@acme.example")
    admin.sign_in()
    before = everything(rows)
    native = {"apps", "me", "identity"}
    requests = 0
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if rule.endpoint.split(".")[0] not in native or view.__dict__["login"] == "none":
            continue
        path = rule.rule.replace("<string:appid>", ACME_SHOP.appid)
        path = path.replace("<uuid:session_id>", acme.names["session_id"])
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            for token in (admin.tokens["access_token"], admin.tokens["refresh_token"]):
                refused = client.send(method, path, token, json={})
                assert failure(refused) == (401, "token_invalid"), path
                requests += 1
    assert requests > 20
    assert failure(client.post("refresh", refresh_token=admin.tokens["refresh_token"])) == (
        401,
        "refresh_token_invalid",
    )
    assert everything(rows) == before


@pytest.mark.parametrize("odd", ["%00", "%ED%A0%80", "%FF", "a%20b", "..%2Fglobex", "x" * 300, "é"])
def test_a_malformed_id_in_a_path_is_answered_with_404(
    app: Flask, acme: TenantIds, odd: str
) -> None:
    ops = signed_in(app, "ops@wxpass.example", "platform")
    for method, path in routes_requiring("tenant_operator", "tenant_admin", "platform"):
        for name in set(re.findall(r"<(\w+)>", path)):
            answer = call(ops, acme, method, path, **{name: odd})
            assert failure(answer)[0] == 404, (path, name)


def test_no_route_loads_a_row_of_another_tenant_from_the_database(
    app: Flask, acme: TenantIds, client: Client, alice: Person
) -> None:
    """The tenant globex has users with the same phone number, openid and account as acme."""
    client.bind(alice, GLOBEX_LIFE)
    enter_user(app, "globex", "carol", GOOD_PASSWORD)
    admin = Script(Client(app), "ann@acme.example")
    admin.sign_in()
    with loaded_rows() as loaded:
        for query in ("phone=13800138001", "account=carol", "status=active", "nickname=x"):
            assert admin("GET", f"/tenants/acme/users?{query}").status_code == 200
        for method, path in [
            *routes_requiring("tenant_operator"),
            *routes_requiring("tenant_admin"),
        ]:
            call(admin, acme, method, path)
    assert len({table for table, _ in loaded}) > 6
    with app.app_context():
        tenant_id = db.session.scalars(select(Tenant.id).where(Tenant.slug == "acme")).one()
    assert {owner_id for _, owner_id in loaded} == {tenant_id}


@pytest.mark.parametrize("end", ["disabled", "of_another"])
def test_the_jwt_of_a_disabled_operator_or_of_another_operators_session_is_rejected(
    app: Flask, acme: TenantIds, rows: Reader, end: str
) -> None:
    ann, rita = Script(Client(app), "ann@acme.example"), "rita@acme.example"
    ann.sign_in()
    other = signed_in(app, rita, "tenant_reader", "acme")
    if end == "disabled":
        rows("UPDATE operators SET status = 'disabled' WHERE email = :e", e=rita)
    else:
        rows(
            "UPDATE operator_sessions SET operator_id ="
            " (SELECT id FROM operators WHERE email = 'ann@acme.example')"
        )
    assert failure(other("GET", "/me")) == (401, "sign_in_needed")
    assert ann("GET", "/me").status_code == 200


MALFORMED = {
    b'{"name":': (400, "json_malformed"),
    b'{"name": "a", "name": "b"}': (400, "json_malformed"),
    b"[]": (422, "request_invalid"),
    b'{"surprise": 1}': (422, "request_invalid"),
}


def test_every_route_rejects_malformed_json_and_unknown_fields(
    app: Flask, acme: TenantIds, rows: Reader
) -> None:
    ops = signed_in(app, "ops@wxpass.example", "platform")
    before = everything(rows)
    for (method, path), route in ROUTES.items():
        if not isinstance(route.body, dict):
            continue
        for body, refusal in MALFORMED.items():
            sent = {"data": body, "content_type": "application/json"}
            assert failure(ops(method, acme.path(path), **sent)) == refusal, (path, body)
        as_text = ops(method, acme.path(path), data=b"{}", content_type="text/plain")
        assert failure(as_text) == (415, "json_required"), path
    assert everything(rows) == before


@pytest.mark.parametrize(
    "body",
    [
        {"email": "x@acme.example", "role": "tenant_admin"},
        {"email": "x@acme.example", "role": "platform", "tenant": "acme"},
        {"email": "x@acme.example", "role": "owner", "tenant": "acme"},
    ],
)
def test_an_unknown_role_or_a_role_with_the_wrong_tenant_is_rejected(
    app: Flask, body: dict[str, str], rows: Reader
) -> None:
    ops = signed_in(app, "ops@wxpass.example", "platform")
    assert failure(ops("POST", "/operators", json=body)) == (422, "request_invalid")
    change = {name: body[name] for name in ("role", "tenant") if name in body}
    ((operator_id,),) = rows("SELECT id FROM operators")
    answer = ops("PATCH", f"/operators/{operator_id}", json=change)
    assert failure(answer)[1] in ("request_invalid", "last_platform_operator")
