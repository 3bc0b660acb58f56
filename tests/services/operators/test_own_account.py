"""An operator's own account: changing the password, and listing and ending sessions."""

from uuid import UUID

import pytest
from flask import Flask

from app.errors import OperatorSessionUnknown, SignInNeeded
from app.models.columns import new_id
from app.services.operators.own_account import (
    change_own_password,
    end_other_own_sessions,
    end_own_session,
    list_own_sessions,
)
from app.services.operators.sessions import SignedIn, find_console_session
from app.services.operators.sign_in import sign_in
from tests.fixtures.operators import (
    DEVICE,
    PASSWORD,
    Script,
    add_operator,
    enrol,
    session_of,
    signed_in,
)
from tests.fixtures.personas import Client, Reader, failure
from tests.services.login.test_concurrency import run_concurrently

ANN, RITA, NEW = "ann@acme.example", "rita@acme.example", "silver-lantern-92"
LIVE = "SELECT id FROM operator_sessions WHERE ended_at IS NULL ORDER BY id"


@pytest.fixture
def ann(app: Flask) -> Script:
    """Return the admin API client of Ann, a tenant admin of acme."""
    return signed_in(app, ANN, "tenant_admin", "acme")


def session_id(script: Script) -> UUID:
    """Return the id of the client's own session."""
    items = script("GET", "/me/sessions").json["items"]
    return next(UUID(one["id"]) for one in items if one["is_current"])


def test_password_change_of_an_operator_ends_the_other_sessions(
    app: Flask, ann: Script, rows: Reader
) -> None:
    other = Script(Client(app), ANN)
    other.sign_in()
    assert ann("POST", "/me/password", json={"new_password": NEW}).status_code == 204
    assert ann("GET", "/me").status_code == 200
    assert failure(other("GET", "/me")) == (401, "sign_in_needed")
    assert failure(other.refresh()) == (401, "refresh_token_invalid")
    assert failure(other.sign_in()) == (401, "sign_in_wrong")
    assert other.sign_in(NEW).status_code == 200
    audited = "SELECT actor_id, subject, details FROM audit_events WHERE action = :a"
    ann_id = UUID(ann("GET", "/me").json["id"])
    assert rows(audited, a="operator.password_changed") == [(ann_id, str(ann_id), {})]


def test_password_change_ends_sign_ins_that_wait_for_a_one_time_code(
    app: Flask, ann: Script, rows: Reader
) -> None:
    """An attacker may have begun such a sign-in."""
    session, _, _ = enrol(app, ANN)
    with app.app_context():
        assert sign_in(ANN, PASSWORD, DEVICE).awaits_code
        change_own_password(session, NEW)
    ended = "SELECT end_reason FROM operator_sessions WHERE awaits_code"
    assert rows(ended) == [("password_changed",)]


@pytest.mark.parametrize(
    "body", [{}, {"new_password": "elevenchars"}, {"new_password": "x" * 129}, {"password": NEW}]
)
def test_operator_password_of_invalid_length_is_refused(
    ann: Script, rows: Reader, body: dict[str, str]
) -> None:
    """The password is not changed, and the response does not contain the submitted one."""
    before = rows("SELECT password_hash FROM operators")
    answer = ann("POST", "/me/password", json=body)
    assert failure(answer) == (422, "request_invalid")
    assert rows("SELECT password_hash FROM operators") == before
    assert not any(value in answer.text for value in body.values())


def test_operators_own_sessions_are_listed_with_device_and_ip_address(
    app: Flask, ann: Script
) -> None:
    """Console and API sessions are listed, the last used first, and the current one marked."""
    with app.app_context():
        sign_in(ANN, PASSWORD, DEVICE)
    add_operator(app, RITA, "tenant_admin", "acme")
    session_of(app, RITA)
    first, second = ann("GET", "/me/sessions").json["items"]
    assert (first["kind"], first["device"], first["address"]) == ("console", "script", "192.0.2.1")
    assert (second["kind"], second["address"], second["is_current"]) == (
        "script",
        "127.0.0.1",
        True,
    )
    assert not first["is_current"]
    assert "token" not in str(first)


def test_inactive_sessions_of_an_operator_are_not_listed(
    app: Flask, ann: Script, rows: Reader
) -> None:
    """The sessions are expired, idle, ended, or waiting for a one-time code."""
    tokens = {}
    for name in ("expired", "idle", "ended", "waiting"):
        with app.app_context():
            tokens[name] = find_console_session(sign_in(ANN, PASSWORD, DEVICE).token, DEVICE)
    for name, change in (
        ("expired", "expires_at = now()"),
        ("idle", "seen_at = now() - interval '30 minutes'"),
        ("ended", "ended_at = now(), end_reason = 'x'"),
        ("waiting", "awaits_code = true"),
    ):
        rows(f"UPDATE operator_sessions SET {change} WHERE id = :id", id=tokens[name].session_id)
    assert [one["kind"] for one in ann("GET", "/me/sessions").json["items"]] == ["script"]


