"""Step-up authentication: the proof of password and code that a session needs again."""

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
    ask_for_codes,
    code_of,
    enrol,
    session_of,
    signed_in,
)
from tests.fixtures.personas import Client, Reader, failure

ANN, RITA = "ann@acme.example", "rita@acme.example"
AGES = "SELECT now() - proven_at < interval '1 minute' FROM operator_sessions ORDER BY id"


@pytest.fixture
def session(app: Flask, rows: Reader) -> SignedIn:
    """A console session of Ann whose proof is old."""
    add_operator(app, ANN, "tenant_admin", "acme")
    session = session_of(app, ANN)
    rows("UPDATE operator_sessions SET proven_at = now() - interval '1 hour'")
    return session


def refused(app: Flask, kind: type[Failure], session: SignedIn, *proof: Any) -> None:
    """Check that a step-up is refused."""
    with app.app_context(), pytest.raises(kind):
        step_up(session, *proof, DEVICE)


def test_a_proof_lasts_five_minutes() -> None:
    """The boundary itself is too old."""
    assert timedelta(minutes=5) == STEP_UP_LIFETIME
    session = SignedIn(*[None] * 7, proven_at=now())  # type: ignore[arg-type]
    require_step_up(session)
    old = SignedIn(*[None] * 7, proven_at=now() - STEP_UP_LIFETIME)  # type: ignore[arg-type]
    with pytest.raises(StepUpRequired):
        require_step_up(old)


def test_the_password_is_enough_without_codes(app: Flask, session: SignedIn, rows: Reader) -> None:
    """A code that is sent all the same is ignored."""
    refused(app, PasswordWrong, session, "wrong-password", None)
    assert rows(AGES) == [(False,)]
    with app.app_context():
        step_up(session, PASSWORD, "123456", DEVICE)
    assert rows(AGES) == [(True,)]


def test_a_step_up_is_of_one_session(app: Flask, session: SignedIn, rows: Reader) -> None:
    """Otherwise the owner's proof helps the thief of another session."""
    other = session_of(app, ANN)
    rows("UPDATE operator_sessions SET proven_at = now() - interval '1 hour'")
    with app.app_context():
        step_up(other, PASSWORD, None, DEVICE)
    assert rows(AGES) == [(False,), (True,)]


def test_a_session_cannot_be_stepped_up_with_the_password_of_another_operator(
    app: Flask, session: SignedIn
) -> None:
    """A thief who is an operator has a password too."""
    invitation = add_operator(app, RITA, "tenant_admin", "acme")
    assert invitation
    with app.app_context():
        rita = session_of(app, RITA)
        change_own_password(rita, "silver-lantern-92")
    refused(app, PasswordWrong, session, "silver-lantern-92", None)


def test_a_code_is_needed_where_codes_are_enrolled(app: Flask, rows: Reader) -> None:
    """The code is used up, and it alone proves nothing."""
    add_operator(app, ANN, "tenant_admin", "acme")
    session, totp, _ = enrol(app, ANN)
    refused(app, OneTimeCodeNeeded, session, PASSWORD, None)
    refused(app, OneTimeCodeWrong, session, PASSWORD, "000000")
    refused(app, PasswordWrong, session, "wrong-password", code_of(totp))
    with app.app_context():
        step_up(session, PASSWORD, code_of(totp), DEVICE)
    refused(app, OneTimeCodeWrong, session, PASSWORD, code_of(totp))


def test_signing_in_is_a_proof_once_the_code_is_right(app: Flask, rows: Reader) -> None:
    """Password and code may be minutes apart."""
    add_operator(app, ANN, "tenant_admin", "acme")
    totp = ask_for_codes(app, ANN)
    with app.app_context():
        half = sign_in(ANN, PASSWORD, DEVICE)
        rows("UPDATE operator_sessions SET proven_at = now() - interval '4 minutes'")
        whole = confirm_code(half.token, code_of(totp), DEVICE)
        session = find_console_session(whole.token, DEVICE)
    assert now() - session.proven_at < timedelta(seconds=30)


@pytest.mark.parametrize("wrong", ["password", "code"])
def test_guesses_at_a_step_up_are_throttled(app: Flask, wrong: str) -> None:
    """They share the counters of sign-ins: a stolen session gives no further tries."""
    add_operator(app, ANN, "tenant_admin", "acme")
    script, totp = Script(Client(app), ANN), ask_for_codes(app, ANN)
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


@pytest.mark.parametrize("meanwhile", [ended, disabled, reset, changed])
def test_a_step_up_fails_if_the_session_or_the_password_changes_while_it_is_hashed(
    app: Flask,
    session: SignedIn,
    rows: Reader,
    meanwhile: Callable[[Flask, SignedIn], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Hashing takes long enough for an owner to lock a thief out."""
    waiting = [meanwhile]

    def hash_slowly(password: str, password_hash: str | None) -> bool:
        if waiting:
            waiting.pop()(app, session)
        return is_password(password, password_hash)

    monkeypatch.setattr(proofs, "is_password", hash_slowly)
    with app.app_context(), pytest.raises((SignInNeeded, PasswordWrong)):
        step_up(session, PASSWORD, None, DEVICE)
    assert rows(AGES)[0] == (False,)


def test_a_proof_of_a_password_that_was_just_replaced_does_not_count(
    app: Flask, session: SignedIn, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password changes in the same session, which goes on."""
    waiting = [lambda: change_own_password(session, "silver-lantern-92")]

    def hash_slowly(password: str, password_hash: str | None) -> bool:
        if waiting:
            waiting.pop()()
        return is_password(password, password_hash)

    monkeypatch.setattr(proofs, "is_password", hash_slowly)
    refused(app, PasswordWrong, session, PASSWORD, None)
    assert rows(AGES) == [(False,)]


def test_a_password_alone_opens_no_script_session_after_codes_are_enrolled(
    app: Flask, session: SignedIn, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner enrols codes while the password of a sign-in is hashed."""
    waiting = [session]

    def hash_slowly(password: str, password_hash: str | None) -> bool:
        if waiting:
            one = waiting.pop()
            confirm_enrolment(one, code_of(pyotp.TOTP(begin_enrolment(one).secret)))
        return is_password(password, password_hash)

    monkeypatch.setattr(proofs, "is_password", hash_slowly)
    with app.app_context(), pytest.raises(SignInWrong):
        sign_script_in(ANN, PASSWORD, None, DEVICE)
    assert rows.count("operator_sessions", "kind = 'script'") == 0


def test_a_script_steps_up_by_the_api(app: Flask, rows: Reader) -> None:
    """Every failure has a code of its own, in both languages."""
    script = signed_in(app, ANN, "tenant_admin", "acme")
    assert failure(script("POST", "/step-up", json={"password": "wrong"})) == (
        401,
        "password_wrong",
    )
    totp = ask_for_codes(app, ANN)
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


def test_no_secret_of_a_step_up_is_answered(app: Flask) -> None:
    """Neither password nor code comes back in a problem."""
    script = Script(Client(app), ANN)
    add_operator(app, ANN, "tenant_admin", "acme")
    script.sign_in()
    body = {"password": "a-secret-password", "code": "987654", "surprise": 1}
    refused = script("POST", "/step-up", json=body)
    assert refused.status_code == 422
    assert "a-secret-password" not in refused.text
    assert "987654" not in refused.text
