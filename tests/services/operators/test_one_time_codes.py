"""One-time codes of operators: enrolment, accepted formats, single use and removal."""

from collections.abc import Callable, Sequence

import pyotp
import pytest
from flask import Flask

from app.errors import (
    EnrolmentNotBegun,
    OneTimeCodeNeeded,
    OneTimeCodesOff,
    OneTimeCodesOn,
    OneTimeCodeWrong,
    SignInNeeded,
)
from app.services.audit import OPERATOR
from app.services.database.transactions import transaction
from app.services.operators.listed_operators import show_operator
from app.services.operators.locks import lock_operator
from app.services.operators.one_time_codes import (
    begin_enrolment,
    cancel_enrolment,
    cancel_or_remove_codes,
    confirm_enrolment,
    find_pending_enrolment,
    remove_own_codes,
)
from app.services.operators.operators import change_role, reset_operator, set_operator_status
from app.services.operators.own_account import (
    change_own_password,
    end_other_own_sessions,
    end_own_session,
)
from app.services.operators.recovery_codes import count_recovery_codes
from app.services.operators.sessions import SignedIn, find_console_session
from app.services.operators.sign_in import confirm_code, sign_in
from app.services.operators.step_up import step_up
from tests.fixtures.operators import (
    DEVICE,
    PASSWORD,
    Script,
    add_operator,
    code_of,
    enable_one_time_codes,
    enrol,
    session_of,
)
from tests.fixtures.personas import Client, Reader, failure
from tests.services.login.test_concurrency import run_concurrently

ANN = "ann@acme.example"
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
TYPED: list[Callable[[str], str]] = [
    lambda code: f" {code}\n",
    lambda code: f"{code[:3]} {code[3:]}",
    lambda code: f"{code[:3]}-{code[3:]}",
    lambda code: f"{code[:3]}\u2013{code[3:]}",
    lambda code: f"{code[:3]}\u00a0{code[3:]}",
    lambda code: f"\u200b{code}\ufeff",
    lambda code: "\u3000".join(code),
    lambda code: code.translate(FULL_WIDTH),
    lambda code: f"{code[:3]}－{code[3:]}".translate(FULL_WIDTH),
]
typed = pytest.mark.parametrize("type_", TYPED, ids=range(len(TYPED)))


@pytest.fixture
def session(app: Flask) -> SignedIn:
    """Return a console session of Ann, who has no one-time codes."""
    add_operator(app, ANN, "tenant_admin", "acme")
    return session_of(app, ANN)


@pytest.fixture
def in_app(app: Flask, session: SignedIn) -> Flask:
    """Return the app, in which Ann is an operator."""
    return app


def authenticator(secret: str) -> pyotp.TOTP:
    """Return a generator of the codes of a TOTP secret."""
    return pyotp.TOTP(secret)


def test_pending_enrolment_keeps_its_totp_secret_until_it_is_confirmed_or_cancelled(
    app: Flask, session: SignedIn
) -> None:
    """Therefore the enrolment page shows the same QR code when it is reloaded."""
    with app.app_context():
        assert find_pending_enrolment(session.operator_id) is None
        first = begin_enrolment(session)
        assert first.secret in first.uri
        assert begin_enrolment(session) == first
        assert find_pending_enrolment(session.operator_id) == first
        with pytest.raises(OneTimeCodeWrong):
            confirm_enrolment(session, "000000")
        assert begin_enrolment(session) == first, "a wrong code does not change the secret"
        cancel_enrolment(session)
        cancel_enrolment(session)
        assert find_pending_enrolment(session.operator_id) is None
        second = begin_enrolment(session)
        assert second.secret != first.secret
        with pytest.raises(OneTimeCodeWrong):
            confirm_enrolment(session, code_of(authenticator(first.secret)))
        assert len(confirm_enrolment(session, code_of(authenticator(second.secret)))) == 10
        assert find_pending_enrolment(session.operator_id) is None


def test_sign_in_asks_for_no_one_time_code_until_enrolment_is_confirmed(
    app: Flask, session: SignedIn
) -> None:
    script = Script(Client(app), ANN)
    with app.app_context():
        begin_enrolment(session)
    assert script.sign_in().status_code == 200
    with app.app_context():
        assert not show_operator(session.operator_id).asks_code


def test_second_authenticator_cannot_be_enrolled_before_the_first_is_removed(
    app: Flask, session: SignedIn
) -> None:
    """An attacker with a stolen session must not be able to enrol another authenticator."""
    with app.app_context():
        totp = authenticator(begin_enrolment(session).secret)
        confirm_enrolment(session, code_of(totp, -1))
        with pytest.raises(OneTimeCodesOn):
            begin_enrolment(session)
        with pytest.raises(OneTimeCodesOn):
            confirm_enrolment(session, code_of(totp))
        cancel_enrolment(session)
        assert show_operator(session.operator_id).asks_code, (
            "cancelling does not remove enrolled codes"
        )


