"""The evaluation of all conditions, once a minute, in one process of all hosts.

The process holds a lease in the database. If it is killed, another one takes over when the lease
has expired. The evaluation writes alerts and messages in one transaction, so that a message is
neither lost nor sent twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import now
from app.models import Alert, AlertDelivery, AlertLease, AlertMute
from app.models.columns import new_id
from app.services.alerts.alerts import KEPT
from app.services.alerts.app_conditions import observe_apps
from app.services.alerts.outbox import write_messages
from app.services.alerts.platform_conditions import observe_platform
from app.services.alerts.rules import Notice, Observation, State, decide
from app.services.alerts.wording import Told
from app.services.database.transactions import transaction

# The shortest time between two evaluations: a minute, less the interval of the ticks.
EVERY = timedelta(seconds=50)
LEASE = timedelta(seconds=90)
# New alerts of one evaluation. Further ones follow at the next.
MOST_NEW = 1000
DELIVERIES_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease of this process, and the time of the last evaluation."""

    holder: str
    evaluated_at: datetime | None

    def is_due(self, moment: datetime) -> bool:
        """Return whether an evaluation is due."""
        return self.evaluated_at is None or moment - self.evaluated_at >= EVERY


def take_lease(holder: str) -> Lease | None:
    """Take or extend the lease. Return None while another process holds it."""
    moment = now()
    taking = insert(AlertLease).values(id=1, holder=holder, until=moment + LEASE)
    taking = taking.on_conflict_do_update(
        constraint="pk_alert_leases",
        set_={"holder": holder, "until": moment + LEASE},
        where=or_(AlertLease.holder == holder, AlertLease.until < moment),
    )
    with transaction() as db:
        row = db.execute(taking.returning(AlertLease.evaluated_at)).first()
    return None if row is None else Lease(holder, row.evaluated_at)


def evaluate(holder: str) -> int:
    """Observe all conditions, and store the alerts and messages. Return the number of messages.

    The conditions are read first, so that the rows of alerts are locked briefly. Does nothing if
    the process has lost its lease, or another evaluation of this minute was faster.
    """
    observed = [*observe_apps(), *observe_platform()]
    moment = now()
    with transaction() as db:
        lease = db.get(AlertLease, 1, with_for_update=True)
        if lease is None or lease.holder != holder or _is_done(lease, moment):
            return 0
        lease.evaluated_at = moment
        told = _update_alerts(db, observed, moment)
        return write_messages(db, told, moment)


def _is_done(lease: AlertLease, moment: datetime) -> bool:
    return not Lease(lease.holder, lease.evaluated_at).is_due(moment)


def _update_alerts(
    db: Session, observed: Iterable[Observation], moment: datetime
) -> Sequence[Told]:
    present = {one.key: one for one in observed}
    open_now = select(Alert).where(Alert.recovered_at.is_(None)).order_by(Alert.id)
    alerts = list(db.scalars(open_now.with_for_update()))
    known = {(one.tenant_id, one.appid, one.condition) for one in alerts}
    fresh = [one for key, one in present.items() if key not in known][:MOST_NEW]
    for one in fresh:
        alerts.append(_new_alert(one))
        db.add(alerts[-1])
    mutes = db.scalars(select(AlertMute).where(AlertMute.until > moment)).all()
    told = []
    for alert in alerts:
        observation = present.get((alert.tenant_id, alert.appid, alert.condition))
        notice = _update(alert, observation, _is_muted(alert, mutes, moment), moment)
        told += [Told(alert, notice)] if notice else []
    _forget_old(db, moment)
    return told


def _new_alert(one: Observation) -> Alert:
    return Alert(
        id=new_id(),
        tenant_id=one.tenant_id,
        appid=one.appid,
        condition=one.condition,
        since=one.since,
        seen_at=one.seen_at,
        facts=dict(one.facts),
    )


def _update(
    alert: Alert, observation: Observation | None, is_muted: bool, moment: datetime
) -> Notice | None:
    """Apply the decision about an alert to its row. Return the kind of the message to send."""
    if observation is not None:
        alert.since = min(alert.since, observation.since)
        alert.seen_at = observation.seen_at
        alert.facts = dict(observation.facts)
    state = State(alert.since, alert.seen_at, alert.opened_at, alert.last_notified_at, is_muted)
    decision = decide(state, observation, moment)
    if decision.opens:
        alert.opened_at = moment
    if decision.closes:
        alert.recovered_at = moment
    return decision.notice


def _is_muted(alert: Alert, mutes: Iterable[AlertMute], moment: datetime) -> bool:
    if alert.muted_until is not None and alert.muted_until > moment:
        return True
    return any(
        one.tenant_id == alert.tenant_id
        and one.appid in (None, alert.appid)
        and one.condition in (None, alert.condition)
        for one in mutes
    )


def _forget_old(db: Session, moment: datetime) -> None:
    """Delete alerts that recovered long ago or never opened, expired mutes and old messages."""
    never_opened = (Alert.recovered_at.is_not(None), Alert.opened_at.is_(None))
    for old in (
        delete(Alert).where(or_(Alert.recovered_at < moment - KEPT, and_(*never_opened))),
        delete(AlertMute).where(AlertMute.until < moment - KEPT),
        delete(AlertDelivery).where(AlertDelivery.finished_at < moment - DELIVERIES_KEPT),
    ):
        db.execute(old.execution_options(synchronize_session=False))
