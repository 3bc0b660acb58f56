"""Alerts and mutes of a tenant, or of the platform: list, mute and unmute."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from flask_babel import force_locale
from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import AlertMutesTooMany, AlertMuteUnknown, AlertUnknown
from app.models import Alert, AlertMute
from app.models.columns import new_id
from app.services import audit
from app.services.alerts.owner import Owner
from app.services.alerts.wording import remedy_of, why_of
from app.services.database.transactions import transaction

LISTED = 200
MOST_MUTES = 100
# Recovered alerts are listed and kept for this time.
KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert as operators see it. `why` and `remedy` are in the requested language."""

    id: UUID
    appid: str | None
    app_name: str | None
    condition: str
    why: str
    remedy: str
    since: datetime
    opened_at: datetime
    last_notified_at: datetime | None
    muted_until: datetime | None
    recovered_at: datetime | None
    failures: int | None
    logins: int | None


@dataclass(frozen=True, slots=True)
class ShownMute:
    """A mute that has not expired. None stands for every mini-program or every condition."""

    id: UUID
    appid: str | None
    condition: str | None
    until: datetime
    created_at: datetime


def list_alerts(owner: Owner, language: str, *, only_open: bool = False) -> Sequence[ShownAlert]:
    """List the alerts that are open or recovered within `KEPT`, open ones first, newest first."""
    wanted = select(Alert).where(_of(Alert, owner.tenant_id), Alert.opened_at.is_not(None))
    if only_open:
        wanted = wanted.where(Alert.recovered_at.is_(None))
    wanted = wanted.where(or_(Alert.recovered_at.is_(None), Alert.recovered_at > now() - KEPT))
    newest = wanted.order_by(Alert.recovered_at.is_not(None), Alert.id.desc()).limit(LISTED)
    with transaction() as db, force_locale(language):
        return [_shown(one) for one in db.scalars(newest)]


def mute_alert(owner: Owner, alert_id: UUID, duration: timedelta) -> datetime:
    """Suppress messages about an open alert, and return until when. Raise AlertUnknown."""
    until = now() + duration
    _set_muted(owner, alert_id, until)
    return until


def unmute_alert(owner: Owner, alert_id: UUID) -> None:
    """End the mute of an alert. Raise AlertUnknown."""
    _set_muted(owner, alert_id, None)


def _set_muted(owner: Owner, alert_id: UUID, until: datetime | None) -> None:
    this = update(Alert).where(
        _of(Alert, owner.tenant_id),
        Alert.id == alert_id,
        Alert.opened_at.is_not(None),
        Alert.recovered_at.is_(None),
    )
    changing = this.values(muted_until=until).returning(Alert.condition)
    with transaction() as db:
        condition = db.scalar(changing.execution_options(synchronize_session=False))
        if condition is None:
            raise AlertUnknown
        action = "alert.unmuted" if until is None else "alert.muted"
        details = {"condition": condition} | ({} if until is None else {"until": until})
        audit.record(db, owner.tenant_id, owner.actor, action, alert_id, **details)


def list_mutes(owner: Owner) -> Sequence[ShownMute]:
    """List the mutes that have not expired, oldest first."""
    active = (_of(AlertMute, owner.tenant_id), AlertMute.until > now())
    with transaction() as db:
        found = db.scalars(select(AlertMute).where(*active).order_by(AlertMute.id))
        return [_shown_mute(one) for one in found]


def add_mute(
    owner: Owner,
    appid: str | None,
    condition: str | None,
    duration: timedelta,
) -> ShownMute:
    """Suppress messages about a mini-program and condition. Raise AlertMutesTooMany."""
    moment = now()
    row = AlertMute(
        id=new_id(),
        tenant_id=owner.tenant_id,
        appid=appid,
        condition=condition,
        until=moment + duration,
        created_at=moment,
    )
    with transaction() as db:
        _refuse_too_many(db, owner)
        db.add(row)
        details = {"appid": appid or "*", "condition": condition or "*", "until": row.until}
        audit.record(db, owner.tenant_id, owner.actor, "alert_mute.added", row.id, **details)
    return _shown_mute(row)


def remove_mute(owner: Owner, mute_id: UUID) -> None:
    """End a mute. Raise AlertMuteUnknown."""
    removing = delete(AlertMute).where(_of(AlertMute, owner.tenant_id), AlertMute.id == mute_id)
    with transaction() as db:
        if db.scalar(removing.returning(AlertMute.id)) is None:
            raise AlertMuteUnknown
        audit.record(db, owner.tenant_id, owner.actor, "alert_mute.removed", mute_id)


def _refuse_too_many(db: Session, owner: Owner) -> None:
    active = (_of(AlertMute, owner.tenant_id), AlertMute.until > now())
    counted = select(func.count()).select_from(AlertMute).where(*active)
    if db.scalars(counted).one() >= MOST_MUTES:
        raise AlertMutesTooMany


def _of(model: type[Alert | AlertMute], tenant_id: UUID | None) -> ColumnElement[bool]:
    return model.tenant_id.is_(None) if tenant_id is None else model.tenant_id == tenant_id


def _shown(one: Alert) -> ShownAlert:
    return ShownAlert(
        id=one.id,
        appid=one.appid,
        app_name=one.facts.get("app_name"),
        condition=one.condition,
        why=why_of(one),
        remedy=remedy_of(one),
        since=one.since,
        opened_at=one.opened_at or one.since,
        last_notified_at=one.last_notified_at,
        muted_until=one.muted_until if one.muted_until and one.muted_until > now() else None,
        recovered_at=one.recovered_at,
        failures=one.facts.get("failures"),
        logins=one.facts.get("logins"),
    )


def _shown_mute(one: AlertMute) -> ShownMute:
    return ShownMute(one.id, one.appid, one.condition, one.until, one.created_at)
