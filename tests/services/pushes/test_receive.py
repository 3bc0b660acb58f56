"""Receiving pushes: failures, retries, concurrency, and the list command for operators."""

import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from app.extensions import db as database
from app.models import WeChatPush
from app.services.database.transactions import transaction
from app.services.pushes import receive as pushes
from app.services.pushes.push_retry import Retried, retry_pushes
from app.services.pushes.receive import HANDLERS
from app.wechat import Push
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    WeChat,
    failure,
)
from tests.fixtures.portal import (
    AES_KEY,
    OPENID,
    REVOKE,
    TOKEN,
    Portal,
    address_of,
    configure,
    event,
    forget_nickname,
    succeeded,
)
from tests.services.login.test_concurrency import run_concurrently

Command = Callable[..., Result]


@pytest.fixture
def portal(app: Flask, client: Client, monkeypatch: pytest.MonkeyPatch) -> Portal:
    """Return a portal that sends pushes to acme's shop. Only `REVOKE` events have a handler."""
    configure(app)
    monkeypatch.setitem(HANDLERS, REVOKE, forget_nickname)
    return Portal(client)


@pytest.fixture
def run(app: Flask) -> Command:
    """Return a function that runs a command of the command line interface."""
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(args=list(arguments), catch_exceptions=False)


def count_handled(rows: Reader) -> int:
    """Return the number of audit events that the test handler has written."""
    return rows.count("audit_events", "action = 'test.handled'")


def states(rows: Reader) -> list[tuple[Any, ...]]:
    """Return for each push whether the push was handled, and the failure reason if any."""
    return rows("SELECT handled_at IS NOT NULL, failure FROM wechat_pushes ORDER BY id")


# Failing handlers


def fail_after_writing(*given: Any) -> None:
    """Write an audit event, then raise an exception."""
    forget_nickname(*given)
    raise ZeroDivisionError(OPENID)


def violate_a_constraint(db: Session, *_: object) -> None:
    """Send a statement that violates a constraint and so aborts the transaction."""
    db.execute(text("INSERT INTO phones (id) VALUES (gen_random_uuid())"))


@pytest.mark.parametrize(
    ("broken", "name"),
    [(fail_after_writing, "ZeroDivisionError"), (violate_a_constraint, "NotNullViolation")],
)
def test_push_with_a_failing_handler_is_kept_and_handled_by_the_retry_command(
    portal: Portal, run: Command, rows: Reader, monkeypatch: Any, broken: Any, name: str
) -> None:
    monkeypatch.setitem(HANDLERS, REVOKE, broken)
    message = event()
    assert succeeded(portal.push(message))
    assert (count_handled(rows), states(rows)) == (0, [(False, name)])
    assert succeeded(portal.push(message)), "the repetition is accepted and not handled again"
    assert run("pushes", "retry").exit_code == 1
    assert (count_handled(rows), states(rows)) == (0, [(False, name)])
    monkeypatch.setitem(HANDLERS, REVOKE, forget_nickname)
    retried = run("pushes", "retry")
    assert (retried.exit_code, retried.output[:19]) == (0, "1 handled, 0 failed")
    assert (count_handled(rows), states(rows)) == (1, [(True, None)])
    assert rows("SELECT message_sealed FROM wechat_pushes") == [(None,)]
    assert run("pushes", "retry").output.startswith("0 handled, 0 failed")
    assert count_handled(rows) == 1


