"""Channels of a tenant, or of the platform: add, list, remove and test."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast
from uuid import UUID

from flask import current_app
from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import (
    AlertChannelInvalid,
    AlertChannelsTooMany,
    AlertChannelUnknown,
    AlertTestsTooMany,
)
from app.models import AlertChannel, Tenant
from app.models.columns import new_id
from app.notifications import (
    DingTalkRobot,
    Email,
    Message,
    NotDelivered,
    Notifier,
    Target,
    Webhook,
    WeComRobot,
    new_webhook_secret,
)
from app.services import audit
from app.services.alerts.owner import Owner
from app.services.alerts.reasons import advice_on
from app.services.alerts.wording import word_test
from app.services.database.transactions import transaction
from app.services.runtime.rate_limits import Rule, rate_limits

MOST_CHANNELS = 10
TESTS = Rule("alert-tests", 10)


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A channel to add. `target` is an e-mail address or a URL."""

    kind: str
    name: str
    language: str
    target: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ShownChannel:
    """A channel as operators see it. `advice` is the msgid of what to do about `last_error`."""

    id: UUID
    kind: str
    name: str
    language: str
    shown: str
    created_at: datetime
    delivered_at: datetime | None
    failures: int
    failed_at: datetime | None
    last_error: str | None
    advice: str | None


@dataclass(frozen=True, slots=True)
class Added:
    """A channel that was added, and the secret that was made for its webhook."""

    channel: ShownChannel
    new_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Tested:
    """The result of a test message. `advice` is a msgid, None after a success."""

    delivered: bool
    error: str | None = None
    advice: str | None = None


def notifier() -> Notifier:
    """Return the notifier of the running Flask app."""
    return cast(Notifier, current_app.extensions["notifier"])


def _of(owner: Owner) -> ColumnElement[bool]:
    """Return the condition for the channels of a tenant, or of the platform."""
    column = AlertChannel.tenant_id
    return column.is_(None) if owner.tenant_id is None else column == owner.tenant_id


def list_channels(owner: Owner) -> Sequence[ShownChannel]:
    """List the channels in the order in which they were added."""
    wanted = select(AlertChannel).where(_of(owner)).order_by(AlertChannel.id)
    with transaction() as db:
        return [_shown(one) for one in db.scalars(wanted)]


def add_channel(owner: Owner, new: NewChannel) -> Added:
    """Add a channel. A webhook without a secret gets one, which is returned once.

    Raises AlertChannelInvalid or AlertChannelsTooMany.
    """
    new_secret = new_webhook_secret() if new.kind == "webhook" and not new.secret else None
    new = replace(new, secret=new_secret or new.secret)
    target = _checked_target(new)
    row = AlertChannel(
        id=new_id(),
        tenant_id=owner.tenant_id,
        kind=new.kind,
        name=new.name,
        language=new.language,
        shown=target.shown,
        created_at=now(),
        failures=0,
    )
    row.target, row.secret = new.target, new.secret
    with transaction() as db:
        _refuse_too_many(db, owner)
        db.add(row)
        details = {"kind": new.kind, "language": new.language}
        audit.record(db, owner.tenant_id, owner.actor, "alert_channel.added", row.id, **details)
    return Added(_shown(row), new_secret)


def remove_channel(owner: Owner, channel_id: UUID) -> None:
    """Remove a channel and its unsent messages. Raise AlertChannelUnknown."""
    removing = delete(AlertChannel).where(_of(owner), AlertChannel.id == channel_id)
    with transaction() as db:
        if db.scalar(removing.returning(AlertChannel.kind)) is None:
            raise AlertChannelUnknown
        audit.record(db, owner.tenant_id, owner.actor, "alert_channel.removed", channel_id)


def get_channel(owner: Owner, channel_id: UUID) -> ShownChannel:
    """Return a channel. Raise AlertChannelUnknown."""
    with transaction() as db:
        return _shown(_get(db, owner, channel_id))


def test_channel(owner: Owner, channel_id: UUID) -> Tested:
    """Send a test message without holding a connection, and store and return the result.

    Raise AlertChannelUnknown, or AlertTestsTooMany above ten tests per minute.
    """
    limits, key = rate_limits(), str(owner.tenant_id or "platform")
    if wait := limits.wait_of(TESTS, key):
        raise AlertTestsTooMany(retry_after=wait)
    limits.count(TESTS, key)
    with transaction() as db:
        channel = _get(db, owner, channel_id)
        slug = db.scalar(select(Tenant.slug).where(Tenant.id == owner.tenant_id))
        target, language = target_of(channel), channel.language
    wording = word_test(slug, language)
    error = deliver(notifier(), target, Message(wording.subject, wording.body, wording.data))
    with transaction() as db:
        note_result(db, channel_id, None if error is None else str(error))
    if error is None:
        return Tested(delivered=True)
    return Tested(delivered=False, error=str(error), advice=advice_on(str(error)))


def deliver(through: Notifier, target: Target, message: Message) -> NotDelivered | None:
    """Send a message and return the failure, or None. Hold no database connection."""
    try:
        through.deliver(target, message)
    except NotDelivered as error:
        return error
    return None


def target_of(channel: AlertChannel) -> Target:
    """Return where a channel sends to. Raises SealBroken."""
    return _target(channel.kind, channel.target or "", channel.secret)


def note_result(db: Session, channel_id: UUID, error: str | None) -> None:
    """Store the result of a delivery at its channel, if it still exists."""
    channel = db.get(AlertChannel, channel_id, with_for_update=True)
    if channel is None:
        return
    if error is None:
        channel.delivered_at, channel.last_error, channel.failures = now(), None, 0
    else:
        channel.failed_at, channel.last_error = now(), error
        channel.failures += 1


def _target(kind: str, target: str, secret: str | None) -> Target:
    match kind:
        case "email":
            return Email(target)
        case "wecom":
            return WeComRobot(target)
        case "dingtalk":
            return DingTalkRobot(target, secret)
        case _:
            return Webhook(target, secret or "")


def _checked_target(new: NewChannel) -> Target:
    target = _target(new.kind, new.target, new.secret)
    try:
        notifier().check(target)
    except NotDelivered as error:
        raise AlertChannelInvalid(str(error), hints=[advice_on(str(error))]) from None
    return target


def _refuse_too_many(db: Session, owner: Owner) -> None:
    """Raise AlertChannelsTooMany. A lock on the tenant excludes concurrent additions."""
    if owner.tenant_id is not None:
        db.execute(select(Tenant.id).where(Tenant.id == owner.tenant_id).with_for_update())
    counted = select(func.count()).select_from(AlertChannel).where(_of(owner))
    if db.scalars(counted).one() >= MOST_CHANNELS:
        raise AlertChannelsTooMany


def _get(db: Session, owner: Owner, channel_id: UUID) -> AlertChannel:
    wanted = select(AlertChannel).where(_of(owner), AlertChannel.id == channel_id)
    channel = db.scalar(wanted)
    if channel is None:
        raise AlertChannelUnknown
    return channel


def _shown(one: AlertChannel) -> ShownChannel:
    return ShownChannel(
        id=one.id,
        kind=one.kind,
        name=one.name,
        language=one.language,
        shown=one.shown,
        created_at=one.created_at,
        delivered_at=one.delivered_at,
        failures=one.failures,
        failed_at=one.failed_at,
        last_error=one.last_error,
        advice=advice_on(one.last_error) if one.last_error else None,
    )
