"""Conditions that only the affected process observes: caches that are off."""

import os
import socket
from datetime import timedelta
from typing import cast

from flask import current_app
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from app.clock import now
from app.models import AlertSignal
from app.services.cache.registry import Caches
from app.services.database.transactions import transaction

KEPT = timedelta(hours=1)
# A signal that was not repeated for this time begins again.
GAP = timedelta(minutes=1)


def process_name() -> str:
    """Return the name of this process among all hosts."""
    return f"{socket.gethostname()}:{os.getpid()}"


def send_signals() -> None:
    """Store the conditions of this process. Does nothing while there are none."""
    if are_caches_off():
        _store("caches_off")


def are_caches_off() -> bool:
    """Return whether this process uses its caches and they are off."""
    caches = cast(Caches, current_app.extensions["caches"])
    return caches.has_begun and not caches.changes.is_fresh


def _store(condition: str) -> None:
    moment = now()
    fresh = insert(AlertSignal).values(
        process=process_name(), condition=condition, since=moment, seen_at=moment
    )
    with transaction() as db:
        db.execute(
            delete(AlertSignal).where(
                (AlertSignal.seen_at < moment - KEPT)
                | (
                    (AlertSignal.process == process_name())
                    & (AlertSignal.condition == condition)
                    & (AlertSignal.seen_at < moment - GAP)
                )
            )
        )
        db.execute(
            fresh.on_conflict_do_update(
                constraint="pk_alert_signals", set_={"seen_at": fresh.excluded.seen_at}
            )
        )