def test_push_that_fails_again_does_not_prevent_the_retry_of_other_pushes(
    portal: Portal, run: Command, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_for_bob(db: Session, tenant_id: UUID, appid: str, push: Push, *more: Any) -> None:
        forget_nickname(db, tenant_id, appid, push, *more)
        if push.openid == "oBob":
            raise ZeroDivisionError

    monkeypatch.setitem(HANDLERS, REVOKE, violate_a_constraint)
    for openid in ("oAlice", "oBob", "oCarol"):
        assert succeeded(portal.push(event(OpenID=openid)))
    monkeypatch.setitem(HANDLERS, REVOKE, fail_for_bob)
    retried = run("pushes", "retry")
    assert (retried.exit_code, retried.output[:19]) == (1, "2 handled, 1 failed")
    assert states(rows) == [(True, None), (False, "ZeroDivisionError"), (True, None)]


def test_retry_handles_the_pushes_of_all_tenants(
    portal: Portal, app: Flask, client: Client, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(app, app=GLOBEX_LIFE)
    monkeypatch.setitem(HANDLERS, REVOKE, fail_after_writing)
    other = Portal(client, GLOBEX_LIFE)
    for to, openid in ((portal, "oAlice"), (other, "oBob"), (portal, "oCarol")):
        assert succeeded(to.push(event(OpenID=openid)))
    handled: list[str | None] = []

    def handle(_db: Session, _tenant_id: UUID, appid: str, push: Push, *_: Any) -> None:
        handled.append(push.openid)

    monkeypatch.setitem(HANDLERS, REVOKE, handle)
    with app.app_context():
        assert retry_pushes() == Retried(3, 0)
    assert handled == ["oAlice", "oBob", "oCarol"], "the oldest first"
    assert states(rows) == [(True, None)] * 3


def test_push_received_before_its_handler_existed_is_handled_by_the_retry_command(
    portal: Portal, run: Command, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(HANDLERS, REVOKE)
    assert succeeded(portal.push(event()))
    assert run("pushes", "retry").output.startswith("0 handled, 0 failed")
    assert states(rows) == [(False, None)]
    monkeypatch.setitem(HANDLERS, REVOKE, forget_nickname)
    assert run("pushes", "retry").output.startswith("1 handled, 0 failed")
    assert (count_handled(rows), states(rows)) == (1, [(True, None)])


class ProcessKilled(BaseException):
    """Simulates the end of the process, because no `except Exception` catches it."""


@pytest.mark.parametrize("moment", ["in the handler", "before the answer"])
def test_push_interrupted_by_a_crash_is_handled_once_after_wechat_repeats_it(
    portal: Portal, rows: Reader, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    receive, message = pushes.receive, event()

    def handle_and_crash(*given: Any) -> None:
        forget_nickname(*given)
        raise ProcessKilled

    def receive_and_crash(*given: Any, **more: Any) -> None:
        receive(*given, **more)
        raise ProcessKilled

    with monkeypatch.context() as patch:
        if moment == "in the handler":
            patch.setitem(HANDLERS, REVOKE, handle_and_crash)
        else:
            patch.setattr(pushes, "receive", receive_and_crash)
        with pytest.raises(ProcessKilled):
            portal.push(message)
    assert rows.count("wechat_pushes") == (0 if moment == "in the handler" else 1)
    assert succeeded(portal.push(message)), "WeChat got no answer and repeats the event"
    assert (count_handled(rows), states(rows)) == (1, [(True, None)])


def test_push_is_refused_while_the_database_is_unavailable(
    portal: Portal, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WeChat repeats a refused push."""

    def time_out(*_: object, **__: object) -> None:
        database.session.execute(text("SELECT pg_sleep(5)"))

    monkeypatch.setattr(pushes, "STORING_MILLISECONDS", 50)
    monkeypatch.setattr(pushes, "HANDLING_MILLISECONDS", 50)
    monkeypatch.setattr(pushes, "_store", time_out)
    assert failure(portal.push(event())) == (503, "database_unavailable")
    assert rows.count("wechat_pushes") == 0


# Concurrency


@pytest.mark.real_commits
@pytest.mark.parametrize("name", [REVOKE, "debug_demo"])
def test_push_delivered_twenty_times_concurrently_is_handled_once(
    portal: Portal, app: Flask, rows: Reader, name: str
) -> None:
    message = event(name)
    deliveries = [portal.write(message) for _ in range(10)]
    deliveries += [portal.write(message, "compatible", "xml")] * 10
    answers = run_concurrently(
        [lambda one=one: Portal(Client(app)).send(one) for one in deliveries]  # type: ignore[misc]
    )
    assert all(succeeded(answer) for answer in answers), [answer.text for answer in answers]
    assert rows.count("wechat_pushes") == 1
    assert count_handled(rows) == (1 if name == REVOKE else 0)


@pytest.mark.real_commits
def test_only_one_of_twenty_concurrent_plain_pushes_with_the_same_signature_is_accepted(
    portal: Portal, app: Flask, rows: Reader
) -> None:
    """In plain mode the signature does not cover the body, so each signature is valid once."""
    configure(app, key=None)
    delivery = portal.write(event(), "plain")
    bodies = [delivery.body.replace(OPENID.encode(), f"o{n}".encode()) for n in range(20)]
    answers = run_concurrently(
        [lambda b=body: Portal(Client(app)).send(delivery, data=b) for body in bodies]  # type: ignore[misc]
    )
    assert sum(succeeded(answer) for answer in answers) == 1
    refused = [answer for answer in answers if not succeeded(answer)]
    assert {failure(answer) for answer in refused} == {(403, "push_replayed")}
    assert (count_handled(rows), rows.count("wechat_pushes")) == (1, 1)


@pytest.mark.real_commits
def test_concurrent_retry_commands_handle_each_push_once(
    portal: Portal, app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(HANDLERS, REVOKE, violate_a_constraint)
    for number in range(10):
        assert succeeded(portal.push(event(OpenID=f"o{number}")))
    monkeypatch.setitem(HANDLERS, REVOKE, forget_nickname)

    def retry() -> Retried:
        with app.app_context():
            return retry_pushes()

    results = run_concurrently([retry] * 4)
    assert sum(result.handled for result in results) == 10
    assert {result.failed for result in results} == {0}
    assert (count_handled(rows), set(states(rows))) == (10, {(True, None)})


@pytest.mark.real_commits
def test_push_about_a_locked_identity_is_answered_without_waiting_for_the_lock(
    portal: Portal,
    app: Flask,
    alice: Person,
    run: Command,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """WeChat closes the connection after 5 s. Here the handler may take only 0.5 s."""
    monkeypatch.setattr(pushes, "HANDLING_MILLISECONDS", 500)
    openid = portal.client.log_in(alice)["openid"]
    with app.app_context(), database.engine.begin() as other:
        other.execute(text("SELECT 1 FROM social_accounts FOR UPDATE"))
        assert succeeded(portal.push(event(OpenID=openid))), "while the lock is held"
    assert (count_handled(rows), states(rows)) == (0, [(False, "QueryCanceled")])
    assert run("pushes", "retry").exit_code == 0
    assert (count_handled(rows), states(rows)) == (1, [(True, None)])


def test_database_timeouts_of_a_push_add_up_to_less_than_five_seconds() -> None:
    assert pushes.HANDLING_MILLISECONDS + pushes.STORING_MILLISECONDS < 5000


# Operators


def test_pushes_list_command_shows_the_state_of_each_push(
    portal: Portal, app: Flask, client: Client, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(app, app=GLOBEX_LIFE)
    assert succeeded(portal.push(event()))
    assert succeeded(portal.push(event("debug_demo")))
    monkeypatch.setitem(HANDLERS, REVOKE, fail_after_writing)
    assert succeeded(Portal(client, GLOBEX_LIFE).push(event()))

    def listed(*options: str) -> list[list[str]]:
        lines = run("pushes", "list", *options).output.splitlines()
        return [line.split("\t")[2:] for line in lines]

    failed = ["globex", GLOBEX_LIFE.appid, REVOKE, "failed: ZeroDivisionError"]
    kept = ["acme", ACME_SHOP.appid, "debug_demo", "kept"]
    done = ["acme", ACME_SHOP.appid, REVOKE, "handled"]
    assert listed() == [failed, kept, done]
    assert listed("--unhandled") == [failed, kept]
    assert listed("--tenant", "acme") == [kept, done]
    assert listed("--tenant", "acme", "--unhandled") == [kept]
    assert run("pushes", "list", "--tenant", "nobody").exit_code == 1
    assert OPENID not in run("pushes", "list").output


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("[]", "failed: push_malformed"),
        ('{"Event":"x","OpenID":[]}', "failed: push_incomplete: missing or wrong: OpenID"),
    ],
)
def test_pushes_list_command_shows_the_failure_reason_of_an_unreadable_push(
    portal: Portal,
    app: Flask,
    run: Command,
    monkeypatch: pytest.MonkeyPatch,
    message: str,
    reason: str,
) -> None:
    monkeypatch.setitem(HANDLERS, REVOKE, fail_after_writing)
    assert succeeded(portal.push(event()))
    with app.app_context(), transaction() as db:
        (kept,) = db.query(WeChatPush)
        kept.message = message
    assert run("pushes", "retry").exit_code == 1
    assert run("pushes", "list").output.strip().split("\t")[-1] == reason


# HTTP


@pytest.fixture
def served(app: Flask, wechat: WeChat) -> Iterator[str]:
    """Serve the app over HTTP, register its push URL in the simulated WeChat, and yield the URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.port}{address_of(ACME_SHOP)}"
    settings = {"appid": ACME_SHOP.appid, "secret": ACME_SHOP.secret, "open_platform": "acme"}
    wechat.control("apps", **settings, push_url=url, push_token=TOKEN, encoding_aes_key=AES_KEY)
    yield url
    wechat.control("apps", **settings)
    server.shutdown()
    server.server_close()


@pytest.mark.real_commits
@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("mode", ["plain", "compatible", "safe"])
@pytest.mark.usefixtures("served")
def test_revocation_push_is_handled_once_in_every_mode_and_format(
    portal: Portal, app: Flask, alice: Person, rows: Reader, mode: str, form: str
) -> None:
    token = portal.client.log_in(alice)["token"]
    portal.client.post("profile", token, nickname="Alice")
    configure(app, key=None if mode == "plain" else AES_KEY)
    kwargs = {"appid": ACME_SHOP.appid, "mode": mode, "format": form, "faults": ["duplicate"]}
    result = alice.wechat.control("revoke", person="alice", revoke_info="6", **kwargs)
    assert result["accepted"], result
    assert [attempt["answer"] for attempt in result["attempts"]] == ["success"] * 2
    assert rows("SELECT nickname FROM social_accounts") == [(None,)]
    assert (count_handled(rows), states(rows)) == (1, [(True, None)])


@pytest.mark.real_commits
def test_refused_push_gets_status_403_and_is_not_stored(
    served: str, portal: Portal, wechat: WeChat, rows: Reader
) -> None:
    kwargs = {"appid": ACME_SHOP.appid, "event": "debug_demo"}
    for fault in ("wrong_signature", "stale", "foreign_appid"):
        result = wechat.control("pushes", faults=[fault], **kwargs)
        assert not result["accepted"]
        assert [attempt["status"] for attempt in result["attempts"]] == [403] * 3
    other = served.replace(ACME_SHOP.appid, ACME_CLUB.appid)
    assert not wechat.control("pushes", url=other, **kwargs)["accepted"]
    assert rows.count("wechat_pushes") == 0
