"""Operators: invited, signed in, limited, switched off; what is changed counts at once."""

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
from app.services.operators import operators
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
    ask_for_codes,
    code_of,
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
    """Ann looks after acme."""
    add_operator(app, ANN, "tenant_admin", "acme")
    return Script(Client(app), ANN)


def in_context(app: Flask, act: Callable[..., Any], *args: Any) -> Any:
    """Do something as a process of the service does."""
    with app.app_context():
        return act(*args)


def refused(app: Flask, kind: type[Failure], act: Callable[..., Any], *args: Any) -> None:
    """Demand that something is refused."""
    with pytest.raises(kind):
        in_context(app, act, *args)


def test_an_invitation_works_once_and_for_three_days(app: Flask, rows: Reader) -> None:
    """Otherwise whoever finds an old e-mail is an operator."""
    first = invite(app, " Ann@ACME.example ", "tenant_admin", "acme")
    assert in_context(app, operators.accept_invitation, first, PASSWORD, DEVICE) == ANN
    refused(app, InvitationInvalid, operators.accept_invitation, first, "another-one", DEVICE)
    second = invite(app, RITA, "tenant_reader", "acme")
    rows("UPDATE operators SET invitation_expires_at = now() WHERE email = :e", e=RITA)
    refused(app, InvitationInvalid, operators.accept_invitation, second, PASSWORD, DEVICE)
    refused(app, OperatorExists, operators.invite_operator, OPERATOR, ANN, "platform", None)
    refused(app, TenantUnknown, operators.invite_operator, OPERATOR, "x@x.example", "x", "nobody")
    assert first not in str(rows("SELECT * FROM operators"))


def test_a_made_up_invitation_is_refused_before_the_long_work(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise any stranger keeps the one thread that hashes busy, and nobody can sign in."""
    hashed: list[str] = []
    monkeypatch.setattr(operators, "hash_password", hashed.append)
    refused(app, InvitationInvalid, operators.accept_invitation, "made up", PASSWORD, DEVICE)
    assert hashed == []


def test_an_operators_password_is_as_long_for_scripts_as_in_the_console(app: Flask) -> None:
    """Otherwise the way around the console's rule is a script."""
    body = {"invitation": invite(app, RITA, "tenant_reader", "acme"), "password": "elevenchars"}
    answer = Client(app).send("POST", "/v1/admin/invitation", json=body)
    assert failure(answer) == (422, "request_invalid")


def test_nobody_disabled_takes_an_invitation_up(app: Flask) -> None:
    """Otherwise an operator who was switched off lets themself in."""
    invitation = invite(app, RITA, "tenant_reader", "acme")
    rita = in_context(app, operators.find_operator_id, RITA)
    in_context(app, operators.set_operator_status, OPERATOR, rita, "disabled")
    refused(app, InvitationInvalid, operators.accept_invitation, invitation, PASSWORD, DEVICE)


def test_whatever_is_wrong_at_a_sign_in_is_told_the_same(app: Flask, ann: Script) -> None:
    """Otherwise anybody learns who is an operator, and of what."""
    invite(app, RITA, "tenant_reader", "acme")
    strangers = [Script(ann.client, email) for email in ("nobody@acme.example", RITA)]
    answers = [ann.sign_in("wrong-password"), *(one.sign_in() for one in strangers)]
    in_context(app, lambda: change_tenant("acme", TenantSettings(status="disabled")))
    answers.append(ann.sign_in())
    assert {failure(answer) for answer in answers} == {(401, "sign_in_wrong")}
    assert len({answer.json["detail"] for answer in answers}) == 1
    in_context(app, lambda: change_tenant("acme", TenantSettings(status="active")))
    assert ann.sign_in().status_code == 200


@pytest.mark.usefixtures("no_waits_end")
def test_wrong_passwords_of_operators_are_slowed_down(ann: Script) -> None:
    """Otherwise the password of whoever looks after all users is guessed."""
    answers = [ann.sign_in(f"wrong-{number}") for number in range(7)]
    assert failure(answers[-1]) == (429, "too_many_tries")
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert failure(ann.sign_in()) == (429, "too_many_tries"), "the right one waits, too"


def test_a_disabled_operator_and_a_disabled_tenant_are_out_at_once(app: Flask, ann: Script) -> None:
    """Otherwise somebody who was let go goes on for a quarter of an hour."""
    ann.sign_in()
    in_context(app, lambda: change_tenant("acme", TenantSettings(status="disabled")))
    assert failure(ann("GET", "/me")) == (401, "sign_in_needed")
    in_context(app, lambda: change_tenant("acme", TenantSettings(status="active")))
    assert ann("GET", "/me").status_code == 200
    ann_id = in_context(app, operators.find_operator_id, ANN)
    in_context(app, operators.set_operator_status, OPERATOR, ann_id, "disabled")
    assert failure(ann("GET", "/me")) == (401, "sign_in_needed")
    assert failure(ann.refresh()) == (401, "refresh_token_invalid")
    assert failure(ann.sign_in()) == (401, "sign_in_wrong")
    in_context(app, operators.set_operator_status, OPERATOR, ann_id, "active")
    assert failure(ann("GET", "/me")) == (401, "sign_in_needed"), "the session ended"


def test_a_role_counts_at_once(app: Flask, ann: Script, rows: Reader) -> None:
    """Otherwise rights that were taken away stay for as long as a token."""
    ann.sign_in()
    ann_id = in_context(app, operators.find_operator_id, ANN)
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
        " FROM audit_events e LEFT JOIN tenants t ON t.id = tenant_id"
        " WHERE action = 'operator.changed' ORDER BY e.id"
    ) == [
        ("acme", "tenant_admin", "tenant_reader"),
        ("acme", "tenant_reader", None),
        ("globex", None, "tenant_admin"),
        ("globex", "tenant_admin", "platform"),
        (None, "tenant_admin", "platform"),
    ]
    assert not rows(
        "SELECT e.id FROM audit_events e, tenants t"
        " WHERE tenant_id <> t.id AND details::text LIKE '%' || t.id || '%'"
    ), "a tenant's trail names the neighbour"


