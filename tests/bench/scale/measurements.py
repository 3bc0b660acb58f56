"""The measurements that the page states, taken from scale.json."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.data.rows import FLOOR, KNOWN, NEW, REFRESH, UNCACHED, VERIFY
from tests.bench.scale.model import Measured

ROW_NAMES = {
    "check": VERIFY.name,
    "uncached_check": UNCACHED.name,
    "refresh": REFRESH.name,
    "login": KNOWN.name,
    "new_login": NEW.name,
}
COLD = ("uncached_check", "login")


def read_sizes(path: Path) -> tuple[dict[str, str], list[Measured]]:
    """Return the conditions and the measurements of scale.json."""
    report = json.loads(path.read_text())
    seconds = float(report["conditions"]["seconds"])
    sizes = [Measured(size["users"], dict(_numbers_of(size, seconds))) for size in report["sizes"]]
    return report["conditions"], sizes


def _numbers_of(size: Mapping[str, Any], seconds: float) -> Iterator[tuple[str, float]]:
    """Yield the numbers of a size, by name."""
    users, space, after = size["users"], size["space"], size["space_after"]
    sessions = space["tables"]["login_sessions"]
    grown = after["tables"]["login_sessions"]
    of_users = [
        of_table
        for name, of_table in space["tables"].items()
        if name not in ("login_sessions", "code_exchanges")
    ]
    yield "database_gb", space["total_bytes"] / 1e9
    yield "user_table_bytes", sum(each["table_bytes"] for each in of_users) / users
    yield "user_index_bytes", sum(each["index_bytes"] for each in of_users) / users
    yield "sessions_per_user", sessions["rows"] / users
    yield "session_table_bytes", sessions["table_bytes"] / sessions["rows"]
    yield "session_index_bytes", sessions["index_bytes"] / sessions["rows"]
    yield "session_index_bytes_after", grown["index_bytes"] / grown["rows"]
    yield from _costs_of(size, seconds)
    notifications = size["notifications"]
    yield "commits", notifications["commits"]
    yield "notifying_commits", notifications["notifying_commits"]
    yield "notification_ms", notifications["worker"]
    if idle := size["retention"].get("nothing due"):
        yield "retention_seconds", idle["service"] + idle["database"]
        due = size["retention"]["rows due"]
        deleting = due["service"] + due["database"] - idle["service"] - idle["database"]
        yield "retention_seconds_per_million", deleting / due["deleted"] * 1e6


def _costs_of(size: Mapping[str, Any], seconds: float) -> Iterator[tuple[str, float]]:
    warm, cold = size["warm"], size["cold"]
    yield "floor_ms", warm[FLOOR.name]["service"]
    for kind, part in (("service_ms", "service"), ("database_ms", "database"), ("p99_ms", "p99")):
        for name, row in ROW_NAMES.items():
            yield f"{kind}.{name}", warm[row][part]
    for name, row in ROW_NAMES.items():
        yield f"wal_records_kb.{name}", warm[row]["record_bytes"] / 1000
    for name, row in ROW_NAMES.items():
        yield f"wal_pages_kb.{name}", warm[row]["full_page_bytes"] / 1000
    yield "wal_pages_kb.login.compressed", size["compressed"]["full_page_bytes"] / 1000
    for name, row in ROW_NAMES.items():
        yield f"requests.{name}", warm[row]["rate"] * seconds
    for name in COLD:
        yield f"cold_pages.{name}", cold[ROW_NAMES[name]]["pages_read"]
        yield f"cold_p99_ms.{name}", cold[ROW_NAMES[name]]["p99"]
        yield f"requests.{name}.cold", cold[ROW_NAMES[name]]["rate"] * seconds
