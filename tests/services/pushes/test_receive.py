"""What happens to a push when something goes wrong, or everything at once: it is not lost."""

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
    """Acme's shop, with the push secrets entered on both sides, and an event that is handled."""
    configure(app)
    monkeypatch.setitem(HANDLERS, REVOKE, forget_nickname)
    return Portal(client)


@pytest.fixture
def run(app: Flask) -> Command:
    """Run a command."""
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(args=list(arguments), catch_exceptions=False)


def handled(rows: Reader) -> int:
    """Count how often an event was handled."""
    return rows.count("audit_events", "action = 'test.handled'")


def states(rows: Reader) -> list[tuple[Any, ...]]:
    """Say of every push whether it was handled, and why not."""
    return rows("SELECT handled_at IS NOT NULL, failure FROM wechat_pushes ORDER BY id")


# A handler that fails


def fail_after_writing(*given: Any) -> None:
    """Write, then fail, as a handler with a mistake does."""
    forget_nickname(*given)
    raise ZeroDivisionError(OPENID)


def refuse(db: Session, *_: object) -> None:
    """Write what the database refuses, which would break the transaction for whoever goes on."""
    db.execute(text("INSERT INTO phones (id) VALUES (gen_random_uuid())"))


@pytest.mark.parametrize(
    ("broken", "name"), [(fail_after_writing, "ZeroDivisionError"), (refuse, "NotNullViolation")]
)
def test_an_event_whose_handler_fails_waits_for_the_next_try(
    portal: Portal, run: Command, rows: Reader, monkeypatch: Any, broken: Any, name: str
) -> None:
    """Otherwise a mistake of ours loses a person's withdrawal, or does half of it."""
    monkeypatch.setitem(HANDLERS, REVOKE, broken)
    message = event()
    assert succeeded(portal.push(message))
    assert (handled(rows), states(rows)) == (0, [(False, name)])
    assert succeeded(portal.push(message)), "its repetition is known"
    assert run("pushes", "retry").exit_code == 1
    assert (handled(rows), states(rows)) == (0, [(False, name)])
    monkeypatch.setitem(HANDLERS, REVOKE, forget_nickname)
    retried = run("pushes", "retry")
    assert (retried.exit_code, retried.output[:19]) == (0, "1 handled, 0 failed")
    assert (handled(rows), states(rows)) == (1, [(True, None)])
    assert rows("SELECT message_sealed FROM wechat_pushes") == [(None,)]
    assert run("pushes", "retry").output.startswith("0 handled, 0 failed")
    assert handled(rows) == 1


