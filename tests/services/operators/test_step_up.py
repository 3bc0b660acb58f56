"""Step-up authentication: the operator enters password and one-time code again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from flask import Flask

from app.clock import now
from app.errors import (
    Failure,
    OneTimeCodeNeeded,
    OneTimeCodeWrong,
    PasswordWrong,
    SignInNeeded,
    SignInWrong,
    StepUpRequired,
)
from app.services.audit import OPERATOR
from app.services.operators import proofs
from app.services.operators.one_time_codes import begin_enrolment, confirm_enrolment
from app.services.operators.operators import reset_operator, set_operator_status
from app.services.operators.own_account import change_own_password
from app.services.operators.sessions import (
    SignedIn,
    end_operator_session,
    find_console_session,
)
from app.services.operators.sign_in import confirm_code, sign_in, sign_script_in
from app.services.operators.step_up import STEP_UP_LIFETIME, require_step_up, step_up
from app.services.passwords.hashing import is_password
from tests.fixtures.operators import (
    DEVICE,
    PASSWORD,
    Script,
    add_operator,
    code_of,
    enable_one_time_codes,
    enrol,
    session_of,
    signed_in,
)
from tests.fixtures.personas import Client, Reader, failure

ANN, RITA = "ann@acme.example", "rita@acme.example"
RECENT_STEP_UPS = (
    "SELECT now() - proven_at < interval '1 minute' FROM operator_sessions ORDER BY id"
)


@pytest.fixture
def session(app: Flask, rows: Reader) -> SignedIn:
    """Return a console session of Ann, who last authenticated an hour ago."""
    add_operator(app, ANN, "tenant_admin", "acme")
    session = session_of(app, ANN)
    rows("UPDATE operator_sessions SET proven_at = now() - interval '1 hour'")
    return session


def assert_refused(app: Flask, kind: type[Failure], session: SignedIn, *proof: Any) -> None:
    """Assert that a step-up raises an exception of the class `kind`."""
    with app.app_context(), pytest.raises(kind):
        step_up(session, *proof, DEVICE)


def test_step_up_is_valid_for_five_minutes() -> None:
    """After exactly five minutes another step-up is required."""
    assert timedelta(minutes=5) == STEP_UP_LIFETIME
    session = SignedIn(*[None] * 7, proven_at=now())  # type: ignore[arg-type]
    require_step_up(session)
    old = SignedIn(*[None] * 7, proven_at=now() - STEP_UP_LIFETIME)  # type: ignore[arg-type]
    with pytest.raises(StepUpRequired):
        require_step_up(old)


def test_step_up_requires_only_the_password_if_no_one_time_codes_are_enrolled(
    app: Flask, session: SignedIn, rows: Reader
) -> None:
    """A submitted code is ignored."""
    assert_refused(app, PasswordWrong, session, "wrong-password", None)
    assert rows(RECENT_STEP_UPS) == [(False,)]
    with app.app_context():
        step_up(session, PASSWORD, "123456", DEVICE)
    assert rows(RECENT_STEP_UPS) == [(True,)]


def test_step_up_applies_only_to_the_session_that_requests_it(
    app: Flask, session: SignedIn, rows: Reader
) -> None:
    other = session_of(app, ANN)
    rows("UPDATE operator_sessions SET proven_at = now() - interval '1 hour'")
    with app.app_context():
        step_up(other, PASSWORD, None, DEVICE)
    assert rows(RECENT_STEP_UPS) == [(False,), (True,)]


def test_step_up_with_the_password_of_another_operator_is_refused(
    app: Flask, session: SignedIn
) -> None:
    invitation = add_operator(app, RITA, "tenant_admin", "acme")
    assert invitation
    with app.app_context():
        rita = session_of(app, RITA)
        change_own_password(rita, "silver-lantern-92")
    assert_refused(app, PasswordWrong, session, "silver-lantern-92", None)


def test_step_up_requires_password_and_one_time_code_once_codes_are_enrolled(
    app: Flask, rows: Reader
) -> None:
    """The code is not sufficient without the password, and a used code is refused."""
    add_operator(app, ANN, "tenant_admin", "acme")
    session, totp, _ = enrol(app, ANN)
    assert_refused(app, OneTimeCodeNeeded, session, PASSWORD, None)
    assert_refused(app, OneTimeCodeWrong, session, PASSWORD, "000000")
    assert_refused(app, PasswordWrong, session, "wrong-password", code_of(totp))
    with app.app_context():
        step_up(session, PASSWORD, code_of(totp), DEVICE)
    assert_refused(app, OneTimeCodeWrong, session, PASSWORD, code_of(totp))


def test_completed_sign_in_counts_as_a_step_up(app: Flask, rows: Reader) -> None:
    """The five minutes begin with the code, which may follow the password by minutes."""
    add_operator(app, ANN, "tenant_admin", "acme")
    totp = enable_one_time_codes(app, ANN)
    with app.app_context():
        pending = sign_in(ANN, PASSWORD, DEVICE)
        rows("UPDATE operator_sessions SET proven_at = now() - interval '4 minutes'")
        confirmed = confirm_code(pending.token, code_of(totp), DEVICE)
        session = find_console_session(confirmed.token, DEVICE)
    assert now() - session.proven_at < timedelta(seconds=30)


@pytest.mark.parametrize("wrong", ["password", "code"])
def test_failures_at_step_up_and_sign_in_are_throttled_together(app: Flask, wrong: str) -> None:
    add_operator(app, ANN, "tenant_admin", "acme")
    script, totp = Script(Client(app), ANN), enable_one_time_codes(app, ANN)
    script.sign_in(code=code_of(totp))
    proof = {"password": "wrong"} if wrong == "password" else {"password": PASSWORD}
    proof["code"] = "000000"
    answers = [script("POST", "/step-up", json=proof) for _ in range(7)]
    assert failure(answers[0])[1] in ("password_wrong", "one_time_code_wrong")
    assert failure(answers[-1]) == (429, "too_many_tries")
    assert failure(script.sign_in(**proof)) == (429, "too_many_tries")


def ended(app: Flask, session: SignedIn) -> None:
    end_operator_session(session.session_id)


def disabled(app: Flask, session: SignedIn) -> None:
    set_operator_status(OPERATOR, session.operator_id, "disabled")


def reset(app: Flask, session: SignedIn) -> None:
    reset_operator(OPERATOR, session.operator_id)


def changed(app: Flask, session: SignedIn) -> None:
    change_own_password(session_of(app, ANN), "silver-lantern-92")


@pytest.mark.parametrize("change", [ended, disabled, reset, changed])
def test_step_up_fails_if_the_session_or_the_password_changes_during_hashing(
    app: Flask,
    session: SignedIn,
    rows: Reader,
    change: Callable[[Flask, SignedIn], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting = [change]

    def hash_after_the_change(password: str, password_hash: str | None) -> bool:
        if waiting:
            waiting.pop()(app, session)
        return is_password(password, password_hash)

    monkeypatch.setattr(proofs, "is_password", hash_after_the_change)
    with app.app_context(), pytest.raises((SignInNeeded, PasswordWrong)):
        step_up(session, PASSWORD, None, DEVICE)
    assert rows(RECENT_STEP_UPS)[0] == (False,)


def test_step_up_with_a_password_replaced_during_hashing_is_refused(
    app: Flask, session: SignedIn, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password is replaced in the same session, which therefore stays active."""
    waiting = [lambda: change_own_password(session, "silver-lantern-92")]

    def hash_after_the_change(password: str, password_hash: str | None) -> bool:
        if waiting:
            waiting.pop()()
        return is_password(password, password_hash)

    monkeypatch.setattr(proofs, "is_password", hash_after_the_change)
    assert_refused(app, PasswordWrong, session, PASSWORD, None)
    assert rows(RECENT_STEP_UPS) == [(False,)]


