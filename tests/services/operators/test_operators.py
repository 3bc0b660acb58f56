"""Operators: invitation, sign-in, roles, disabling and reset."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from app.errors import (
    Failure,
    InvitationInvalid,
    LastPlatformOperator,
    OneTimeCodeWrong,
    OperatorExists,
    OperatorUnknown,
    RoleTooLow,
    SignInExpired,
    SignInNeeded,
    SignInWrong,
    TenantUnknown,
    TooManyTries,
)
from app.models.columns import new_id
from app.services.apps.apps import NewApp
from app.services.apps.tenants import TenantSettings, change_tenant
from app.services.audit import OPERATOR, Actor
from app.services.database.paging import CursorPage
from app.services.operators import listed_operators, operators
from app.services.operators.one_time_codes import remove_own_codes
from app.services.operators.sessions import find_console_session
from app.services.operators.sign_in import confirm_code, sign_in
from app.services.principals import Device
from app.services.tenant_admin.apps import add_tenant_app, list_tenant_apps
from app.services.tenant_admin.tenant_scope import open_tenant_scope
from tests.fixtures.operators import (
    DEVICE,
    PASSWORD,
    Script,
    add_operator,
    code_of,
    enable_one_time_codes,
    enrol,
    invite,
    signed_in,
    wrong_codes,
)
from tests.fixtures.passwords import OTHER_PASSWORD
from tests.fixtures.personas import Client, Reader, failure
from tests.services.login.test_concurrency import run_concurrently

ANN, RITA, OPS = "ann@acme.example", "rita@acme.example", "ops@wxpass.example"


@pytest.fixture
def ann(app: Flask) -> Script:
    """Add Ann, a tenant admin of acme, and return her API client, which is not signed in."""
    add_operator(app, ANN, "tenant_admin", "acme")
    return Script(Client(app), ANN)


def in_context(app: Flask, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in an application context."""
    with app.app_context():
        return function(*args)


def assert_refused(
    app: Flask, kind: type[Failure], function: Callable[..., Any], *args: Any
) -> None:
    """Assert that a call in an application context raises an exception of the class `kind`."""
    with pytest.raises(kind):
        in_context(app, function, *args)


def test_operator_invitation_is_valid_once_and_until_it_expires(app: Flask, rows: Reader) -> None:
    first = invite(app, " Ann@ACME.example ", "tenant_admin", "acme")
    assert in_context(app, operators.accept_invitation, first, PASSWORD, DEVICE) == ANN
    assert_refused(
        app, InvitationInvalid, operators.accept_invitation, first, "another-one", DEVICE
    )
    second = invite(app, RITA, "tenant_reader", "acme")
    rows("UPDATE operators SET invitation_expires_at = now() WHERE email = :e", e=RITA)
    assert_refused(app, InvitationInvalid, operators.accept_invitation, second, PASSWORD, DEVICE)
    assert_refused(app, OperatorExists, operators.invite_operator, OPERATOR, ANN, "platform", None)
    assert_refused(
        app, TenantUnknown, operators.invite_operator, OPERATOR, "x@x.example", "x", "nobody"
    )
    assert first not in str(rows("SELECT * FROM operators"))


