"""Failed sign-ins, one-time codes and step-ups of operators: audit events, logs and limits."""

import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import logs
from app.clock import now
from app.errors import Failure, OneTimeCodeWrong, SignInWrong
from app.services.apps.tenants import TenantSettings, change_tenant
from app.services.audit import OPERATOR
from app.services.operators import failed_sign_ins
from app.services.operators import sign_in as operator_sign_in
from app.services.operators.failed_sign_ins import (
    MOST_WAITING,
    SIGN_IN_FAILED,
    FailedAttempt,
    OperatorFailures,
    TokenBucket,
)
from app.services.operators.one_time_codes import (
    begin_enrolment,
    confirm_enrolment,
    remove_own_codes,
)
from app.services.operators.operators import invite_operator
from app.services.operators.sign_in import confirm_code, sign_in
from app.services.operators.step_up import step_up
from app.services.principals import Device
from config import Config
from tests.fixtures.operators import (
    DEVICE,
    PASSWORD,
    Script,
    add_operator,
    code_of,
    enrol,
    session_of,
    signed_in,
)
from tests.fixtures.personas import Client, Reader, failure, statements_sent
from tests.fixtures.waiting import until
from tests.services.login.test_concurrency import run_concurrently
from tests.services.metrics.test_count_writer import process

ANN, UNKNOWN = "ann@acme.example", "nobody@acme.example"
EVENTS = (
    "SELECT action, actor_kind, actor_id, subject, ip, details ->> 'reason'"
    " FROM platform_audit_events WHERE action LIKE 'operator.%failed' ORDER BY id"
)
COUNT = "action LIKE 'operator.%failed'"
HASHED = re.compile(r"email:[0-9a-f]{32}")


@pytest.fixture(autouse=True)
def failures(app: Flask, monkeypatch: pytest.MonkeyPatch) -> OperatorFailures:
    """Install and return a recorder of failures whose token buckets are full."""
    failures = OperatorFailures()
    monkeypatch.setitem(app.extensions, "operator_failures", failures)
    return failures


@pytest.fixture
def ann_id(app: Flask) -> Any:
    """Add Ann, a tenant admin of acme, and return her id."""
    return add_operator(app, ANN, "tenant_admin", "acme")


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch, app: Flask) -> Iterator[io.StringIO]:
    """Return the stream to which the service writes its log as JSON."""
    stream = io.StringIO()
    logs.configure(as_json=True)
    (ours,) = logging.getLogger().handlers
    assert isinstance(ours, logging.StreamHandler)
    ours.setStream(stream)
    yield stream
    logs.configure(as_json=False)


def test_failed_sign_in_of_a_known_operator_records_operator_and_ip_address(
    app: Flask, ann_id: Any, rows: Reader
) -> None:
    """Wrong passwords and throttled attempts are recorded in the platform audit log only."""
    script = Script(Client(app), ANN)
    for _ in range(7):
        script.sign_in("wrong-password")
    events = rows(EVENTS)
    expected = ("operator.sign_in_failed", "operator", ann_id, str(ann_id), "127.0.0.1")
    assert events == [(*expected, "sign_in_wrong")] * 6 + [(*expected, "too_many_tries")]
    assert rows.count("audit_events", COUNT) == 0
    ops = signed_in(app, "ops@wxpass.example", "platform")
    shown = ops("GET", "/audit?action=operator.sign_in_failed").json["items"]
    assert {one["actor_email"] for one in shown} == {ANN}
    assert {one["address"] for one in shown} == {"127.0.0.1"}
    script.tokens = {}
    assert not ops("GET", "/tenants/acme/audit?action=operator.sign_in_failed").json["items"]


def test_failed_sign_in_with_an_unknown_email_address_records_a_keyed_hash(
    app: Flask, rows: Reader, logged: io.StringIO
) -> None:
    """E-mail addresses that differ only in case have the same hash."""
    client = Client(app)
    for email in (UNKNOWN, UNKNOWN.upper(), "other@acme.example"):
        Script(client, email).sign_in("wrong-password")
    events = rows(EVENTS)
    assert {event[:3] for event in events} == {("operator.sign_in_failed", "system", None)}
    first, second, third = (event[3] for event in events)
    assert HASHED.fullmatch(first)
    assert first == second != third
    everywhere = str(rows("SELECT e::text FROM platform_audit_events e")) + logged.getvalue()
    for address in (UNKNOWN, "other@acme.example"):
        assert address not in everywhere.lower()


@pytest.mark.parametrize("why", ["disabled", "tenant_disabled", "invited"])
def test_failed_sign_in_of_a_disabled_or_invited_operator_records_the_operator(
    app: Flask, ann_id: Any, rows: Reader, why: str
) -> None:
    """The sign-ins fail although the password is right."""
    if why == "disabled":
        rows("UPDATE operators SET status = 'disabled'")
    elif why == "tenant_disabled":
        with app.app_context():
            change_tenant("acme", TenantSettings(status="disabled"))
    else:
        rows("UPDATE operators SET password_hash = NULL")
    Script(Client(app), ANN).sign_in()
    assert [event[2] for event in rows(EVENTS)] == [ann_id]


