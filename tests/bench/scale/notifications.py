"""Cost of notifications about changed sessions, which PostgreSQL commits one after the other.

A refresh and the end of a session notify every worker, so that no worker answers from an outdated
cache.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

from config.development.children import RunFailed
from config.development.postgres_commands import binaries
from tests.bench.costs import Costs, costs_of, wait_until_idle
from tests.bench.data.world import WORKERS, Service, World
from tests.bench.progress import say

CLIENTS = 16
INSERT = "INSERT INTO bench_logins (openid, session_key) VALUES ('scale', 'scale');\n"
NOTIFY = f"BEGIN;\n{INSERT}SELECT pg_notify('wxpass_changes', gen_random_uuid()::text);\nCOMMIT;\n"
COMMITS = re.compile(r"actually processed: (\d+)")
RATE = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


@dataclass(frozen=True)
class NotificationCost:
    """Commits per second without and with a notification, and CPU time in milliseconds.

    `worker` is the CPU time of one worker per notification, `database` that of PostgreSQL for the
    commit and the notification of `listeners` workers.
    """

    commits: float
    notifying_commits: float
    listeners: int
    worker: float
    database: float


def measure_notifications(
    world: World, service: Service, seconds: int, runs: int
) -> NotificationCost:
    """Return the cost with the workers of a service as listeners. Medians of several runs."""
    say("  commits without and with notifications")
    plain, notifying = [], []
    for _ in range(runs):
        plain.append(commits(world, service, INSERT, seconds))
        notifying.append(commits(world, service, NOTIFY, seconds))
    return NotificationCost(
        commits=median(rate for rate, _ in plain),
        notifying_commits=median(rate for rate, _ in notifying),
        listeners=WORKERS,
        worker=1000 * median(spent.service for _, spent in notifying) / WORKERS,
        database=1000 * median(spent.database for _, spent in notifying),
    )


def commits(world: World, service: Service, script: str, seconds: int) -> tuple[float, Costs]:
    """Repeat a transaction. Return the commits per second, and the CPU time per commit."""
    url = urlsplit(world.database_url)
    query = parse_qs(url.query)
    before = costs_of(service.pid, world.postmaster)
    with TemporaryDirectory(prefix="wxpass-scale-") as folder:
        path = Path(folder, "script.sql")
        path.write_text(script)
        done = subprocess.run(
            [
                *(binaries() / "pgbench", "-n", "-c", str(CLIENTS), "-T", str(seconds), "-f", path),
                *("-h", query["host"][0], "-p", query["port"][0], "-U", "postgres"),
                url.path.lstrip("/"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    wait_until_idle(service.pid)
    spent = costs_of(service.pid, world.postmaster).since(before)
    number, rate = COMMITS.search(done.stdout), RATE.search(done.stdout)
    if done.returncode or number is None or rate is None:
        raise RunFailed(f"pgbench failed:\n{done.stdout}{done.stderr}")
    each = 1 / int(number[1])
    return float(rate[1]), Costs(spent.service * each, spent.database * each)
