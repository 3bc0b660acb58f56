"""Step-up authentication: sensitive routes of the admin API require a recent step-up."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyotp
import pytest
from flask import Flask

from app.services.operators.one_time_codes import begin_enrolment
from tests.admin.api.test_tenant_isolation import ROUTES, TENANT_SCOPE, TenantIds, acme, call
from tests.fixtures.openapi.documented_errors import codes_by_operation
from tests.fixtures.openapi.reading import operations
from tests.fixtures.operators import PASSWORD, Script, add_operator, code_of, enrol, session_of
from tests.fixtures.personas import Client, Reader, failure, json_of
from tests.guards.test_tenant_isolation import everything

__all__ = ["acme"]

OPS = "ops@wxpass.example"
CONFIRMATION, RECOVERY = ("POST", "/me/one-time-codes/confirmation"), ("POST", "/me/recovery-codes")
# The status of the response of each sensitive route after a recent step-up.
SENSITIVE = {
    ("POST", "/operators"): 201,
    ("PATCH", "/operators/<operator_id>"): 200,
    ("POST", "/operators/<operator_id>/reset"): 200,
    ("DELETE", "/operators/<operator_id>/one-time-codes"): 204,
    ("POST", "/me/password"): 204,
    ("POST", "/me/one-time-codes"): 200,
    CONFIRMATION: 200,
    ("DELETE", "/me/one-time-codes"): 204,
    RECOVERY: 200,
    ("PUT", f"{TENANT_SCOPE}/apps/<its_appid>/secrets"): 200,
    ("POST", f"{TENANT_SCOPE}/apps/<its_appid>/release"): 200,
    # 404 because the target tenant has not registered the appid.
    ("POST", f"{TENANT_SCOPE}/apps/<its_appid>/move"): 404,
    ("POST", f"{TENANT_SCOPE}/exports"): 200,
    ("POST", f"{TENANT_SCOPE}/alert-channels"): 201,
    ("DELETE", f"{TENANT_SCOPE}/alert-channels/<channel_id>"): 204,
    ("POST", "/alert-channels"): 201,
    # 404 because the channel belongs to a tenant.
    ("DELETE", "/alert-channels/<channel_id>"): 404,
}
# Writes the parameters of an OpenAPI path as Flask does.
AS_RULE = str.maketrans("{}", "<>")
# Queries of the columns that a session without a recent step-up must not change.
PROTECTED = (
    "SELECT id, email, password_hash, role, tenant_id, status, invitation_hash, totp_sealed,"
    " totp_step FROM operators ORDER BY id",
    "SELECT operator_id, code_hash FROM operator_recovery_codes ORDER BY 1, 2",
    "SELECT appid, secret_sealed, next_secret_sealed, push_token_sealed, encoding_aes_key_sealed"
    " FROM wechat_apps WHERE appid <> 'wxaaaa000000000009' ORDER BY 1",
    "SELECT id, target_sealed, secret_sealed FROM alert_channels ORDER BY id",
    "SELECT id, proven_at FROM operator_sessions ORDER BY id",
)


@dataclass
class Site:
    """A session of a platform admin.

    `recovery` contains the admin's recovery codes if one-time codes are enabled.
    """

    app: Flask
    rows: Reader
    script: Script
    recovery: Sequence[str] = ()

    def expire_step_up(self, minutes: int = 5) -> None:
        """Set the time of the last step-up of every session to `minutes` ago."""
        self.rows(
            "UPDATE operator_sessions SET proven_at = now() - make_interval(mins => :m)", m=minutes
        )

    def step_up(self) -> Any:
        """Send the password, and a recovery code if one-time codes are enabled, to /step-up."""
        code = {"code": self.recovery[0]} if self.recovery else {}
        return self.script("POST", "/step-up", json={"password": PASSWORD, **code})


def site_of(app: Flask, rows: Reader, *, enrolled: bool) -> Site:
    """Sign in a platform admin. `enrolled` enables one-time codes first."""
    add_operator(app, OPS, "platform")
    enrol(app, "ann@acme.example")
    site = Site(app, rows, Script(Client(app), OPS))
    code = {}
    if enrolled:
        _, totp, site.recovery = enrol(app, OPS)
        code = {"code": code_of(totp)}
    assert site.script.sign_in(**code).status_code == 200
    return site


def confirmation(app: Flask) -> dict[str, str]:
    """Begin the enrolment of one-time codes. Return the body of the confirmation request."""
    with app.app_context():
        enrolment = begin_enrolment(session_of(app, OPS))
    return {"code": code_of(pyotp.TOTP(enrolment.secret))}


def test_exactly_the_sensitive_routes_require_a_step_up(app: Flask) -> None:
    marked = {
        (method, re.sub(r"<\w+:", "<", rule.rule).removeprefix("/v1/admin"))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if "step_up" in app.view_functions[rule.endpoint].__dict__
    }
    assert marked == set(SENSITIVE)


def test_openapi_documents_step_up_required_for_exactly_the_sensitive_routes(
    client: Client,
) -> None:
    document = json_of(client.send("GET", "/openapi.json"))
    sensitive = {
        operation.name
        for operation in operations(document)
        if (operation.method, operation.path.removeprefix("/v1/admin").translate(AS_RULE))
        in SENSITIVE
    }
    assert len(sensitive) == len(SENSITIVE)
    codes = codes_by_operation(document)
    assert sensitive == {name for name, listed in codes.items() if "step_up_required" in listed}


@pytest.mark.parametrize("enrolled", [False, True], ids=["password", "password_and_code"])
def test_a_sensitive_route_returns_403_five_minutes_after_the_last_step_up(
    app: Flask, acme: TenantIds, rows: Reader, enrolled: bool
) -> None:
    """The step-up is checked before the body: a malformed body gets the same response."""
    site = site_of(app, rows, enrolled=enrolled)
    site.expire_step_up()
    before = everything(rows)
    for method, path in SENSITIVE:
        assert failure(call(site.script, acme, method, path)) == (403, "step_up_required"), path
        malformed = site.script(method, acme.path(path), data=b"{", content_type="application/json")
        assert failure(malformed) == (403, "step_up_required"), path
    assert everything(rows) == before


@pytest.mark.parametrize("route", SENSITIVE, ids=" ".join)
def test_a_sensitive_route_succeeds_after_a_step_up_of_the_same_session(
    route: tuple[str, str], app: Flask, acme: TenantIds, rows: Reader
) -> None:
    """The request is sent by a second client with the tokens of the session."""
    site = site_of(app, rows, enrolled=route == RECOVERY)
    other = Script(Client(app), OPS, dict(site.script.tokens))
    body = confirmation(app) if route == CONFIRMATION else ROUTES[route].body
    site.expire_step_up()

    def send() -> Any:
        sent = {} if body is None else {"json": body}
        return other(route[0], acme.path(route[1]), **sent)

    assert failure(send()) == (403, "step_up_required")
    assert site.step_up().status_code == 204
    answer = send()
    assert answer.status_code == SENSITIVE[route], answer.text


def test_a_session_without_a_recent_step_up_cannot_change_protected_columns(
    app: Flask, acme: TenantIds, rows: Reader
) -> None:
    """The session calls every route and guesses passwords, then repeats this with new tokens."""
    site = site_of(app, rows, enrolled=True)
    site.expire_step_up()
    before = [rows(query) for query in PROTECTED]
    own = {"operator_id": str(rows("SELECT id FROM operators WHERE email = :e", e=OPS)[0][0])}
    for _ in range(2):
        for method, path in ROUTES:
            if path not in ("/sign-out", "/refresh"):
                call(site.script, acme, method, path)
                call(site.script, acme, method, path, **own)
        for guess in ({}, {"code": "000000"}, {"code": "aaaaa-aaaaa"}):
            refused = site.script("POST", "/step-up", json={"password": "guessed-it", **guess})
            assert failure(refused)[1] in ("password_wrong", "too_many_tries")
        site.script.tokens = site.script.refresh().json
    assert [rows(query) for query in PROTECTED] == before


def test_repeating_a_creation_by_idempotency_key_requires_a_recent_step_up(
    app: Flask, acme: TenantIds, rows: Reader
) -> None:
    """The stored response contains the token of an invitation."""
    site = site_of(app, rows, enrolled=False)
    how = {
        "json": {"email": "new@wxpass.example", "role": "platform"},
        "headers": {"Idempotency-Key": "key-1"},
    }
    first = site.script("POST", "/operators", **how)
    assert first.status_code == 201
    site.expire_step_up()
    replayed = site.script("POST", "/operators", **how)
    assert failure(replayed) == (403, "step_up_required")
    assert first.json["invitation"] not in replayed.text
    assert site.step_up().status_code == 204
    assert site.script("POST", "/operators", **how).json == first.json


def test_refreshing_tokens_does_not_extend_the_step_up(
    app: Flask, acme: TenantIds, rows: Reader
) -> None:
    site = site_of(app, rows, enrolled=False)
    site.expire_step_up(minutes=4)
    site.script.tokens = site.script.refresh().json
    route = ("POST", "/operators/<operator_id>/reset")
    assert call(site.script, acme, *route).status_code == 200
    site.expire_step_up()
    site.script.tokens = site.script.refresh().json
    assert failure(call(site.script, acme, *route)) == (403, "step_up_required")


def test_a_sensitive_route_checks_the_role_before_the_step_up(
    app: Flask, acme: TenantIds, rows: Reader
) -> None:
    site_of(app, rows, enrolled=False)
    add_operator(app, "rita@acme.example", "tenant_reader", "acme")
    reader = Script(Client(app), "rita@acme.example")
    reader.sign_in()
    rows("UPDATE operator_sessions SET proven_at = now() - interval '1 hour'")
    for method, path in SENSITIVE:
        own = path.startswith("/me/")
        expected = "step_up_required" if own else "role_too_low"
        assert failure(call(reader, acme, method, path)) == (403, expected), path


def test_a_sensitive_route_returns_401_without_a_token(
    app: Flask, acme: TenantIds, client: Client
) -> None:
    for method, path in SENSITIVE:
        answer = client.send(method, f"/v1/admin{acme.path(path)}")
        assert failure(answer) == (401, "token_missing"), path