def test_failed_one_time_codes_and_step_ups_are_recorded_in_the_audit_log(
    app: Flask, ann_id: Any, rows: Reader
) -> None:
    """Failures at console and API sign-in, at enrolment and removal of codes, and at step-up."""
    session = session_of(app, ANN)
    with app.app_context():
        begin_enrolment(session)
        with suppress(Failure):
            confirm_enrolment(session, "000000")
    session, _, _ = enrol(app, ANN)
    elsewhere = Device("script", "198.51.100.7")
    with app.app_context():
        half = sign_in(ANN, PASSWORD, DEVICE)
        for act in (
            lambda: confirm_code(half.token, "000000", elsewhere),
            lambda: remove_own_codes(session, "000000"),
            lambda: step_up(session, "wrong-password", None, elsewhere),
            lambda: step_up(session, PASSWORD, None, elsewhere),
            lambda: step_up(session, PASSWORD, "000000", elsewhere),
        ):
            with pytest.raises(Failure):
                act()
    script = Script(Client(app), ANN)
    script.sign_in()
    script.sign_in(code="000000")
    assert [(event[0], event[4], event[5]) for event in rows(EVENTS)] == [
        ("operator.code_failed", "192.0.2.1", "one_time_code_wrong"),
        ("operator.sign_in_failed", "198.51.100.7", "one_time_code_wrong"),
        ("operator.code_failed", "192.0.2.1", "one_time_code_wrong"),
        ("operator.step_up_failed", "198.51.100.7", "password_wrong"),
        ("operator.step_up_failed", "198.51.100.7", "one_time_code_needed"),
        ("operator.step_up_failed", "198.51.100.7", "one_time_code_wrong"),
        ("operator.sign_in_failed", "127.0.0.1", "one_time_code_needed"),
        ("operator.sign_in_failed", "127.0.0.1", "one_time_code_wrong"),
    ]
    assert {(event[2], event[3]) for event in rows(EVENTS)} == {(ann_id, str(ann_id))}


def test_successful_sign_ins_and_invalid_requests_are_not_recorded_as_failures(
    app: Flask, ann_id: Any, rows: Reader
) -> None:
    script = Script(Client(app), ANN)
    script.sign_in()
    script("POST", "/step-up", json={"password": PASSWORD})
    script("POST", "/step-up", json={})
    script("POST", "/me/one-time-codes/confirmation", json={"code": "000000"})
    session, totp, _ = enrol(app, ANN)
    with app.app_context():
        remove_own_codes(session, code_of(totp))
    assert rows.count("platform_audit_events", COUNT) == 0


def test_failed_sign_in_is_logged_with_the_request_id(
    app: Flask, ann_id: Any, logged: io.StringIO
) -> None:
    """The log contains no password, code or email address."""
    client = Client(app)
    Script(client, ANN).sign_in("a-secret-password", code="987654")
    Script(client, UNKNOWN).sign_in("a-secret-password")
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    known, unknown = [line for line in lines if line["event"] == "operator_sign_in_failed"]
    requests = [line["request_id"] for line in lines if line["event"] == "request"]
    assert [known["request_id"], unknown["request_id"]] == requests
    assert known["level"] == "warning"
    assert (known["operator"], known["reason"]) == (str(ann_id), "sign_in_wrong")
    assert known["address"] == unknown["address"] == "127.0.0.1"
    assert (unknown["operator"], bool(HASHED.fullmatch(unknown["subject"]))) == (None, True)
    for secret in ("a-secret-password", "987654", "acme.example"):
        assert secret not in logged.getvalue()


def test_token_bucket_allows_a_burst_and_then_a_steady_rate() -> None:
    """`take` returns the number of events suppressed before, or None to suppress the event."""
    bucket, moment = TokenBucket(3, timedelta(seconds=10)), now()
    assert [bucket.take(moment) for _ in range(6)] == [0, 0, 0, None, None, None]
    assert bucket.take(moment + timedelta(seconds=9)) is None
    assert bucket.take(moment + timedelta(seconds=11)) == 4
    assert bucket.take(moment + timedelta(seconds=12)) is None
    later = moment + timedelta(days=1)
    assert [bucket.take(later) for _ in range(4)] == [1, 0, 0, None]
    assert bucket.take(later - timedelta(hours=1)) is None, (
        "the bucket does not refill if the clock is set back"
    )


