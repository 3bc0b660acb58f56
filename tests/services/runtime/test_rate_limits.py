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
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

RULE = Rule("codes", 3)
SERVER = shutil.which("redis-server")


def count_events(limits: RateLimits, times: int = 3) -> None:
    for _ in range(times):
        limits.count(RULE, "wxapp", "192.0.2.1")


@contextmanager
def redis_server(port: int, folder: Path) -> Iterator[str]:
    """Run a Redis server without persistence. Yield its URL."""
    assert SERVER, "apt install redis-server"
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen([SERVER, *options], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    until(lambda: responds(client))
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        client.close()
        process.kill()
        process.wait(10)


def responds(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_rate_limit_blocks_a_key_that_has_reached_its_limit_and_no_other_key() -> None:
    limits = RateLimits()
    count_events(limits, 2)
    assert limits.wait_of(RULE, "wxapp", "192.0.2.1") == 0
    count_events(limits, 1)
    assert 1 <= limits.wait_of(RULE, "wxapp", "192.0.2.1") <= 60
    assert limits.wait_of(RULE, "wxapp", "192.0.2.2") == 0
    assert limits.wait_of(Rule("logins", 3), "wxapp", "192.0.2.1") == 0


def test_number_of_blocked_rate_limit_keys_in_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limits, "MOST_BLOCKED", 5)
    limits = RateLimits()
    for number in range(20):
        limits.count(Rule("one", 1), str(number))
    assert len(limits._blocked) == 5


def test_processes_share_rate_limit_counts_through_redis(tmp_path: Path) -> None:
    with redis_server(free_port(), tmp_path) as url:
        first, second = RateLimits(url), RateLimits(url)
        count_events(first, 2)
        count_events(second, 1)
        assert second.wait_of(RULE, "wxapp", "192.0.2.1") > 0
        count_events(first, 1)
        assert first.wait_of(RULE, "wxapp", "192.0.2.1") > 0


def test_rate_limit_counts_are_kept_per_process_while_redis_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "RETRY_SERVER_AFTER", 0.0)
    port = free_port()
    with redis_server(port, tmp_path) as url:
        limits = RateLimits(url)
        count_events(limits, 1)
    with capture_logs() as logs:
        count_events(limits, 3)
    assert limits.wait_of(RULE, "wxapp", "192.0.2.1") > 0
    assert {one["event"] for one in logs} == {"rate_limit_server_unreachable"}
    with redis_server(port, tmp_path) as url:
        count_events(limits, 2)
        other = RateLimits(url)
        count_events(other, 1)
        assert other.wait_of(RULE, "wxapp", "192.0.2.1") > 0, "the counts are shared again"