def test_unknown_invitation_is_refused_without_hashing_the_password(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Password hashing is expensive and limited to one thread."""
    hashed: list[str] = []
    monkeypatch.setattr(operators, "hash_in_turn", lambda *_: hashed.append("hashed"))
    assert_refused(app, InvitationInvalid, operators.accept_invitation, "made up", PASSWORD, DEVICE)
    assert hashed == []


def test_admin_api_refuses_an_operator_password_shorter_than_twelve_characters(app: Flask) -> None:
    body = {"invitation": invite(app, RITA, "tenant_reader", "acme"), "password": "elevenchars"}
    answer = Client(app).send("POST", "/v1/admin/invitation", json=body)
    assert failure(answer) == (422, "request_invalid")


def test_disabled_operator_cannot_accept_an_invitation(app: Flask) -> None:
    invitation = invite(app, RITA, "tenant_reader", "acme")
    rita = in_context(app, listed_operators.find_operator_id, RITA)
    in_context(app, operators.set_operator_status, OPERATOR, rita, "disabled")
    assert_refused(
        app, InvitationInvalid, operators.accept_invitation, invitation, PASSWORD, DEVICE
    )


def test_failed_sign_in_gets_the_same_response_whether_or_not_the_operator_exists(
    app: Flask, ann: Script
) -> None:
    """The response does not reveal which e-mail addresses belong to operators."""
    invite(app, RITA, "tenant_reader", "acme")
    others = [Script(ann.client, email) for email in ("nobody@acme.example", RITA)]
    answers = [ann.sign_in("wrong-password"), *(one.sign_in() for one in others)]
    in_context(app, lambda: change_tenant("acme", TenantSettings(status="disabled")))
    answers.append(ann.sign_in())
    assert {failure(answer) for answer in answers} == {(401, "sign_in_wrong")}
    assert len({answer.json["detail"] for answer in answers}) == 1
    in_context(app, lambda: change_tenant("acme", TenantSettings(status="active")))
    assert ann.sign_in().status_code == 200


@pytest.mark.usefixtures("no_waits_end")
def test_wrong_passwords_of_operators_are_throttled(ann: Script) -> None:
    answers = [ann.sign_in(f"wrong-{number}") for number in range(7)]
    assert failure(answers[-1]) == (429, "too_many_tries")
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert failure(ann.sign_in()) == (429, "too_many_tries"), (
        "the right password is throttled as well"
    )


def test_disabling_an_operator_or_the_operators_tenant_applies_to_the_next_request(
    app: Flask, ann: Script
) -> None:
    """Each request reads the operator's row, because access tokens are valid for 15 minutes."""
    ann.sign_in()
    in_context(app, lambda: change_tenant("acme", TenantSettings(status="disabled")))
    assert failure(ann("GET", "/me")) == (401, "sign_in_needed")
    in_context(app, lambda: change_tenant("acme", TenantSettings(status="active")))
    assert ann("GET", "/me").status_code == 200
    ann_id = in_context(app, listed_operators.find_operator_id, ANN)
    in_context(app, operators.set_operator_status, OPERATOR, ann_id, "disabled")
    assert failure(ann("GET", "/me")) == (401, "sign_in_needed")
    assert failure(ann.refresh()) == (401, "refresh_token_invalid")
    assert failure(ann.sign_in()) == (401, "sign_in_wrong")
    in_context(app, operators.set_operator_status, OPERATOR, ann_id, "active")
    assert failure(ann("GET", "/me")) == (401, "sign_in_needed"), "the session stays ended"


def test_role_change_of_an_operator_applies_to_the_next_request(
    app: Flask, ann: Script, rows: Reader
) -> None:
    ann.sign_in()
    ann_id = in_context(app, listed_operators.find_operator_id, ANN)
    in_context(app, operators.change_role, OPERATOR, ann_id, "tenant_reader", "acme")
    assert failure(ann("GET", "/tenants/acme/apps")) == (401, "sign_in_needed")
    ann.sign_in()
    new = {"appid": "wxaaaa000000000009", "name": "New", "secret": "f0" * 16}
    assert failure(ann("POST", "/tenants/acme/apps", json=new)) == (403, "role_too_low")
    in_context(app, operators.change_role, OPERATOR, ann_id, "tenant_admin", "globex")
    ann.sign_in()
    assert failure(ann("GET", "/tenants/acme/apps")) == (404, "tenant_unknown")
    in_context(app, operators.change_role, OPERATOR, ann_id, "platform", None)
    ann.sign_in()
    assert ann("GET", "/tenants/acme/apps").status_code == 200
    assert rows(
        "SELECT slug, details -> 'before' ->> 'role', details -> 'after' ->> 'role'"
        " FROM audit_events e JOIN tenants t ON t.id = tenant_id"
        " WHERE action = 'operator.changed' ORDER BY e.id"
    ) == [
        ("acme", "tenant_admin", "tenant_reader"),
        ("acme", "tenant_reader", None),
        ("globex", None, "tenant_admin"),
        ("globex", "tenant_admin", "platform"),
    ]
    assert rows(
        "SELECT details -> 'before' ->> 'role', details -> 'after' ->> 'role'"
        " FROM platform_audit_events WHERE action = 'operator.changed'"
    ) == [("tenant_admin", "platform")]
    assert not rows(
        "SELECT e.id FROM audit_events e, tenants t"
        " WHERE tenant_id <> t.id AND details::text LIKE '%' || t.id || '%'"
    ), "no audit event of a tenant names another tenant"


def test_operator_role_is_read_from_the_operators_row_at_each_request(
    app: Flask, ann: Script, rows: Reader
) -> None:
    ann.sign_in()
    rows("UPDATE operators SET role = 'tenant_reader' WHERE email = :e", e=ANN)
    assert ann("GET", "/me").json["role"] == "tenant_reader"


def test_reuse_of_an_operators_refresh_token_ends_the_session(ann: Script, rows: Reader) -> None:
    ann.sign_in()
    old = ann.tokens["refresh_token"]
    renewed = ann.refresh().json
    assert renewed["refresh_token"] != old
    assert failure(ann.refresh(old)) == (401, "refresh_token_reused")
    assert failure(ann.refresh(renewed["refresh_token"])) == (401, "refresh_token_invalid")
    ann.tokens = renewed
    assert failure(ann("GET", "/me")) == (401, "sign_in_needed")
    assert rows.count("audit_events", "action = 'operator.token_reused'") == 1


@pytest.mark.parametrize("shown", ["wxr_", "x", "wxr_" + "A" * 86, "wxp_" + "A" * 43])
def test_malformed_refresh_token_of_an_operator_is_refused(ann: Script, shown: str) -> None:
    ann.sign_in()
    assert failure(ann.refresh(shown)) == (401, "refresh_token_invalid")


def test_admin_api_session_cannot_be_used_or_refreshed_after_its_expiry(
    ann: Script, rows: Reader
) -> None:
    ann.sign_in()
    rows("UPDATE operator_sessions SET expires_at = now()")
    assert failure(ann("GET", "/me")) == (401, "sign_in_expired")
    assert failure(ann.refresh()) == (401, "refresh_token_expired")


def test_access_token_of_an_operator_expires(ann: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "app.services.operators.tokens.OPERATOR_JWT_LIFETIME", timedelta(seconds=-1)
    )
    assert ann.sign_in().json["expires_in"] == 900
    assert failure(ann("GET", "/me")) == (401, "jwt_expired")


def test_admin_api_sign_in_requires_a_one_time_code_once_codes_are_enrolled(
    app: Flask, ann: Script
) -> None:
    totp = enable_one_time_codes(app, ANN)
    assert failure(ann.sign_in()) == (401, "one_time_code_needed")
    (wrong,) = wrong_codes(totp, 1)
    assert failure(ann.sign_in(code=wrong)) == (401, "one_time_code_wrong")
    code = code_of(totp)
    assert ann.sign_in(code=code).status_code == 200
    assert failure(ann.sign_in(code=code)) == (401, "one_time_code_wrong"), "a code is valid once"
    assert ann.sign_in(code=code_of(totp, 1)).status_code == 200, (
        "the code of the next 30 seconds is accepted"
    )
    assert failure(ann.sign_in(code=code_of(totp, 3))) == (401, "one_time_code_wrong")
    assert failure(ann.sign_in(code=code_of(totp, -1))) == (401, "one_time_code_wrong")


@pytest.mark.usefixtures("no_waits_end")
def test_wrong_one_time_codes_of_an_operator_are_throttled(app: Flask, ann: Script) -> None:
    """The codes are sent at sign-in and at the removal of codes."""
    session, totp, _ = enrol(app, ANN)
    wrong = wrong_codes(totp, 7)
    answers = [ann.sign_in(code=code) for code in wrong]
    assert failure(answers[-1])[1] == "too_many_tries"
    with app.app_context():
        for _ in range(6):
            with pytest.raises((OneTimeCodeWrong, TooManyTries)):
                remove_own_codes(session, wrong[0])
        with pytest.raises(TooManyTries):
            remove_own_codes(session, wrong[0])


def test_console_session_cannot_be_used_before_the_one_time_code_is_confirmed(
    app: Flask, ann: Script
) -> None:
    totp = enable_one_time_codes(app, ANN)
    with app.app_context():
        pending = sign_in(ANN, PASSWORD, DEVICE)
        assert pending.awaits_code
        with pytest.raises(SignInNeeded):
            find_console_session(pending.token, DEVICE)
        with pytest.raises(OneTimeCodeWrong):
            confirm_code(pending.token, *wrong_codes(totp, 1), DEVICE)
        confirmed = confirm_code(pending.token, code_of(totp), DEVICE)
        assert confirmed.token != pending.token
        assert find_console_session(confirmed.token, DEVICE).email == ANN
        for token in (pending.token, confirmed.token):
            with pytest.raises(SignInNeeded):
                confirm_code(token, code_of(totp, 1), DEVICE)


def test_console_sign_in_that_waits_for_a_one_time_code_expires(
    app: Flask, ann: Script, rows: Reader
) -> None:
    totp = enable_one_time_codes(app, ANN)
    pending = in_context(app, sign_in, ANN, PASSWORD, DEVICE)
    rows("UPDATE operator_sessions SET expires_at = now()")
    assert_refused(app, SignInNeeded, confirm_code, pending.token, code_of(totp), DEVICE)


def test_idle_console_session_expires_after_thirty_minutes(
    app: Flask, ann: Script, rows: Reader
) -> None:
    token = in_context(app, sign_in, ANN, PASSWORD, DEVICE).token
    assert in_context(app, find_console_session, token, DEVICE).tenant_slug == "acme"
    rows("UPDATE operator_sessions SET seen_at = now() - interval '29 minutes'")
    in_context(app, find_console_session, token, DEVICE)
    ((seen_lately,),) = rows("SELECT seen_at > now() - interval '1 minute' FROM operator_sessions")
    assert seen_lately
    rows("UPDATE operator_sessions SET seen_at = now() - interval '30 minutes'")
    assert_refused(app, SignInExpired, find_console_session, token, DEVICE)


def test_console_token_is_not_valid_for_the_admin_api_and_the_reverse(
    app: Flask, ann: Script, rows: Reader
) -> None:
    token = in_context(app, sign_in, ANN, PASSWORD, DEVICE).token
    ann.tokens = {"access_token": token}
    assert failure(ann("GET", "/me")) == (401, "jwt_invalid")
    ann.sign_in()
    family = ann.tokens["refresh_token"].removeprefix("wxr_")[:43]
    assert_refused(app, SignInNeeded, find_console_session, family, DEVICE)


def test_reset_of_an_operator_removes_the_password_and_keeps_one_time_codes(
    app: Flask, ann: Script, rows: Reader
) -> None:
    """Otherwise a platform admin could take over the account of the operator by a reset."""
    totp = enable_one_time_codes(app, ANN)
    ann.sign_in(code=code_of(totp))
    ann_id = in_context(app, listed_operators.find_operator_id, ANN)
    invitation = in_context(app, operators.reset_operator, OPERATOR, ann_id)
    assert failure(ann("GET", "/me")) == (401, "sign_in_needed")
    assert failure(ann.sign_in()) == (401, "sign_in_wrong")
    in_context(app, operators.accept_invitation, invitation, OTHER_PASSWORD, DEVICE)
    assert failure(ann.sign_in()) == (401, "sign_in_wrong")
    assert failure(ann.sign_in(OTHER_PASSWORD)) == (401, "one_time_code_needed")
    assert ann.sign_in(OTHER_PASSWORD, code=code_of(totp, 1)).status_code == 200
    assert_refused(app, OperatorUnknown, listed_operators.find_operator_id, "nobody@acme.example")
    assert rows("SELECT details FROM audit_events WHERE action = 'operator.reset'") == [
        ({"before": {"password": True}, "after": {"password": False}},)
    ]


def test_last_platform_admin_who_can_sign_in_cannot_be_removed(app: Flask) -> None:
    """The last one cannot be disabled, demoted or reset."""
    ops = add_operator(app, OPS, "platform")
    invite(app, "late@wxpass.example", "platform")
    off = add_operator(app, "off@wxpass.example", "platform")
    in_context(app, operators.set_operator_status, OPERATOR, off, "disabled")
    add_operator(app, ANN, "tenant_admin", "acme")
    demote = (operators.change_role, OPERATOR, ops, "tenant_admin", "acme")
    disable = (operators.set_operator_status, OPERATOR, ops, "disabled")
    reset = (operators.reset_operator, OPERATOR, ops)
    for act in (demote, disable, reset):
        assert_refused(app, LastPlatformOperator, *act)
    late = in_context(app, listed_operators.find_operator_id, "late@wxpass.example")
    in_context(app, operators.reset_operator, OPERATOR, late)
    in_context(app, operators.set_operator_status, OPERATOR, late, "disabled")
    add_operator(app, "second@wxpass.example", "platform")
    in_context(app, *disable)


def test_command_line_can_reset_the_last_platform_admin(app: Flask) -> None:
    """This is safe because a person with access to the machine can issue a new invitation."""
    ops = add_operator(app, OPS, "platform")
    with app.app_context():
        invitation = operators.reset_operator(OPERATOR, ops, even_last=True)
        operators.accept_invitation(invitation, "silver-lantern-92", DEVICE)
    assert Script(Client(app), OPS).sign_in("silver-lantern-92").status_code == 200


def test_operator_cannot_reset_disable_or_demote_their_own_account(
    app: Flask, rows: Reader
) -> None:
    """A reset would let a stolen session replace password and one-time codes."""
    ops = signed_in(app, OPS, "platform")
    add_operator(app, "second@wxpass.example", "platform")
    own = f"/operators/{ops('GET', '/me').json['id']}"
    enrolled_at = "SELECT password_hash, totp_sealed, role, status FROM operators ORDER BY id"
    before = rows(enrolled_at)
    for answer, code in (
        (ops("POST", f"{own}/reset"), "self_reset_refused"),
        (ops("DELETE", f"{own}/one-time-codes"), "self_reset_refused"),
        (ops("PATCH", own, json={"status": "disabled"}), "self_change_refused"),
        (ops("PATCH", own, json={"role": "platform"}), "self_change_refused"),
        (
            ops("PATCH", own, json={"role": "tenant_admin", "tenant": "acme"}),
            "self_change_refused",
        ),
    ):
        assert failure(answer) == (409, code)
    assert rows(enrolled_at) == before
    assert ops("PATCH", own, json={"status": "active"}).status_code == 200


def test_platform_admin_can_remove_the_one_time_codes_of_another_operator(
    app: Flask, rows: Reader
) -> None:
    """The operator may have lost the phone. All sessions end, and the password then suffices."""
    ops = signed_in(app, OPS, "platform")
    ann_id = add_operator(app, ANN, "tenant_admin", "acme")
    path = f"/operators/{ann_id}/one-time-codes"
    assert failure(ops("DELETE", path)) == (409, "one_time_codes_off")
    totp = enable_one_time_codes(app, ANN)
    ann = Script(Client(app), ANN)
    ann.sign_in(code=code_of(totp))
    pending = in_context(app, sign_in, ANN, PASSWORD, DEVICE)
    assert ops("DELETE", path).status_code == 204
    assert failure(ann("GET", "/me")) == (401, "sign_in_needed")
    assert_refused(app, SignInNeeded, confirm_code, pending.token, code_of(totp, 1), DEVICE)
    assert ann.sign_in().status_code == 200
    audited = (
        "SELECT slug, subject FROM audit_events e JOIN tenants t ON t.id = tenant_id"
        " WHERE action = 'operator.codes_removed'"
    )
    assert rows(audited) == [("acme", str(ann_id))]
    unknown = ops("DELETE", f"/operators/{new_id()}/one-time-codes")
    assert failure(unknown) == (404, "operator_unknown")


def disable(app: Flask, actor: Actor, operator_id: UUID) -> None:
    operators.set_operator_status(actor, operator_id, "disabled")


def demote(app: Flask, actor: Actor, operator_id: UUID) -> None:
    operators.change_role(actor, operator_id, "tenant_admin", "acme")


def reset(app: Flask, actor: Actor, operator_id: UUID) -> None:
    operators.reset_operator(actor, operator_id)


@pytest.mark.real_commits
@pytest.mark.parametrize("first", [disable, demote, reset])
@pytest.mark.parametrize("second", [disable, demote, reset])
def test_one_of_two_platform_admins_who_concurrently_remove_each_other_remains(
    app: Flask, rows: Reader, first: Callable[..., None], second: Callable[..., None]
) -> None:
    ids = [add_operator(app, f"{name}@wxpass.example", "platform") for name in ("a", "b")]

    def attempt(change: Callable[..., None], actor: UUID, operator_id: UUID) -> str:
        try:
            in_context(app, change, app, Actor("operator", actor), operator_id)
        except LastPlatformOperator:
            return "refused"
        return "done"

    attempts: list[Callable[[], Any]] = [
        lambda: attempt(first, ids[0], ids[1]),
        lambda: attempt(second, ids[1], ids[0]),
    ]
    assert sorted(run_concurrently(attempts)) == ["done", "refused"]
    able = "role = 'platform' AND status = 'active' AND password_hash IS NOT NULL"
    assert rows.count("operators", able) == 1


@pytest.mark.real_commits
def test_at_least_one_of_four_platform_admins_who_disable_each_other_in_a_ring_remains(
    app: Flask, rows: Reader
) -> None:
    """All transactions lock rows in the same order, so that no deadlock occurs."""
    ids = [add_operator(app, f"{name}@wxpass.example", "platform") for name in "abcd"]

    def disable_next(number: int) -> None:
        with suppress(LastPlatformOperator):
            actor = Actor("operator", ids[number])
            in_context(app, disable, app, actor, ids[(number + 1) % 4])

    run_concurrently([lambda number=number: disable_next(number) for number in range(4)])
    assert rows.count("operators", "status = 'active'") >= 1


@pytest.mark.real_commits
def test_concurrent_refreshes_with_one_operator_token_end_the_session(
    app: Flask, rows: Reader
) -> None:
    script = signed_in(app, ANN, "tenant_admin", "acme")
    answers = run_concurrently([script.refresh, script.refresh])
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    assert rows.count("operator_sessions", "end_reason = 'token_reused'") == 1


def test_tenant_viewer_can_list_the_tenants_apps_but_not_add_one(app: Flask) -> None:
    token_of = signed_in(app, RITA, "tenant_reader", "acme")
    assert token_of("GET", "/me").json["tenant"] == "acme"
    with app.app_context():
        cookie = sign_in(RITA, PASSWORD, Device(None, None)).token
        scope = open_tenant_scope(find_console_session(cookie, DEVICE), "acme")
        assert len(list_tenant_apps(scope, CursorPage()).items) == 3
        with pytest.raises(RoleTooLow):
            add_tenant_app(scope, NewApp("wxaaaa000000000009", "x", "closed", "json", "f" * 32))
        with pytest.raises(TenantUnknown):
            open_tenant_scope(find_console_session(cookie, DEVICE), "globex")


def test_operator_credentials_are_stored_as_hashes(app: Flask, ann: Script, rows: Reader) -> None:
    totp = enable_one_time_codes(app, ANN)
    cookie = in_context(app, sign_in, ANN, PASSWORD, DEVICE).token
    invitation = invite(app, RITA, "tenant_reader", "acme")
    ann.sign_in(code=code_of(totp))
    kept = str(
        rows("SELECT o::text, s::text FROM operators o LEFT JOIN operator_sessions s ON true")
    )
    secrets = [PASSWORD, totp.secret, cookie, invitation]
    secrets += re.findall(r".{43}", ann.tokens["refresh_token"].removeprefix("wxr_"))
    assert [one for one in secrets if one in kept or one.encode().hex() in kept] == []


def test_operator_email_address_is_not_case_sensitive_at_sign_in(app: Flask, ann: Script) -> None:
    assert Script(ann.client, "ANN@Acme.Example").sign_in().status_code == 200
    assert_refused(app, SignInWrong, sign_in, "ann", PASSWORD, DEVICE)