def test_number_of_audit_events_of_failed_sign_ins_is_limited_during_an_attack(
    app: Flask,
    ann_id: Any,
    rows: Reader,
    failures: OperatorFailures,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Attempts with unknown e-mail addresses do not displace attempts at a known operator.

    The number of suppressed events is recorded, so that all attempts are counted.
    """

    def refuse(*_: object) -> None:
        raise SignInWrong

    monkeypatch.setattr(operator_sign_in, "prove_password", refuse)
    failures.begin_writing = lambda: None
    with app.app_context():
        for number in range(4000):
            device = Device(None, f"198.51.{number // 250}.{number % 250}")
            email = ANN if number % 4 == 0 else f"guess{number}@acme.example"
            with suppress(SignInWrong):
                sign_in(email, "wrong-password", device)
            if number % 500 == 499:
                failures.write()
    known = rows.count("platform_audit_events", f"{COUNT} AND actor_kind = 'operator'")
    unknown = rows.count("platform_audit_events", f"{COUNT} AND actor_kind = 'system'")
    assert 100 <= known <= 110
    assert 30 <= unknown <= 35
    for bucket in (failures.known, failures.unknown):
        monkeypatch.setattr(bucket, "interval", timedelta(microseconds=1))
    with app.app_context():
        for email in (ANN, UNKNOWN):
            with suppress(SignInWrong):
                sign_in(email, "wrong-password", DEVICE)
        failures.write()
    suppressed = "SELECT sum((details ->> 'suppressed')::int)::int FROM platform_audit_events"
    assert rows(suppressed) == [(4002 - rows.count("platform_audit_events", COUNT),)]


def test_failed_sign_in_sends_the_same_sql_for_known_and_unknown_email_addresses(
    app: Flask, ann_id: Any, failures: OperatorFailures
) -> None:
    """Equal SQL statements take equal time. The request itself writes no audit event."""
    failures.begin_writing = lambda: None
    with app.app_context():
        invite_operator(OPERATOR, "invited@acme.example", "tenant_admin", "acme")
    asked: dict[str, list[set[str]]] = {}
    for email in (ANN, UNKNOWN, "invited@acme.example"):
        script = Script(Client(app), email)
        asked[email] = []
        for _ in range(8):
            with statements_sent() as sent:
                script.sign_in("wrong-password")
            # The order of the keys, which are hashes, decides which updates are combined.
            asked[email].append(set(sent))
    assert asked[ANN] == asked[UNKNOWN] == asked["invited@acme.example"]
    assert "platform_audit_events" not in str(asked)


def test_concurrent_failed_sign_ins_are_all_kept_in_memory_up_to_a_limit(
    app: Flask, ann_id: Any
) -> None:
    failures = OperatorFailures()
    failures.begin_writing = lambda: None
    attempt = FailedAttempt(SIGN_IN_FAILED, "sign_in_wrong", ann_id, None, None)
    run_concurrently([lambda: [failures.note(attempt) for _ in range(100)]] * 8)
    assert len(failures._waiting) == 800
    for _ in range(MOST_WAITING):
        failures.note(attempt)
    assert len(failures._waiting) == MOST_WAITING


def test_failed_sign_ins_are_kept_in_memory_while_the_database_is_unavailable(
    app: Flask,
    ann_id: Any,
    rows: Reader,
    failures: OperatorFailures,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The request still gets the response for a wrong password."""
    failures.begin_writing = lambda: None
    with app.app_context():
        with monkeypatch.context() as away:
            away.setattr(failed_sign_ins, "transaction", None)
            with pytest.raises(SignInWrong):
                sign_in(ANN, "wrong-password", DEVICE)
            failures.write()
        with monkeypatch.context() as away:
            away.setattr(failed_sign_ins.audit, "record", None)
            failures.write()
            failures.write()
        assert rows(EVENTS) == []
        failures.write()
        failures.write()
    assert len(rows(EVENTS)) == 1


@pytest.mark.real_commits
def test_failed_sign_ins_are_written_by_a_background_thread(
    config: Config, app: Flask, rows: Reader
) -> None:
    """The thread is started as in wsgi.py."""
    ann_id = add_operator(app, ANN, "tenant_admin", "acme")
    with process(config) as service:
        failed_sign_ins.write_regularly(service)
        answer = Script(Client(service), ANN).sign_in("wrong-password")
        assert failure(answer) == (401, "sign_in_wrong")
        until(lambda: rows.count("platform_audit_events", COUNT))
        with service.extensions["operator_failures"]._writing:
            pass  # Wait until the thread has returned its connection.
    assert [event[2] for event in rows(EVENTS)] == [ann_id]


def test_failed_step_up_is_recorded_although_its_transaction_is_rolled_back(
    app: Flask, ann_id: Any, rows: Reader
) -> None:
    session, _, _ = enrol(app, ANN)
    with app.app_context(), pytest.raises(OneTimeCodeWrong):
        step_up(session, PASSWORD, "000000", DEVICE)
    assert len(rows(EVENTS)) == 1
