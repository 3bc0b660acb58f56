"""Checks of the clock of this machine, compared with those of others."""

import time
from collections.abc import Iterator

from sqlalchemy import text

from app.doctor.findings import Deployment, Finding, error, ok, warning
from app.services.database.transactions import transaction

WARN_SECONDS, FAIL_SECONDS = 2.0, 60.0


def check_database_clock(deployment: Deployment) -> Iterator[Finding]:
    """Compare the clock of this machine with PostgreSQL's."""
    with transaction() as db:
        db.execute(text("SELECT 1"))
        before = time.time()
        theirs = db.scalars(text("SELECT extract(epoch FROM clock_timestamp())::float8")).one()
        after = time.time()
    yield of_difference("database", "PostgreSQL", "PostgreSQL", (before + after) / 2 - theirs)


def of_difference(
    server: str, en: str, zh: str, seconds: float, *, tolerance: float = 0.0
) -> Finding:
    """Return the finding for the seconds that this machine is ahead of another one."""
    size = abs(seconds)
    if size <= WARN_SECONDS + tolerance:
        return ok(
            f"clock_{server}", f"The clock agrees with that of {en}.", f"本机时钟与{zh}一致。"
        )
    en_side, zh_side = ("ahead of", "快") if seconds > 0 else ("behind", "慢")
    level = error if size > FAIL_SECONDS + tolerance else warning
    return level(
        f"clock_{server}_differs",
        (
            f"The clock is {size:.0f} s {en_side} that of {en}: sessions, codes and one-time codes "
            "expire too early or too late.",
            f"本机时钟比{zh}{zh_side} {size:.0f} 秒：会话、code 和一次性验证码会过早或过晚失效。",
        ),
        (
            "Run an NTP service, such as chrony or systemd-timesyncd, on every machine.",
            "请在每台机器上运行 chrony 或 systemd-timesyncd 等时间同步服务。",
        ),
    )
