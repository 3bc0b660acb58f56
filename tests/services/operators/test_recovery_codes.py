"""Recovery codes of operators: ten codes, shown once and valid once in place of a one-time code."""

import re

import pytest
from flask import Flask

from app.errors import Failure, OneTimeCodesOff, OneTimeCodeWrong, SignInNeeded
from app.models.columns import new_id
from app.services.audit import OPERATOR, Actor
from app.services.operators.listed_operators import find_operator_id
from app.services.operators.one_time_codes import (
    begin_enrolment,
    confirm_enrolment,
    remove_own_codes,
)
from app.services.operators.operators import remove_operator_codes, reset_operator
from app.services.operators.own_account import change_own_password
from app.services.operators.recovery_codes import (
    count_recovery_codes,
    plain_code,
    renew_recovery_codes,
)
from app.services.operators.sign_in import confirm_code, sign_in
from app.services.operators.step_up import step_up
from tests.fixtures.operators import (
    DEVICE,
    PASSWORD,
    Script,
    add_operator,
    code_of,
    enrol,
    session_of,
)
from tests.fixtures.personas import Client, Reader, failure
from tests.services.login.test_concurrency import run_concurrently

ANN, RITA = "ann@acme.example", "rita@acme.example"
SHAPE = re.compile(r"[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}")


@pytest.fixture
def ann(app: Flask) -> Script:
    """Add Ann, a tenant admin of acme, and return her API client, which is not signed in."""
    add_operator(app, ANN, "tenant_admin", "acme")
    return Script(Client(app), ANN)


def test_enrolment_returns_ten_recovery_codes_and_stores_only_their_hashes(
    app: Flask, ann: Script, rows: Reader
) -> None:
    session, _, codes = enrol(app, ANN)
    assert len(set(codes)) == 10
    assert all(SHAPE.fullmatch(code) for code in codes)
    with app.app_context():
        assert count_recovery_codes(session.operator_id) == 10
    kept = str(rows("SELECT c::text, o::text FROM operator_recovery_codes c, operators o"))
    for code in codes:
        plain = plain_code(code)
        assert not any(one in kept for one in (code, plain, plain.encode().hex()))


def test_recovery_code_is_accepted_once_in_place_of_a_one_time_code(
    app: Flask, ann: Script, rows: Reader
) -> None:
    """Recovery codes are accepted at API and console sign-in, step-up and removal of codes."""
    session, _, codes = enrol(app, ANN)
    assert ann.sign_in(code=codes[0]).status_code == 200
    assert failure(ann.sign_in(code=codes[0])) == (401, "one_time_code_wrong")
    with app.app_context():
        pending = sign_in(ANN, PASSWORD, DEVICE)
        assert not confirm_code(pending.token, codes[1], DEVICE).awaits_code
        step_up(session, PASSWORD, codes[2], DEVICE)
        with pytest.raises(OneTimeCodeWrong):
            step_up(session, PASSWORD, codes[1], DEVICE)
        assert count_recovery_codes(session.operator_id) == 7
        remove_own_codes(session, codes[3])
        assert count_recovery_codes(session.operator_id) == 0
    assert rows(
        "SELECT actor_id, subject, details ->> 'left' FROM audit_events"
        " WHERE action = 'operator.recovery_code_used' ORDER BY id"
    ) == [(session.operator_id, str(session.operator_id), left) for left in ("9", "8", "7", "6")]
    logs = ("audit_events", "platform_audit_events")
    events = str([rows(f"SELECT e::text FROM {log} e") for log in logs])
    assert not any(code in events or plain_code(code) in events for code in codes)


def test_recovery_code_is_accepted_in_common_misspellings(app: Flask, ann: Script) -> None:
    """Accepted are upper case, spaces, no hyphen, O for 0, l for 1, and full-width characters."""
    _, _, codes = enrol(app, ANN)
    typed = [
        codes[0].upper(),
        codes[1].replace("-", ""),
        codes[2].replace("-", " "),
        f"  {codes[3]}  ",
        " ".join(codes[4]),
        codes[5].replace("0", "O").replace("1", "l"),
        codes[6].translate({ord(char): ord(char) + 0xFEE0 for char in codes[6]}),
    ]
    for one in typed:
        assert ann.sign_in(code=one).status_code == 200, one


@pytest.mark.parametrize("code", ["", "aaaaa-aaaaa", "x" * 64, "\0", "u" * 10, "é" * 10])
def test_invalid_recovery_code_is_refused_as_a_wrong_one_time_code(
    app: Flask, ann: Script, code: str
) -> None:
    session, _, _ = enrol(app, ANN)
    with app.app_context(), pytest.raises(OneTimeCodeWrong):
        step_up(session, PASSWORD, code, DEVICE)


def test_recovery_code_of_one_operator_is_refused_for_another(app: Flask, ann: Script) -> None:
    _, _, codes = enrol(app, ANN)
    add_operator(app, RITA, "tenant_admin", "acme")
    enrol(app, RITA)
    rita = Script(Client(app), RITA)
    assert failure(rita.sign_in(code=codes[0])) == (401, "one_time_code_wrong")
    assert ann.sign_in(code=codes[0]).status_code == 200


