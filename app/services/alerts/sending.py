"""The background thread of alerts: signals, lease, evaluation and sending."""

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from flask import Flask

from app.clock import now
from app.notifications import NotDelivered, Notifier, Reason
from app.services.alerts.channels import deliver, notifier
from app.services.alerts.evaluation import evaluate, take_lease
from app.services.alerts.outbox import BATCH, Claimed, claim_due, finish_abandoned, store_result
from app.services.alerts.signals import process_name, send_signals
from app.services.runtime import background

log = structlog.get_logger()

JOB = "alerts"
TICK_SECONDS = 15.0
# Messages that are sent at the same time.
SENDERS = 4
# Batches of one tick, so that the lease is extended in time.
MOST_BATCHES = 2


def run_regularly(app: Flask) -> None:
    """Start the thread in this process. One process of all hosts evaluates and sends."""
    holder = f"{process_name()}:{secrets.token_hex(4)}"
    background.begin(app, JOB, lambda: background.every(TICK_SECONDS, lambda: tick(holder), JOB))


def tick(holder: str) -> bool:
    """Store the signals of this process. With the lease, also evaluate and send. Never raises.

    Returns whether it succeeded.
    """
    try:
        send_signals()
        lease = take_lease(holder)
        if lease is not None:
            if lease.is_due(now()):
                evaluate(holder)
                finish_abandoned()
            send_due()
    except Exception as error:
        # Without the database nothing can be evaluated. /readyz says so.
        log.warning("alerts_not_evaluated", error=type(error).__name__)
        return False
    return True


def send_due() -> None:
    """Send the messages that are due, some at the same time, without a database connection."""
    for _ in range(MOST_BATCHES):
        claimed = claim_due()
        if claimed:
            _send(claimed)
        if len(claimed) < BATCH:
            return


def _send(claimed: Sequence[Claimed]) -> None:
    through: Notifier = notifier()
    with ThreadPoolExecutor(SENDERS) as senders:
        errors = senders.map(lambda one: _try_to_deliver(through, one), claimed)
        for one, error in zip(claimed, errors, strict=True):
            store_result(one, error)
            result = "ok" if error is None else str(error)
            log.info("alert_sent", channel=str(one.channel_id), result=result)


def _try_to_deliver(through: Notifier, one: Claimed) -> NotDelivered | None:
    """Send a message and return the failure, or None. Never raises.

    An error that was not foreseen would otherwise lose the results of the other messages.
    """
    try:
        return deliver(through, one.target, one.message)
    except Exception as error:
        log.error("alert_not_sent", channel=str(one.channel_id), error=type(error).__name__)
        return NotDelivered(Reason.NO_ANSWER)