def test_admin_api_sign_in_without_a_code_fails_if_codes_are_enrolled_during_hashing(
    app: Flask, session: SignedIn, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = [session]

    def hash_after_the_enrolment(password: str, password_hash: str | None) -> bool:
        if waiting:
            one = waiting.pop()
            confirm_enrolment(one, code_of(pyotp.TOTP(begin_enrolment(one).secret)))
        return is_password(password, password_hash)

    monkeypatch.setattr(proofs, "is_password", hash_after_the_enrolment)
    with app.app_context(), pytest.raises(SignInWrong):
        sign_script_in(ANN, PASSWORD, None, DEVICE)
    assert rows.count("operator_sessions", "kind = 'script'") == 0


def test_admin_api_step_up_reports_each_failure_with_its_error_code(
    app: Flask, rows: Reader
) -> None:
    script = signed_in(app, ANN, "tenant_admin", "acme")
    assert failure(script("POST", "/step-up", json={"password": "wrong"})) == (
        401,
        "password_wrong",
    )
    totp = enable_one_time_codes(app, ANN)
    script.sign_in(code=code_of(totp))
    needed = script("POST", "/step-up", json={"password": PASSWORD})
    assert failure(needed) == (401, "one_time_code_needed")
    for body in ({}, {"password": ""}, {"password": PASSWORD, "code": "1" * 65}, {"password": 5}):
        assert failure(script("POST", "/step-up", json=body)) == (422, "request_invalid")
    chinese = {"Accept-Language": "zh-CN"}
    answer = script("POST", "/step-up", json={"password": "wrong"}, headers=chinese)
    assert answer.json["detail"] == "密码错误，请核对后重试。"
    before = script("GET", "/me").json["proven_at"]
    body = {"password": PASSWORD, "code": f" {code_of(totp, 1)} "}
    assert script("POST", "/step-up", json=body).status_code == 204
    assert script("GET", "/me").json["proven_at"] > before


def test_step_up_errors_do_not_contain_the_submitted_secrets(app: Flask) -> None:
    script = Script(Client(app), ANN)
    add_operator(app, ANN, "tenant_admin", "acme")
    script.sign_in()
    body = {"password": "a-secret-password", "code": "987654", "surprise": 1}
    assert_refused = script("POST", "/step-up", json=body)
    assert assert_refused.status_code == 422
    assert "a-secret-password" not in assert_refused.text
    assert "987654" not in assert_refused.text
