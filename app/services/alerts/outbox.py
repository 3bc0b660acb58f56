"""Messages that wait to be sent: written with the alerts, claimed, retried and finished.

A message is claimed before it is sent. It is never claimed again if the process ends before the
result is stored, or if the receiver may have accepted it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from app.clock import now
from app.keyring import SealBroken
from app.metrics.definitions import ALERTS_SENT, FAILED, OK
from app.metrics.recording import count
from app.models import AlertChannel, AlertDelivery
from app.models.columns import new_id
from app.notifications import Message, NotDelivered, Reason, Target
from app.services.alerts.channels import note_result, target_of
from app.services.alerts.reasons import QUEUE_FULL, UNREADABLE
from app.services.alerts.rules import Notice
from app.services.alerts.wording import Told, word_alerts
from app.services.database.transactions import transaction

# Unsent messages per channel. Further ones are dropped.
MOST_WAITING = 20
# Waits before the second and the further attempts.
RETRY_AFTER = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15))
# Messages that are claimed together.
BATCH = 8
# A claim of this age belongs to a process that was stopped. Longer than a batch takes.
ABANDONED_AFTER = timedelta(minutes=5)
# Evaluations are further apart than this, so each has its own slot.
SLOT_SECONDS = 45


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message to send, and its attempts with this one."""

    id: UUID
    channel_id: UUID
    kind: str
    target: Target = field(repr=False)
    message: Message = field(repr=False)
    attempts: int


def write_messages(db: Session, told: Sequence[Told], moment: datetime) -> int:
    """Store one message per channel about the alerts of its tenant, and mark them as notified.

    Alerts without a channel stay unnotified, and are notified once there is a channel. Returns the
    number of messages.
    """
    by_tenant: dict[UUID | None, list[Told]] = defaultdict(list)
    for one in told:
        by_tenant[one.alert.tenant_id].append(one)
    written = 0
    for channel in db.scalars(_channels_of(set(by_tenant))).all():
        of_tenant = by_tenant[channel.tenant_id]
        if _is_full(db, channel.id):
            note_result(db, channel.id, QUEUE_FULL)
            count(ALERTS_SENT, channel.kind, FAILED)
            continue
        db.add(_message(channel, of_tenant, moment))
        written += 1
        for one in of_tenant:
            if one.notice != Notice.RECOVERED:
                one.alert.last_notified_at = moment
    return written


def _channels_of(tenants: set[UUID | None]) -> Select[AlertChannel]:
    of_tenants = AlertChannel.tenant_id.in_([one for one in tenants if one is not None])
    wanted = or_(of_tenants, AlertChannel.tenant_id.is_(None)) if None in tenants else of_tenants
    return select(AlertChannel).where(wanted).order_by(AlertChannel.id)


def _is_full(db: Session, channel_id: UUID) -> bool:
    waiting = select(func.count()).select_from(AlertDelivery)
    of_channel = (AlertDelivery.channel_id == channel_id, AlertDelivery.finished_at.is_(None))
    return db.scalars(waiting.where(*of_channel)).one() >= MOST_WAITING


def _message(channel: AlertChannel, told: Sequence[Told], moment: datetime) -> AlertDelivery:
    wording = word_alerts(told, channel.language)
    return AlertDelivery(
        id=new_id(),
        channel_id=channel.id,
        evaluated_at=_slot_of(moment),
        subject=wording.subject,
        body=wording.body,
        data=dict(wording.data),
        due_at=moment,
        attempts=0,
    )


def _slot_of(moment: datetime) -> datetime:
    """Return the beginning of the slot of an evaluation. The constraint permits one message."""
    seconds = int(moment.timestamp())
    return datetime.fromtimestamp(seconds - seconds % SLOT_SECONDS, UTC)


def claim_due() -> Sequence[Claimed]:
    """Claim messages that are due. Each is claimed by one process only."""
    moment = now()
    due = (
        select(AlertDelivery, AlertChannel)
        .join(AlertChannel, AlertChannel.id == AlertDelivery.channel_id)
        .where(
            AlertDelivery.finished_at.is_(None),
            AlertDelivery.claimed_at.is_(None),
            AlertDelivery.due_at <= moment,
        )
        # A channel that fails often does not delay the others.
        .order_by(AlertDelivery.attempts, AlertDelivery.due_at, AlertDelivery.id)
        .limit(BATCH)
        .with_for_update(of=AlertDelivery, skip_locked=True)
    )
    claimed = []
    with transaction() as db:
        for delivery, channel in db.execute(due).all():
            delivery.claimed_at, delivery.attempts = moment, delivery.attempts + 1
            try:
                claimed.append(_claimed(delivery, channel.kind, target_of(channel)))
            except SealBroken:
                delivery.finished_at, delivery.error = moment, UNREADABLE
                note_result(db, channel.id, UNREADABLE)
                count(ALERTS_SENT, channel.kind, FAILED)
    return claimed


def _claimed(delivery: AlertDelivery, kind: str, target: Target) -> Claimed:
    # The same id at each attempt, by which the receiver of a webhook finds repetitions.
    message = Message(delivery.subject, delivery.body, delivery.data, id=f"msg_{delivery.id.hex}")
    return Claimed(delivery.id, delivery.channel_id, kind, target, message, delivery.attempts)


def store_result(claimed: Claimed, error: NotDelivered | None) -> None:
    """Finish a message, or make it due again after a temporary failure."""
    moment = now()
    is_repeated = error is not None and error.may_retry and claimed.attempts <= len(RETRY_AFTER)
    with transaction() as db:
        delivery = db.get(AlertDelivery, claimed.id, with_for_update=True)
        if delivery is not None:
            delivery.error = None if error is None else str(error)
            if is_repeated:
                delivery.claimed_at = None
                delivery.due_at = moment + RETRY_AFTER[claimed.attempts - 1]
            else:
                delivery.finished_at = moment
        note_result(db, claimed.channel_id, None if error is None else str(error))
    if not is_repeated:
        count(ALERTS_SENT, claimed.kind, OK if error is None else FAILED)


def finish_abandoned() -> int:
    """Finish the messages of processes that were stopped. Return their number."""
    moment = now()
    old = (
        select(AlertDelivery, AlertChannel.kind)
        .join(AlertChannel, AlertChannel.id == AlertDelivery.channel_id)
        .where(
            AlertDelivery.finished_at.is_(None), AlertDelivery.claimed_at < moment - ABANDONED_AFTER
        )
        .with_for_update(of=AlertDelivery, skip_locked=True)
    )
    with transaction() as db:
        abandoned = db.execute(old).all()
        for one, kind in abandoned:
            one.finished_at, one.error = moment, Reason.INTERRUPTED.value
            note_result(db, one.channel_id, Reason.INTERRUPTED.value)
            count(ALERTS_SENT, kind, FAILED)
    return len(abandoned)