def test_a_session_row_alone_does_not_keep_a_role(app: Flask, ann: Script, rows: Reader) -> None:
    """Otherwise a role is what it was when somebody signed in."""
    ann.sign_in()
    rows("UPDATE operators SET role = 'tenant_reader' WHERE email = :e", e=ANN)
    assert ann("GET", "/me").json["role"] == "tenant_reader"


def test_a_refresh_token_that_comes_twice_ends_the_session(ann: Script, rows: Reader) -> None:
    """Otherwise a stolen one is good for a month beside the owner's."""
    ann.sign_in()
    old = ann.tokens["refresh_token"]
    fresh = ann.refresh().json
    assert fresh["refresh_token"] != old
    assert failure(ann.refresh(old)) == (401, "refresh_token_reused")
    assert failure(ann.refresh(fresh["refresh_token"])) == (401, "refresh_token_invalid")
    ann.tokens = fresh
    assert failure(ann("GET", "/me")) == (401, "sign_in_needed")
    assert rows.count("audit_events", "action = 'operator.token_reused'") == 1


@pytest.mark.parametrize("shown", ["wxr_", "x", "wxr_" + "A" * 86, "wxp_" + "A" * 43])
def test_what_is_no_refresh_token_is_refused(ann: Script, shown: str) -> None:
    """Otherwise nonsense is a failure of ours."""
    ann.sign_in()
    assert failure(ann.refresh(shown)) == (401, "refresh_token_invalid")


def test_a_session_of_a_script_ends_after_thirty_days(ann: Script, rows: Reader) -> None:
    """Otherwise a forgotten script signs in for ever."""
    ann.sign_in()
    rows("UPDATE operator_sessions SET expires_at = now()")
    assert failure(ann("GET", "/me")) == (401, "sign_in_expired")
    assert failure(ann.refresh()) == (401, "refresh_token_expired")


