"""Rate limits: counts of one process, and counts shared through a real Redis."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from structlog.testing import capture_logs

from app.services.runtime import rate_limits
from app.services.runtime.rate_limits import RateLimits, Rule
from tests.fixtures.ports import free_port
from tests.fixtures.waiting import until

RULE = Rule("codes", 3)
SERVER = shutil.which("redis-server")


def exhaust(limits: RateLimits, times: int = 3) -> None:
    for _ in range(times):
        limits.count(RULE, "wxapp", "192.0.2.1")


@contextmanager
def redis_server(port: int, folder: Path) -> Iterator[str]:
    """Run a Redis without persistence."""
    assert SERVER, "apt install redis-server"
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen([SERVER, *options], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    until(lambda: answers(client))
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        client.close()
        process.kill()
        process.wait(10)


def answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_a_key_is_blocked_when_its_limit_is_reached() -> None:
    limits = RateLimits()
    exhaust(limits, 2)
    assert limits.wait_of(RULE, "wxapp", "192.0.2.1") == 0
    exhaust(limits, 1)
    assert 1 <= limits.wait_of(RULE, "wxapp", "192.0.2.1") <= 60
    assert limits.wait_of(RULE, "wxapp", "192.0.2.2") == 0
    assert limits.wait_of(Rule("logins", 3), "wxapp", "192.0.2.1") == 0


def test_blocked_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "MOST_BLOCKED", 5)
    limits = RateLimits()
    for number in range(20):
        limits.count(Rule("one", 1), str(number))
    assert len(limits._blocked) == 5


def test_processes_share_their_counts_through_redis(tmp_path: Path) -> None:
    with redis_server(free_port(), tmp_path) as url:
        first, second = RateLimits(url), RateLimits(url)
        exhaust(first, 2)
        exhaust(second, 1)
        assert second.wait_of(RULE, "wxapp", "192.0.2.1") > 0
        exhaust(first, 1)
        assert first.wait_of(RULE, "wxapp", "192.0.2.1") > 0


def test_counts_are_kept_per_process_while_redis_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "RETRY_SERVER_AFTER", 0.0)
    port = free_port()
    with redis_server(port, tmp_path) as url:
        limits = RateLimits(url)
        exhaust(limits, 1)
    with capture_logs() as logs:
        exhaust(limits, 3)
    assert limits.wait_of(RULE, "wxapp", "192.0.2.1") > 0
    assert {one["event"] for one in logs} == {"rate_limit_server_unreachable"}
    with redis_server(port, tmp_path) as url:
        exhaust(limits, 2)
        other = RateLimits(url)
        exhaust(other, 1)
        assert other.wait_of(RULE, "wxapp", "192.0.2.1") > 0, "the counts are shared again"
