"""Metrics that services record: logins, calls to WeChat, pools, queues, caches and jobs."""

from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.connections import ReplicaPool, WaitingPool
from app.errors import PasswordsBusy, WeChatBusy, WeChatCircuitOpen
from app.metrics.definitions import (
    BACKGROUND_JOB_RUNS,
    CACHE_LOOKUPS,
    CACHES_ON,
    DATABASE_POOL_TIMEOUTS,
    DATABASE_POOL_WAIT_SECONDS,
    FAILURES,
    LOGINS,
    OTHER,
    PASSWORD_QUEUE_REJECTED,
    PASSWORD_QUEUE_WAIT_SECONDS,
    WECHAT_CALLS,
    WECHAT_REJECTED,
    WECHAT_SECONDS,
)
from app.monitoring.samples import Sampler
from app.services.apps.call_limits import WINDOW, CallLimits
from app.services.metrics.counts import count_answer
from app.services.passwords import hashing_queue
from app.services.passwords.hashing_queue import HashingQueue, Lane
from app.services.runtime import background
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import ACME_SHOP, Client, Person, WeChat, enter_user
from tests.metrics.recorded import RecordedMetrics

SHOP = ACME_SHOP.appid


def test_logins_are_counted_by_method_and_result(
    app: Flask, client: Client, alice: Person, recorded: RecordedMetrics
) -> None:
    enter_user(app, account="carol", password=GOOD_PASSWORD)
    carol = {"account": "carol", "password": GOOD_PASSWORD}
    token = client.log_in(alice)["token"]
    client.post("login", code="x" * 32)
    assert client.post("phone", token, **alice.tap_phone_new()).status_code == 200
    assert client.post("password-login", **carol).status_code == 200
    client.post("password-login", **carol | {"password": "wrong"})
    client.post("bind", client.log_in(alice)["token"], **carol | {"password": "wrong"})
    assert recorded.of(LOGINS) == {
        (SHOP, "code", "ok"): 2.0,
        (SHOP, "code", "refused"): 1.0,
        (SHOP, "phone", "ok"): 1.0,
        (SHOP, "password", "ok"): 1.0,
        (SHOP, "password", "refused"): 1.0,
        (SHOP, "account", "refused"): 1.0,
    }


def test_failures_without_a_known_app_are_other(client: Client, recorded: RecordedMetrics) -> None:
    client.send("GET", "/v1/me")
    client.post("login", code="x" * 32)
    assert recorded.of(FAILURES) == {(OTHER, "token_missing"): 1.0, (SHOP, "code_invalid"): 1.0}


def test_calls_to_wechat_are_counted_by_errcode(
    client: Client, alice: Person, wechat: WeChat, recorded: RecordedMetrics
) -> None:
    client.log_in(alice)
    client.post("login", code="x" * 32)
    calls = recorded.of(WECHAT_CALLS)
    assert calls == {(SHOP, "login", "0"): 1.0, (SHOP, "login", "40029"): 1.0}
    assert recorded.of(WECHAT_SECONDS) == {("login",): 2.0}


@pytest.mark.parametrize(
    ("is_answered", "errcode", "label"),
    [
        (True, 0, "0"),
        (True, -1, "-1"),
        (True, 45009, "45009"),
        (True, 123456789, OTHER),
        (True, None, "invalid"),
        (False, None, "none"),
    ],
)
def test_labels_of_errcodes_are_bounded(
    app: Flask, recorded: RecordedMetrics, is_answered: bool, errcode: int | None, label: str
) -> None:
    with app.app_context():
        count_answer(SHOP, "login", 0.1, is_answered, errcode)
    assert recorded.of(WECHAT_CALLS) == {(SHOP, "login", label): 1.0}


