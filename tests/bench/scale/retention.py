"""CPU time of `flask --app wsgi retention run`: of a run without due rows, and of deletions."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass

import psycopg

from config.development import ROOT
from config.development.children import RunFailed
from tests.bench.costs import tree_seconds
from tests.bench.data.world import World
from tests.bench.progress import say

DUE_ROWS = 100_000
# Sessions that ended, and audit events that happened, long before the end of their period.
DUE_SESSIONS = """
    INSERT INTO login_sessions (id, tenant_id, appid, social_account_id, user_id, token_hash,
        expires_at, refresh_family_hash, refresh_hash, refresh_expires_at, names_tenant, device,
        created_at, seen_at, ended_at, end_reason)
    SELECT uuidv7(old), tenant_id, appid, id, user_id, sha256(uuid_send(gen_random_uuid())),
        now() + old, sha256(uuid_send(gen_random_uuid())), sha256(uuid_send(gen_random_uuid())),
        now() + old, true, 'bench', now() + old, now() + old, now() + old, 'logout'
    FROM (SELECT * FROM social_accounts WHERE user_id IS NOT NULL LIMIT %(rows)s) AS account,
        (SELECT interval '-200 days' AS old) AS age
"""
DUE_EVENTS = """
    INSERT INTO audit_events (id, tenant_id, actor_kind, actor_id, action, subject, created_at)
    SELECT uuidv7(old), tenant_id, 'user', user_id, 'social_account.bound', id, now() + old
    FROM (SELECT * FROM social_accounts WHERE user_id IS NOT NULL LIMIT %(rows)s) AS account,
        (SELECT interval '-1200 days' AS old) AS age
"""


@dataclass(frozen=True)
class RetentionCost:
    """Seconds of a run. `service` and `database` are CPU time. `deleted` are rows."""

    seconds: float
    service: float
    database: float
    deleted: int


def measure_retention(world: World) -> dict[str, RetentionCost]:
    """Run retention without due rows, and with due sessions and audit events."""
    say("  retention without due rows")
    idle = run_retention(world, 0)
    with psycopg.connect(world.database_url) as connection:
        connection.execute("SET session_replication_role = replica")
        inserted = sum(
            connection.execute(statement, {"rows": DUE_ROWS}).rowcount
            for statement in (DUE_SESSIONS, DUE_EVENTS)
        )
    say(f"  retention with {inserted:,} due rows")
    return {"nothing due": idle, "rows due": run_retention(world, inserted)}


def run_retention(world: World, deleted: int) -> RetentionCost:
    """Run the command, and return its cost. Raise RunFailed if it fails."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "retention", "run"]
    ended = os.times()
    database, began = tree_seconds(world.postmaster), time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=dict(world.environ), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RunFailed(f"retention failed:\n{done.stdout}{done.stderr}")
    now = os.times()
    used = now.children_user + now.children_system - ended.children_user - ended.children_system
    spent = tree_seconds(world.postmaster) - database
    return RetentionCost(time.monotonic() - began, used, spent, deleted)
