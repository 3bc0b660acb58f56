"""Periodic jobs: retention, and backups that a script reports.

Monitoring and `flask --app wsgi doctor` warn if a job has not succeeded for too long.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app.models import JobRun
from app.services.database.transactions import transaction

Job = Literal["backup", "retention"]


def record_job(job: Job) -> None:
    """Store that a job has succeeded now, by the clock of the database. Commits."""
    recording = insert(JobRun).values(job=job, finished_at=func.now())
    # A transaction that began earlier may be written later.
    latest = func.greatest(JobRun.finished_at, recording.excluded.finished_at)
    recording = recording.on_conflict_do_update(
        constraint="pk_job_runs", set_={"finished_at": latest}
    )
    with transaction() as db:
        db.execute(recording)


def last_runs() -> Mapping[str, datetime]:
    """Return when each job last succeeded. A job that has never succeeded is missing."""
    with transaction() as db:
        runs = db.scalars(select(JobRun)).all()
        return {run.job: run.finished_at for run in runs}