def test_confirmation_of_one_time_codes_without_a_pending_enrolment_is_refused(
    app: Flask, session: SignedIn
) -> None:
    with app.app_context(), pytest.raises(EnrolmentNotBegun):
        confirm_enrolment(session, "000000")


def test_enrolment_of_one_time_codes_ends_the_operators_other_sessions(
    app: Flask, session: SignedIn, rows: Reader
) -> None:
    """The other sessions were signed in without a one-time code."""
    script = Script(Client(app), ANN)
    script.sign_in()
    with app.app_context():
        totp = authenticator(begin_enrolment(session).secret)
        confirm_enrolment(session, code_of(totp))
    assert failure(script("GET", "/me")) == (401, "sign_in_needed")
    assert failure(script.refresh()) == (401, "refresh_token_invalid")
    ended = "SELECT id, end_reason FROM operator_sessions WHERE end_reason IS NOT NULL"
    assert [reason for _, reason in rows(ended)] == ["codes_enrolled"]
    assert rows("SELECT id FROM operator_sessions WHERE ended_at IS NULL") == [
        (session.session_id,)
    ]


def test_password_change_cancels_a_pending_enrolment_of_one_time_codes(
    app: Flask, session: SignedIn
) -> None:
    """An attacker may have seen the pending secret."""
    with app.app_context():
        first = begin_enrolment(session)
        change_own_password(session, "silver-lantern-92")
        assert find_pending_enrolment(session.operator_id) is None
        assert begin_enrolment(session) != first


@typed
def test_sign_in_accepts_one_time_codes_with_separators_or_full_width_digits(
    app: Flask, session: SignedIn, type_: Callable[[str], str]
) -> None:
    """Authenticators show a space in the middle. Chinese keyboards produce full-width digits."""
    totp = enable_one_time_codes(app, ANN)
    answer = Script(Client(app), ANN).sign_in(code=type_(code_of(totp)))
    assert answer.status_code == 200, answer.text
    with app.app_context():
        half = sign_in(ANN, PASSWORD, DEVICE)
        whole = confirm_code(half.token, type_(code_of(totp, 1)), DEVICE)
        assert find_console_session(whole.token, DEVICE).email == ANN


@typed
def test_enrolment_step_up_and_removal_accept_codes_with_separators_or_full_width_digits(
    app: Flask, session: SignedIn, type_: Callable[[str], str]
) -> None:
    """The code is sent at enrolment, at step-up and at removal."""
    with app.app_context():
        totp = authenticator(begin_enrolment(session).secret)
        confirm_enrolment(session, type_(code_of(totp, -1)))
        step_up(session, PASSWORD, type_(code_of(totp)), DEVICE)
        remove_own_codes(session, type_(code_of(totp, 1)))


@pytest.mark.parametrize(
    "code", ["", " ", "-", "12345", "1234567", "١٢٣٤٥٦", "\0", "０" * 6, "é", "12345６7"]
)
def test_malformed_one_time_code_is_refused_as_a_wrong_one(
    app: Flask, session: SignedIn, code: str
) -> None:
    enrolled, _, _ = enrol(app, ANN)
    with app.app_context(), pytest.raises(OneTimeCodeWrong):
        step_up(enrolled, PASSWORD, code, DEVICE)


def test_removal_of_one_time_codes_requires_a_code_and_ends_the_other_sessions(
    app: Flask, session: SignedIn, rows: Reader
) -> None:
    """The recovery codes are deleted, and the next enrolment has another TOTP secret."""
    enrolled, totp, _ = enrol(app, ANN)
    script = Script(Client(app), ANN)
    script.sign_in(code=code_of(totp))
    with app.app_context():
        with pytest.raises(OneTimeCodeWrong):
            remove_own_codes(enrolled, "000000")
        with pytest.raises(OneTimeCodeNeeded):
            cancel_or_remove_codes(enrolled, None)
        cancel_or_remove_codes(enrolled, code_of(totp, 1))
        assert count_recovery_codes(enrolled.operator_id) == 0
        assert begin_enrolment(enrolled).secret != totp.secret
        with pytest.raises(OneTimeCodesOff):
            remove_own_codes(enrolled, code_of(totp, 1))
        cancel_or_remove_codes(enrolled, None)
        assert find_pending_enrolment(enrolled.operator_id) is None
    assert failure(script("GET", "/me")) == (401, "sign_in_needed")
    assert script.sign_in().status_code == 200
    assert rows(
        "SELECT action FROM audit_events WHERE action LIKE 'operator.codes%' ORDER BY id"
    ) == [
        ("operator.codes_on",),
        ("operator.codes_off",),
    ]