def test_one_that_fails_again_does_not_hold_up_the_others(
    portal: Portal, run: Command, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise one broken event stops the work on all."""

    def fail_for_bob(db: Session, tenant_id: UUID, appid: str, push: Push, *more: Any) -> None:
        forget_nickname(db, tenant_id, appid, push, *more)
        if push.openid == "oBob":
            raise ZeroDivisionError

    monkeypatch.setitem(HANDLERS, REVOKE, refuse)
    for openid in ("oAlice", "oBob", "oCarol"):
        assert succeeded(portal.push(event(OpenID=openid)))
    monkeypatch.setitem(HANDLERS, REVOKE, fail_for_bob)
    retried = run("pushes", "retry")
    assert (retried.exit_code, retried.output[:19]) == (1, "2 handled, 1 failed")
    assert states(rows) == [(True, None), (False, "ZeroDivisionError"), (True, None)]


def test_what_came_before_its_handler_is_handled_later(
    portal: Portal, run: Command, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise events that arrive before an upgrade are never obeyed."""
    monkeypatch.delitem(HANDLERS, REVOKE)
    assert succeeded(portal.push(event()))
    assert run("pushes", "retry").output.startswith("0 handled, 0 failed")
    assert states(rows) == [(False, None)]
    monkeypatch.setitem(HANDLERS, REVOKE, forget_nickname)
    assert run("pushes", "retry").output.startswith("1 handled, 0 failed")
    assert (handled(rows), states(rows)) == (1, [(True, None)])


class PowerCut(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("moment", ["in the handler", "before the answer"])
def test_a_crash_neither_loses_an_event_nor_doubles_it(
    portal: Portal, rows: Reader, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Otherwise a restart at the wrong moment breaks the law, or does things twice."""

    receive, message = pushes.receive, event()

    def handle_and_cut(*given: Any) -> None:
        forget_nickname(*given)
        raise PowerCut

    def receive_and_cut(*given: Any, **more: Any) -> None:
        receive(*given, **more)
        raise PowerCut

    with monkeypatch.context() as patch:
        if moment == "in the handler":
            patch.setitem(HANDLERS, REVOKE, handle_and_cut)
        else:
            patch.setattr(pushes, "receive", receive_and_cut)
        with pytest.raises(PowerCut):
            portal.push(message)
    assert rows.count("wechat_pushes") == (0 if moment == "in the handler" else 1)
    assert succeeded(portal.push(message)), "WeChat, which has no answer, sends it again"
    assert (handled(rows), states(rows)) == (1, [(True, None)])


def test_a_database_that_is_away_is_no_success(
    portal: Portal, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise WeChat takes as received what is kept nowhere."""

    def refuse_noting(*_: object, **__: object) -> None:
        database.session.execute(text("SELECT pg_sleep(5)"))

    monkeypatch.setattr(pushes, "NOTING_MILLISECONDS", 50)
    monkeypatch.setattr(pushes, "HANDLING_MILLISECONDS", 50)
    monkeypatch.setattr(pushes, "_note", refuse_noting)
    assert failure(portal.push(event())) == (503, "database_unavailable")
    assert rows.count("wechat_pushes") == 0


# At once


@pytest.mark.real_commits
@pytest.mark.parametrize("name", [REVOKE, "debug_demo"])
def test_twenty_deliveries_at_once_are_one(
    portal: Portal, app: Flask, rows: Reader, name: str
) -> None:
    """Otherwise two tries of WeChat that meet are handled twice, or one of them fails."""
    message = event(name)
    deliveries = [portal.write(message) for _ in range(10)]
    deliveries += [portal.write(message, "compatible", "xml")] * 10
    answers = run_concurrently(
        [lambda one=one: Portal(Client(app)).send(one) for one in deliveries]  # type: ignore[misc]
    )
    assert all(succeeded(answer) for answer in answers), [answer.text for answer in answers]
    assert rows.count("wechat_pushes") == 1
    assert handled(rows) == (1 if name == REVOKE else 0)


@pytest.mark.real_commits
def test_twenty_bodies_under_one_clear_signature_are_one(
    portal: Portal, app: Flask, rows: Reader
) -> None:
    """Otherwise whoever is quick enough gets a forged event in beside the real one."""
    configure(app, key=None)
    delivery = portal.write(event(), "plain")
    bodies = [delivery.body.replace(OPENID.encode(), f"o{n}".encode()) for n in range(20)]
    answers = run_concurrently(
        [lambda b=body: Portal(Client(app)).send(delivery, data=b) for body in bodies]  # type: ignore[misc]
    )
    assert sum(succeeded(answer) for answer in answers) == 1
    refused = [answer for answer in answers if not succeeded(answer)]
    assert {failure(answer) for answer in refused} == {(403, "push_replayed")}
    assert (handled(rows), rows.count("wechat_pushes")) == (1, 1)


@pytest.mark.real_commits
def test_two_who_retry_at_once_handle_each_event_once(
    portal: Portal, app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise two operators, or two timers, do everything twice."""
    monkeypatch.setitem(HANDLERS, REVOKE, refuse)
    for number in range(10):
        assert succeeded(portal.push(event(OpenID=f"o{number}")))
    monkeypatch.setitem(HANDLERS, REVOKE, forget_nickname)

    def retry() -> Retried:
        with app.app_context():
            return retry_pushes()

    results = run_concurrently([retry] * 4)
    assert sum(result.handled for result in results) == 10
    assert {result.failed for result in results} == {0}
    assert (handled(rows), set(states(rows))) == (10, {(True, None)})


@pytest.mark.real_commits
def test_a_person_who_is_locked_does_not_delay_the_answer(
    portal: Portal, app: Flask, alice: Person, run: Command, rows: Reader
) -> None:
    """Otherwise WeChat hangs up after 5 s, and tries again what waits already."""
    openid = portal.client.log_in(alice)["openid"]
    with app.app_context(), database.engine.begin() as other:
        other.execute(text("SELECT 1 FROM social_accounts FOR UPDATE"))
        assert succeeded(portal.push(event(OpenID=openid))), "while the lock is held"
    assert (handled(rows), states(rows)) == (0, [(False, "QueryCanceled")])
    assert run("pushes", "retry").exit_code == 0
    assert (handled(rows), states(rows)) == (1, [(True, None)])


def test_noting_after_a_timeout_still_fits_into_wechats_patience() -> None:
    """Otherwise the answer comes when nobody listens any more."""
    assert pushes.HANDLING_MILLISECONDS + pushes.NOTING_MILLISECONDS < 5000


# Operators


def test_the_list_tells_what_came_and_what_became_of_it(
    portal: Portal, app: Flask, client: Client, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an operator cannot tell an event that waits from one that is done."""
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
    ("message", "told"),
    [
        ("[]", "failed: push_malformed"),
        ('{"Event":"x","OpenID":[]}', "failed: push_incomplete: missing or wrong: OpenID"),
    ],
)
def test_the_list_names_why_a_kept_push_cannot_be_read(
    portal: Portal,
    app: Flask,
    run: Command,
    monkeypatch: pytest.MonkeyPatch,
    message: str,
    told: str,
) -> None:
    """The list shows the code of the failure, not the name of a Python class."""
    monkeypatch.setitem(HANDLERS, REVOKE, fail_after_writing)
    assert succeeded(portal.push(event()))
    with app.app_context(), transaction() as db:
        (kept,) = db.query(WeChatPush)
        kept.message = message
    assert run("pushes", "retry").exit_code == 1
    assert run("pushes", "list").output.strip().split("\t")[-1] == told


# On a real socket


@pytest.fixture
def served(app: Flask, wechat: WeChat) -> Iterator[str]:
    """Serve the product, and let the simulated WeChat know where its pushes go to."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.port}{address_of(ACME_SHOP)}"
    told = {"appid": ACME_SHOP.appid, "secret": ACME_SHOP.secret, "open_platform": "acme"}
    wechat.control("apps", **told, push_url=url, push_token=TOKEN, encoding_aes_key=AES_KEY)
    yield url
    wechat.control("apps", **told)
    server.shutdown()
    server.server_close()


@pytest.mark.real_commits
@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("mode", ["plain", "compatible", "safe"])
@pytest.mark.usefixtures("served")
def test_a_person_withdraws_in_wechat_and_is_heard(
    portal: Portal, app: Flask, alice: Person, rows: Reader, mode: str, form: str
) -> None:
    """Otherwise the parts fit, and the whole does not."""
    token = portal.client.log_in(alice)["token"]
    portal.client.post("profile", token, nickname="Alice")
    configure(app, key=None if mode == "plain" else AES_KEY)
    how = {"appid": ACME_SHOP.appid, "mode": mode, "format": form, "faults": ["duplicate"]}
    told = alice.wechat.control("revoke", person="alice", revoke_info="6", **how)
    assert told["accepted"], told
    assert [attempt["answer"] for attempt in told["attempts"]] == ["success"] * 2
    assert rows("SELECT nickname FROM social_accounts") == [(None,)]
    assert (handled(rows), states(rows)) == (1, [(True, None)])


@pytest.mark.real_commits
def test_wechat_gives_up_on_what_is_refused(
    served: str, portal: Portal, wechat: WeChat, rows: Reader
) -> None:
    """Otherwise refusals look like successes to WeChat."""
    how = {"appid": ACME_SHOP.appid, "event": "debug_demo"}
    for fault in ("wrong_signature", "stale", "foreign_appid"):
        told = wechat.control("pushes", faults=[fault], **how)
        assert not told["accepted"]
        assert [attempt["status"] for attempt in told["attempts"]] == [403] * 3
    other = served.replace(ACME_SHOP.appid, ACME_CLUB.appid)
    assert not wechat.control("pushes", url=other, **how)["accepted"]
    assert rows.count("wechat_pushes") == 0