def test_an_access_token_lives_a_quarter_of_an_hour(
    ann: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a JWT that leaked is good for long."""
    monkeypatch.setattr(
        "app.services.operators.tokens.OPERATOR_JWT_LIFETIME", timedelta(seconds=-1)
    )
    assert ann.sign_in().json["expires_in"] == 900
    assert failure(ann("GET", "/me")) == (401, "jwt_expired")


def test_scripts_are_asked_for_codes_where_they_are_switched_on(app: Flask, ann: Script) -> None:
    """Otherwise a stolen password is enough by the other door."""
    totp = ask_for_codes(app, ANN)
    assert failure(ann.sign_in()) == (401, "one_time_code_needed")
    (wrong,) = wrong_codes(totp, 1)
    assert failure(ann.sign_in(code=wrong)) == (401, "one_time_code_wrong")
    code = code_of(totp)
    assert ann.sign_in(code=code).status_code == 200
    assert failure(ann.sign_in(code=code)) == (401, "one_time_code_wrong"), "replayed"
    assert ann.sign_in(code=code_of(totp, 1)).status_code == 200, "a clock half a minute ahead"
    assert failure(ann.sign_in(code=code_of(totp, 3))) == (401, "one_time_code_wrong")
    assert failure(ann.sign_in(code=code_of(totp, -1))) == (401, "one_time_code_wrong")


@pytest.mark.usefixtures("no_waits_end")
def test_codes_are_not_tried_one_after_the_other(app: Flask, ann: Script) -> None:
    """Otherwise a million codes are soon tried by whoever has the password, or the session."""
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


def test_the_console_does_nothing_before_the_code(app: Flask, ann: Script) -> None:
    """Otherwise the password alone opens the console."""
    totp = ask_for_codes(app, ANN)
    with app.app_context():
        half = sign_in(ANN, PASSWORD, DEVICE)
        assert half.awaits_code
        with pytest.raises(SignInNeeded):
            find_console_session(half.token, DEVICE)
        with pytest.raises(OneTimeCodeWrong):
            confirm_code(half.token, *wrong_codes(totp, 1), DEVICE)
        whole = confirm_code(half.token, code_of(totp), DEVICE)
        assert whole.token != half.token
        assert find_console_session(whole.token, DEVICE).email == ANN
        for token in (half.token, whole.token):
            with pytest.raises(SignInNeeded):
                confirm_code(token, code_of(totp, 1), DEVICE)


def test_a_sign_in_that_waits_for_its_code_does_not_wait_for_long(
    app: Flask, ann: Script, rows: Reader
) -> None:
    """Otherwise a code that is read later completes what somebody else began."""
    totp = ask_for_codes(app, ANN)
    half = in_context(app, sign_in, ANN, PASSWORD, DEVICE)
    rows("UPDATE operator_sessions SET expires_at = now()")
    refused(app, SignInNeeded, confirm_code, half.token, code_of(totp), DEVICE)


def test_a_console_that_was_left_alone_is_signed_out(app: Flask, ann: Script, rows: Reader) -> None:
    """Otherwise whoever finds the computer is the operator."""
    token = in_context(app, sign_in, ANN, PASSWORD, DEVICE).token
    assert in_context(app, find_console_session, token, DEVICE).tenant_slug == "acme"
    rows("UPDATE operator_sessions SET seen_at = now() - interval '29 minutes'")
    in_context(app, find_console_session, token, DEVICE)
    ((seen_lately,),) = rows("SELECT seen_at > now() - interval '1 minute' FROM operator_sessions")
    assert seen_lately
    rows("UPDATE operator_sessions SET seen_at = now() - interval '30 minutes'")
    refused(app, SignInExpired, find_console_session, token, DEVICE)


def test_a_cookie_is_no_jwt_and_a_scripts_session_no_cookie(
    app: Flask, ann: Script, rows: Reader
) -> None:
    """Otherwise what one door gives opens the other."""
    token = in_context(app, sign_in, ANN, PASSWORD, DEVICE).token
    ann.tokens = {"access_token": token}
    assert failure(ann("GET", "/me")) == (401, "jwt_invalid")
    ann.sign_in()
    family = ann.tokens["refresh_token"].removeprefix("wxr_")[:43]
    refused(app, SignInNeeded, find_console_session, family, DEVICE)


def test_a_reset_removes_the_password_and_keeps_the_codes(
    app: Flask, ann: Script, rows: Reader
) -> None:
    """Otherwise a platform admin who resets an operator takes the account over."""
    totp = ask_for_codes(app, ANN)
    ann.sign_in(code=code_of(totp))
    ann_id = in_context(app, operators.find_operator_id, ANN)
    invitation = in_context(app, operators.reset_operator, OPERATOR, ann_id)
    assert failure(ann("GET", "/me")) == (401, "sign_in_needed")
    assert failure(ann.sign_in()) == (401, "sign_in_wrong")
    in_context(app, operators.accept_invitation, invitation, OTHER_PASSWORD, DEVICE)
    assert failure(ann.sign_in()) == (401, "sign_in_wrong")
    assert failure(ann.sign_in(OTHER_PASSWORD)) == (401, "one_time_code_needed")
    assert ann.sign_in(OTHER_PASSWORD, code=code_of(totp, 1)).status_code == 200
    refused(app, OperatorUnknown, operators.find_operator_id, "nobody@acme.example")
    assert rows("SELECT details FROM audit_events WHERE action = 'operator.reset'") == [
        ({"before": {"password": True}, "after": {"password": False}},)
    ]


def test_the_last_platform_admin_who_can_sign_in_is_not_changed(app: Flask) -> None:
    """Otherwise nobody can undo it without the machine."""
    ops = add_operator(app, OPS, "platform")
    invite(app, "late@wxpass.example", "platform")
    off = add_operator(app, "off@wxpass.example", "platform")
    in_context(app, operators.set_operator_status, OPERATOR, off, "disabled")
    add_operator(app, ANN, "tenant_admin", "acme")
    demote = (operators.change_role, OPERATOR, ops, "tenant_admin", "acme")
    disable = (operators.set_operator_status, OPERATOR, ops, "disabled")
    reset = (operators.reset_operator, OPERATOR, ops)
    for act in (demote, disable, reset):
        refused(app, LastPlatformOperator, *act)
    late = in_context(app, operators.find_operator_id, "late@wxpass.example")
    in_context(app, operators.reset_operator, OPERATOR, late)
    in_context(app, operators.set_operator_status, OPERATOR, late, "disabled")
    add_operator(app, "second@wxpass.example", "platform")
    in_context(app, *disable)


def test_the_command_line_resets_even_the_last_platform_admin(app: Flask) -> None:
    """Whoever runs commands on the machine can issue another link at any time."""
    ops = add_operator(app, OPS, "platform")
    with app.app_context():
        invitation = operators.reset_operator(OPERATOR, ops, even_last=True)
        operators.accept_invitation(invitation, "silver-lantern-92", DEVICE)
    assert Script(Client(app), OPS).sign_in("silver-lantern-92").status_code == 200


def test_an_operator_does_not_reset_disable_or_demote_themselves(app: Flask, rows: Reader) -> None:
    """A reset would go around password and codes; the others lock a person out by mistake."""
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


def test_codes_of_another_operator_are_removed_apart_from_a_reset(app: Flask, rows: Reader) -> None:
    """For a lost phone. The sessions end, and the password alone opens the account."""
    ops = signed_in(app, OPS, "platform")
    ann_id = add_operator(app, ANN, "tenant_admin", "acme")
    path = f"/operators/{ann_id}/one-time-codes"
    assert failure(ops("DELETE", path)) == (409, "one_time_codes_off")
    totp = ask_for_codes(app, ANN)
    ann = Script(Client(app), ANN)
    ann.sign_in(code=code_of(totp))
    half = in_context(app, sign_in, ANN, PASSWORD, DEVICE)
    assert ops("DELETE", path).status_code == 204
    assert failure(ann("GET", "/me")) == (401, "sign_in_needed")
    refused(app, SignInNeeded, confirm_code, half.token, code_of(totp, 1), DEVICE)
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
def test_of_two_platform_admins_who_lock_each_other_out_one_stays(
    app: Flask, rows: Reader, first: Callable[..., None], second: Callable[..., None]
) -> None:
    """Whatever the two of them do to each other at the same moment."""
    ids = [add_operator(app, f"{name}@wxpass.example", "platform") for name in ("a", "b")]

    def act(change: Callable[..., None], actor: UUID, operator_id: UUID) -> str:
        try:
            in_context(app, change, app, Actor("operator", actor), operator_id)
        except LastPlatformOperator:
            return "refused"
        return "done"

    acts: list[Callable[[], Any]] = [
        lambda: act(first, ids[0], ids[1]),
        lambda: act(second, ids[1], ids[0]),
    ]
    assert sorted(run_concurrently(acts)) == ["done", "refused"]
    able = "role = 'platform' AND status = 'active' AND password_hash IS NOT NULL"
    assert rows.count("operators", able) == 1


@pytest.mark.real_commits
def test_of_many_platform_admins_who_disable_the_next_one_stays(app: Flask, rows: Reader) -> None:
    """A ring of four: locks are taken in one order, so nobody waits for ever."""
    ids = [add_operator(app, f"{name}@wxpass.example", "platform") for name in "abcd"]

    def act(number: int) -> None:
        with suppress(LastPlatformOperator):
            actor = Actor("operator", ids[number])
            in_context(app, disable, app, actor, ids[(number + 1) % 4])

    run_concurrently([lambda number=number: act(number) for number in range(4)])
    assert rows.count("operators", "status = 'active'") >= 1


@pytest.mark.real_commits
def test_of_two_scripts_with_one_refresh_token_one_gets_the_next(app: Flask, rows: Reader) -> None:
    """Otherwise both go on, and a thief is never noticed."""
    script = signed_in(app, ANN, "tenant_admin", "acme")
    answers = run_concurrently([script.refresh, script.refresh])
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    assert rows.count("operator_sessions", "end_reason = 'token_reused'") == 1


def test_a_reader_is_refused_by_the_services_themselves(app: Flask) -> None:
    """Otherwise a form that forgets to ask lets a reader write."""
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


def test_what_operators_carry_is_kept_as_hashes(app: Flask, ann: Script, rows: Reader) -> None:
    """Otherwise a stolen dump signs its thief in."""
    totp = ask_for_codes(app, ANN)
    cookie = in_context(app, sign_in, ANN, PASSWORD, DEVICE).token
    invitation = invite(app, RITA, "tenant_reader", "acme")
    ann.sign_in(code=code_of(totp))
    kept = str(
        rows("SELECT o::text, s::text FROM operators o LEFT JOIN operator_sessions s ON true")
    )
    secrets = [PASSWORD, totp.secret, cookie, invitation]
    secrets += re.findall(r".{43}", ann.tokens["refresh_token"].removeprefix("wxr_"))
    assert [one for one in secrets if one in kept or one.encode().hex() in kept] == []


def test_sign_in_wrong_is_not_raised_for_a_right_one_of_another_spelling(
    app: Flask, ann: Script
) -> None:
    """Otherwise who types a capital letter is nobody."""
    assert Script(ann.client, "ANN@Acme.Example").sign_in().status_code == 200
    refused(app, SignInWrong, sign_in, "ann", PASSWORD, DEVICE)