def test_calls_that_are_not_made_are_counted_by_reason(recorded: RecordedMetrics) -> None:
    limits = CallLimits(per_app=1, in_total=2)

    def refuse(appid: str, kind: type[Exception]) -> None:
        with pytest.raises(kind), limits.slot(appid):
            pass

    with limits.slot("wx1"):
        refuse("wx1", WeChatBusy)
        with limits.slot("wx2"):
            refuse("wx3", WeChatBusy)
    for _ in range(WINDOW):
        limits.watch("wx1", "login", 8.0, False)
    refuse("wx1", WeChatCircuitOpen)
    assert recorded.of(WECHAT_REJECTED) == {
        ("wx1", "app_limit"): 1.0,
        ("wx3", "process_limit"): 1.0,
        ("wx1", "circuit_open"): 1.0,
    }
    assert [(calls.appid, calls.is_open) for calls in limits.busy_apps()] == [("wx1", True)]


def test_pools_count_waits_and_timeouts(recorded: RecordedMetrics) -> None:
    pool = ReplicaPool(lambda: _Connection(), pool_size=1, max_overflow=0, timeout=0.01)
    assert WaitingPool.name == "primary"
    held = pool.connect()
    assert (pool.size(), pool.checkedout(), pool.checkedin(), pool.waiting()) == (1, 1, 0, 0)
    with pytest.raises(PoolTimeout):
        pool.connect()
    held.close()
    pool.connect().close()
    assert recorded.of(DATABASE_POOL_TIMEOUTS) == {("replica",): 1.0}
    assert recorded.of(DATABASE_POOL_WAIT_SECONDS) == {("replica",): 2.0}


class _Connection:
    """A connection that does nothing."""

    def rollback(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_password_queue_counts_waits_and_refusals(
    recorded: RecordedMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing_queue, "DEADLINE_SECONDS", 0.01)
    queue, tenant = HashingQueue(turns=1), uuid4()
    with (
        queue.turn(Lane.KNOWN, tenant),
        pytest.raises(PasswordsBusy),
        queue.turn(Lane.OTHERS, tenant),
    ):
        pass
    monkeypatch.setattr(hashing_queue, "MOST_IN_LANE", 0)
    with pytest.raises(PasswordsBusy), queue.turn(Lane.OPERATORS, tenant):
        pass
    assert recorded.of(PASSWORD_QUEUE_WAIT_SECONDS) == {("known",): 1.0}
    assert recorded.of(PASSWORD_QUEUE_REJECTED) == {("others",): 1.0, ("operators",): 1.0}


@pytest.mark.parametrize(("outcome", "result"), [(None, "ok"), (True, "ok"), (False, "failed")])
def test_background_jobs_are_counted(
    recorded: RecordedMetrics,
    monkeypatch: pytest.MonkeyPatch,
    outcome: bool | None,
    result: str,
) -> None:
    class Stopped(Exception):
        pass

    def sleep(_seconds: float, so_far: list[int] = []) -> None:  # noqa: B006
        so_far.append(1)
        if len(so_far) > 2:
            raise Stopped

    monkeypatch.setattr(background.time, "sleep", sleep)
    with pytest.raises(Stopped):
        background.every(1, lambda: outcome, "a-job")
    assert recorded.of(BACKGROUND_JOB_RUNS) == {("a-job", result): 2.0}


def test_caches_count_hits_and_misses(app: Flask, recorded: RecordedMetrics) -> None:
    caches = app.extensions["caches"].of_this_process()
    caches._clear()
    sampler = Sampler(app, recorded.store)
    caches.changes.begin()
    caches.changes.mark_fresh(float("inf"))
    caches.profiles.keep(b"alice", b"{}", float("inf"))
    for key in (b"alice", b"alice", b"bob"):
        caches.profiles.find(key)
    caches.sessions.find(b"unknown")
    sampler._sample_caches()
    assert recorded.of(CACHES_ON) == {(): 1.0}
    caches._clear()
    for _ in range(3):
        caches.apps.find("wx1")
    sampler._sample_caches()
    assert recorded.of(CACHES_ON) == {(): 0.0}
    assert recorded.of(CACHE_LOOKUPS) == {
        ("profiles", "hit"): 2.0,
        ("profiles", "miss"): 1.0,
        ("sessions", "miss"): 1.0,
        ("apps", "miss"): 3.0,
    }
