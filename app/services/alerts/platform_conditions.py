"""Conditions of the platform: jobs, keys, caches and pushes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.clock import now
from app.i18n_marker import N_
from app.models import AlertSignal, SigningKey, Tenant
from app.services import job_runs
from app.services.alerts.rules import Observation
from app.services.database.tenant_reads import read_per_tenant, read_tenant_ids
from app.services.database.transactions import transaction

JOB_OVERDUE = timedelta(hours=48)
SIGNING_KEY_OLD = timedelta(days=365)
PUSH_WAITS = timedelta(minutes=10)
CACHES_OFF_FOR = timedelta(minutes=2)
# Processes repeat a signal more often than this (`evaluation.TICK_SECONDS`).
SIGNAL_VALID = timedelta(minutes=1)
NOW = timedelta()
FAILED_PUSHES = """
SELECT count(*), min(received_at) FROM wechat_pushes
WHERE tenant_id = %(tenant_id)s AND handled_at IS NULL AND failure IS NOT NULL
"""

# The reason and the remedy of each condition.
TEXTS: Mapping[str, tuple[str, str]] = {
    "retention_overdue": (
        N_("The retention run has not succeeded for 48 hours."),
        N_(
            "Run `flask --app wsgi retention run` and look at its messages. Check that it is "
            "scheduled daily. Data that is kept too long violates the retention periods."
        ),
    ),
    "backup_overdue": (
        N_("No backup has been recorded for 48 hours."),
        N_(
            "Look at the log of the backup job. Check that it ends with "
            "`flask --app wsgi jobs record backup`."
        ),
    ),
    "signing_key_old": (
        N_("The key that signs JWTs is older than a year."),
        N_("Run `flask --app wsgi jwt-keys rotate`. Tokens stay valid."),
    ),
    "pushes_failing": (
        N_("{count} messages that WeChat pushed could not be handled."),
        N_(
            "Run `flask --app wsgi pushes list --unhandled` for the causes, and `pushes retry` "
            "after the correction."
        ),
    ),
    "caches_off": (
        N_("Caches are off in {count} processes, so the database answers every request."),
        N_(
            "Look for the event `caches_off` in the log. The processes need a connection to the "
            "primary server that no pooler shares: check DATABASE_LISTEN_URL."
        ),
    ),
}


def observe_platform() -> Sequence[Observation]:
    """Return the conditions of the platform that hold now."""
    moment, runs = now(), job_runs.last_runs()
    with transaction() as db:
        first = db.scalar(select(func.min(Tenant.created_at)))
        found = [*_jobs(runs, first, moment), *_signing_key(db, first, moment)]
        return [*found, *_pushes(db, moment), *_caches(db, moment)]


def _observed(
    condition: str,
    since: datetime,
    moment: datetime,
    opens_after: timedelta = NOW,
    **values: str,
) -> Observation:
    why, remedy = TEXTS[condition]
    facts = {"why": why, "remedy": remedy, "values": values}
    return Observation(None, None, condition, since, moment, opens_after, facts)


def _jobs(
    runs: Mapping[str, datetime], first: datetime | None, moment: datetime
) -> Iterator[Observation]:
    """Yield overdue jobs. Retention is overdue without any run; backups may have another tool."""
    for job, last in (("retention", runs.get("retention", first)), ("backup", runs.get("backup"))):
        if last is not None and moment - last >= JOB_OVERDUE:
            yield _observed(f"{job}_overdue", last + JOB_OVERDUE, moment)


def _signing_key(db: Session, first: datetime | None, moment: datetime) -> Iterator[Observation]:
    """Yield an old key. The age of the first key, in JWT_PRIVATE_KEY, is that of the tenants."""
    made = db.scalar(select(func.max(SigningKey.created_at))) or first
    if made is not None and moment - made >= SIGNING_KEY_OLD:
        yield _observed("signing_key_old", made + SIGNING_KEY_OLD, moment)


def _pushes(db: Session, moment: datetime) -> Iterator[Observation]:
    found = read_per_tenant(db, FAILED_PUSHES, read_tenant_ids(db))
    failed = [(count, since) for _, ((count, since),) in found if count]
    if failed:
        total, since = sum(count for count, _ in failed), min(since for _, since in failed)
        yield _observed("pushes_failing", since, moment, PUSH_WAITS, count=str(total))


def _caches(db: Session, moment: datetime) -> Iterator[Observation]:
    off = (AlertSignal.condition == "caches_off", AlertSignal.seen_at > moment - SIGNAL_VALID)
    wanted = select(func.count(), func.min(AlertSignal.since)).where(*off)
    count, since = db.execute(wanted).one()
    if count:
        yield _observed("caches_off", since, moment, CACHES_OFF_FOR, count=str(count))