def test_list_of_an_operators_sessions_is_limited_to_one_hundred(
    app: Flask, ann: Script, rows: Reader
) -> None:
    """A script that signs in for each request has thousands of active sessions."""
    rows(
        "INSERT INTO operator_sessions"
        " (id, operator_id, kind, token_hash, refresh_hash, seen_at, expires_at)"
        " SELECT gen_random_uuid(), id, 'script', decode(lpad(n::text, 8, '0'), 'hex'), 'x',"
        " now() - interval '1 hour', now() + interval '1 day'"
        " FROM operators, generate_series(1, 150) n"
    )
    assert len(ann("GET", "/me/sessions").json["items"]) == 100
    assert ann("DELETE", "/me/sessions").json == {"ended": 150}


def test_operator_can_end_each_own_session_once(app: Flask, ann: Script, rows: Reader) -> None:
    other = Script(Client(app), ANN)
    other.sign_in()
    wanted = session_id(other)
    assert ann("DELETE", f"/me/sessions/{wanted}").status_code == 204
    assert failure(other("GET", "/me")) == (401, "sign_in_needed")
    again = ann("DELETE", f"/me/sessions/{wanted}")
    assert failure(again) == (404, "operator_session_unknown")
    audited = "SELECT subject FROM audit_events WHERE action = 'operator.session_ended'"
    assert rows(audited) == [(str(wanted),)]
    assert ann("DELETE", f"/me/sessions/{session_id(ann)}").status_code == 204
    assert failure(ann("GET", "/me")) == (401, "sign_in_needed"), (
        "the current session can be ended too"
    )


def test_operator_cannot_end_a_session_of_another_operator(
    app: Flask, ann: Script, rows: Reader
) -> None:
    """This also holds for a platform admin. The response is as for an unknown session."""
    ops = signed_in(app, "ops@wxpass.example", "platform")
    for wanted in (session_id(ann), new_id()):
        refused = ops("DELETE", f"/me/sessions/{wanted}")
        assert failure(refused) == (404, "operator_session_unknown")
    assert ops("DELETE", "/me/sessions").json == {"ended": 0}
    assert ann("GET", "/me").status_code == 200
    assert rows.count("audit_events", "action LIKE 'operator.session%'") == 0
    for odd in ("x", "%00", "1"):
        assert failure(ops("DELETE", f"/me/sessions/{odd}"))[0] == 404


def test_operator_can_end_all_other_own_sessions(app: Flask, ann: Script, rows: Reader) -> None:
    """The number of ended sessions is returned and recorded in the audit log."""
    others = [Script(Client(app), ANN) for _ in range(2)]
    for other in others:
        other.sign_in()
    assert ann("DELETE", "/me/sessions").json == {"ended": 2}
    assert ann("DELETE", "/me/sessions").json == {"ended": 0}
    assert {failure(one("GET", "/me"))[1] for one in others} == {"sign_in_needed"}
    audited = "SELECT details FROM audit_events WHERE action = 'operator.sessions_ended'"
    assert rows(audited) == [({"ended": "2"},)]


def test_request_of_a_session_ended_in_the_meantime_changes_nothing(
    app: Flask, ann: Script, rows: Reader
) -> None:
    """The request began before the session was ended."""
    session = session_of(app, ANN)
    assert ann("DELETE", "/me/sessions").json == {"ended": 1}
    before = rows("SELECT password_hash FROM operators"), rows(LIVE)
    with app.app_context():
        with pytest.raises(SignInNeeded):
            change_own_password(session, NEW)
        with pytest.raises(SignInNeeded):
            end_other_own_sessions(session)
        with pytest.raises(SignInNeeded):
            end_own_session(session, new_id())
    assert (rows("SELECT password_hash FROM operators"), rows(LIVE)) == before


@pytest.mark.real_commits
def test_one_of_two_concurrent_password_changes_in_two_sessions_succeeds(
    app: Flask, rows: Reader
) -> None:
    add_operator(app, ANN, "tenant_admin", "acme")
    sessions = [session_of(app, ANN) for _ in range(2)]

    def change(session: SignedIn, password: str) -> str:
        with app.app_context():
            try:
                change_own_password(session, password)
            except SignInNeeded:
                return "out"
        return password

    passwords = ["password-of-the-one", "password-of-the-other"]
    changes = [
        lambda one=one, word=word: change(one, word)
        for one, word in zip(sessions, passwords, strict=True)
    ]
    done = run_concurrently(changes)
    assert done.count("out") == 1
    (winner,) = set(done) - {"out"}
    assert rows(LIVE) == [(sessions[passwords.index(winner)].session_id,)]
    assert Script(Client(app), ANN).sign_in(winner).status_code == 200


def test_listing_an_operators_own_sessions_takes_one_sql_statement(
    app: Flask, ann: Script, statements: list[str]
) -> None:
    """The other two of the three statements authenticate the request."""
    statements.clear()
    assert ann("GET", "/me/sessions").status_code == 200
    assert len(statements) == 3, "\n".join(statements)
    session = session_of(app, ANN)
    with app.app_context():
        assert len(list_own_sessions(session)) == 2
        with pytest.raises(OperatorSessionUnknown):
            end_own_session(session, new_id())