def test_recovery_code_cannot_confirm_an_enrolment_of_one_time_codes(
    app: Flask, ann: Script
) -> None:
    """A confirmation must prove that the authenticator works."""
    session, totp, codes = enrol(app, ANN)
    with app.app_context():
        remove_own_codes(session, code_of(totp))
        begin_enrolment(session)
        with pytest.raises(OneTimeCodeWrong):
            confirm_enrolment(session, codes[0])


def test_renewed_recovery_codes_replace_the_previous_ones(
    app: Flask, ann: Script, rows: Reader
) -> None:
    """All previous codes become invalid, whether or not they were used."""
    session, _, codes = enrol(app, ANN)
    ann.sign_in(code=codes[0])
    with app.app_context():
        renewed = renew_recovery_codes(session)
        assert count_recovery_codes(session.operator_id) == 10
    assert not set(renewed) & set(codes)
    assert failure(ann.sign_in(code=codes[1])) == (401, "one_time_code_wrong")
    assert ann.sign_in(code=renewed[0]).status_code == 200
    assert rows.count("audit_events", "action = 'operator.recovery_codes_renewed'") == 1
    answer = ann("POST", "/me/recovery-codes")
    assert len(answer.json["recovery_codes"]) == 10
    assert failure(ann.sign_in(code=renewed[1])) == (401, "one_time_code_wrong")


def test_recovery_codes_cannot_be_renewed_without_one_time_codes(app: Flask, ann: Script) -> None:
    session = session_of(app, ANN)
    with app.app_context(), pytest.raises(OneTimeCodesOff):
        renew_recovery_codes(session)


def test_ended_session_cannot_renew_recovery_codes(app: Flask, ann: Script) -> None:
    session, _, _ = enrol(app, ANN)
    with app.app_context():
        reset_operator(OPERATOR, session.operator_id)
        with pytest.raises(SignInNeeded):
            renew_recovery_codes(session)
        assert count_recovery_codes(session.operator_id) == 10


def test_reset_of_an_operator_keeps_recovery_codes_and_removal_of_codes_deletes_them(
    app: Flask, ann: Script, rows: Reader
) -> None:
    """A reset removes the password only. Recovery codes belong to the second factor."""
    session, _, _ = enrol(app, ANN)
    with app.app_context():
        reset_operator(OPERATOR, session.operator_id)
        assert count_recovery_codes(session.operator_id) == 10
        remove_operator_codes(Actor("operator", new_id()), session.operator_id)
        assert count_recovery_codes(session.operator_id) == 0
    assert rows("SELECT details FROM audit_events WHERE action = 'operator.codes_removed'") == [
        ({"before": {"codes": True}, "after": {"codes": False}},)
    ]


def test_wrong_recovery_codes_and_one_time_codes_are_throttled_together(
    app: Flask, ann: Script
) -> None:
    enrol(app, ANN)
    guesses = ["000000", "aaaaa-aaaaa"] * 4
    answers = [failure(ann.sign_in(code=guess)) for guess in guesses]
    assert answers[0] == answers[1] == (401, "one_time_code_wrong")
    assert answers[-1] == (429, "too_many_tries")


@pytest.mark.real_commits
def test_one_of_several_concurrent_sign_ins_with_one_recovery_code_succeeds(
    app: Flask, rows: Reader
) -> None:
    add_operator(app, ANN, "tenant_admin", "acme")
    _, _, codes = enrol(app, ANN)
    scripts = [Script(Client(app), ANN) for _ in range(5)]
    answers = run_concurrently([lambda one=one: one.sign_in(code=codes[0]) for one in scripts])
    assert sorted(answer.status_code for answer in answers)[:2] == [200, 401]
    assert rows.count("operator_recovery_codes") == 9
    assert rows.count("audit_events", "action = 'operator.recovery_code_used'") == 1


@pytest.mark.real_commits
def test_concurrent_renewals_leave_the_ten_recovery_codes_of_one_renewal(
    app: Flask, rows: Reader
) -> None:
    add_operator(app, ANN, "tenant_admin", "acme")
    session, _, _ = enrol(app, ANN)

    def renew() -> list[str]:
        with app.app_context():
            return list(renew_recovery_codes(session))

    shown = run_concurrently([renew] * 4)
    assert rows.count("operator_recovery_codes") == 10
    working = [
        one for one in shown if Script(Client(app), ANN).sign_in(code=one[0]).json.get("expires_in")
    ]
    assert len(working) == 1


@pytest.mark.real_commits
def test_recovery_code_is_used_up_only_if_the_sign_in_precedes_a_password_change(
    app: Flask, rows: Reader
) -> None:
    """A sign-in that comes after a concurrent password change fails and uses up no code."""
    add_operator(app, ANN, "tenant_admin", "acme")
    session, _, codes = enrol(app, ANN)
    with app.app_context():
        ann_id = find_operator_id(ANN)
        pending = sign_in(ANN, PASSWORD, DEVICE)

    def complete() -> str:
        with app.app_context():
            try:
                confirm_code(pending.token, codes[0], DEVICE)
            except Failure as failure:
                return failure.code
            return "signed in"

    def change() -> str:
        with app.app_context():
            change_own_password(session, "silver-lantern-92")
            return "changed"

    done = run_concurrently([complete, change])
    assert done[1] == "changed"
    left = 9 if done[0] == "signed in" else 10
    assert rows.count("operator_recovery_codes") == left
    assert rows(
        "SELECT count(*) FROM operator_sessions WHERE operator_id = :id AND ended_at IS NULL",
        id=ann_id,
    ) == [(1,)]