def test_request_of_a_session_ended_in_the_meantime_cannot_change_an_enrolment(
    app: Flask, session: SignedIn
) -> None:
    """The request began before the session was ended."""
    with app.app_context():
        totp = authenticator(begin_enrolment(session).secret)
        change_own_password(session_of(app, ANN), "silver-lantern-92")
        calls = (
            lambda: begin_enrolment(session),
            lambda: cancel_enrolment(session),
            lambda: cancel_or_remove_codes(session, None),
            lambda: confirm_enrolment(session, code_of(totp)),
        )
        for call in calls:
            with pytest.raises(SignInNeeded):
                call()


def test_ending_the_sessions_of_an_operator_cancels_a_pending_enrolment(
    app: Flask, session: SignedIn
) -> None:
    """An attacker may have seen the pending secret."""
    owner = session_of(app, ANN)
    ends: Sequence[Callable[[], object]] = (
        lambda: end_own_session(owner, session.session_id),
        lambda: end_other_own_sessions(owner),
        lambda: set_operator_status(OPERATOR, owner.operator_id, "disabled"),
        lambda: change_role(OPERATOR, owner.operator_id, "tenant_reader", "acme"),
        lambda: reset_operator(OPERATOR, owner.operator_id),
    )
    with app.app_context():
        for end in ends:
            with transaction() as db:
                lock_operator(db, owner.operator_id).totp = "JBSWY3DPEHPK3PXP"
            end()
            assert find_pending_enrolment(owner.operator_id) is None


def test_enrolment_begun_in_a_stolen_session_is_cancelled_when_that_session_is_ended(
    app: Flask, session: SignedIn
) -> None:
    thief, owner = Script(Client(app), ANN), Script(Client(app), ANN)
    thief.sign_in()
    owner.sign_in()
    stolen = thief("POST", "/me/one-time-codes").json["secret"]
    assert owner("DELETE", "/me/sessions").status_code == 200
    assert owner("POST", "/me/one-time-codes").json["secret"] != stolen


def test_admin_api_begins_cancels_confirms_and_removes_an_enrolment_of_one_time_codes(
    app: Flask, session: SignedIn
) -> None:
    script = Script(Client(app), ANN)
    script.sign_in()
    other = Script(script.client, ANN)
    other.sign_in()
    path = "/me/one-time-codes"
    assert failure(script("POST", f"{path}/confirmation", json={"code": "123456"})) == (
        409,
        "enrolment_not_begun",
    )
    first = script("POST", path).json
    assert script("POST", path).json == first
    assert script("DELETE", path).status_code == 204
    begun = script("POST", path, json={}).json
    assert begun["secret"] != first["secret"]
    totp = authenticator(begun["secret"])
    wrong = script("POST", f"{path}/confirmation", json={"code": "000000"})
    assert failure(wrong) == (401, "one_time_code_wrong")
    confirmed = script("POST", f"{path}/confirmation", json={"code": code_of(totp, -1)})
    assert len(confirmed.json["recovery_codes"]) == 10
    assert failure(other("GET", "/me")) == (401, "sign_in_needed")
    assert failure(script("POST", path)) == (409, "one_time_codes_on")
    assert failure(script("DELETE", path)) == (401, "one_time_code_needed")
    assert failure(script("DELETE", path, json={"code": "000000"})) == (401, "one_time_code_wrong")
    assert script("DELETE", path, json={"code": code_of(totp)}).status_code == 204
    assert failure(script("POST", "/me/recovery-codes")) == (409, "one_time_codes_off")


@pytest.mark.real_commits
def test_one_of_two_concurrent_confirmations_of_an_enrolment_succeeds(
    app: Flask, rows: Reader
) -> None:
    """If both succeeded, the recovery codes in one of the responses would not work."""
    add_operator(app, ANN, "tenant_admin", "acme")
    session = session_of(app, ANN)
    with app.app_context():
        code = code_of(authenticator(begin_enrolment(session).secret))

    def confirm() -> int:
        with app.app_context():
            try:
                return len(confirm_enrolment(session, code))
            except (OneTimeCodesOn, OneTimeCodeWrong):
                return 0

    assert sorted(run_concurrently([confirm, confirm])) == [0, 10]
    assert rows.count("operator_recovery_codes") == 10


@pytest.mark.real_commits
def test_concurrent_enrolments_of_an_operator_return_the_same_totp_secret(app: Flask) -> None:
    add_operator(app, ANN, "tenant_admin", "acme")
    session = session_of(app, ANN)

    def begin() -> str:
        with app.app_context():
            return begin_enrolment(session).secret

    assert len(set(run_concurrently([begin] * 6))) == 1


@pytest.mark.real_commits
def test_one_time_code_completes_only_one_of_several_concurrent_sign_ins(app: Flask) -> None:
    add_operator(app, ANN, "tenant_admin", "acme")
    totp = enable_one_time_codes(app, ANN)
    code = code_of(totp)
    scripts = [Script(Client(app), ANN) for _ in range(5)]
    answers = run_concurrently([lambda one=one: one.sign_in(code=code) for one in scripts])
    assert sorted(answer.status_code for answer in answers)[:2] == [200, 401]
