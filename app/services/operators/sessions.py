"""Operator sessions: open, find by cookie or JWT, and end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import SignInExpired, SignInNeeded
from app.models import Operator, OperatorSession, Tenant
from app.models.columns import new_id
from app.services import audit
from app.services.database.transactions import transaction
from app.services.principals import Device
from app.services.sessions.tokens import token_hash

CONSOLE_LIFETIME = timedelta(hours=12)
IDLE_LIFETIME = timedelta(minutes=30)
CODE_LIFETIME = timedelta(minutes=5)
SCRIPT_SESSION_LIFETIME = timedelta(days=30)
SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A signed-in operator. The tenant is None for platform admins."""

    session_id: UUID
    operator_id: UUID
    email: str
    role: str
    tenant_id: UUID | None
    tenant_slug: str | None
    ip: str | None
    # When the password, and the one-time code if enrolled, were last proven in this session.
    proven_at: datetime

    @property
    def actor(self) -> audit.Actor:
        """Return the operator as an audit actor."""
        return audit.Actor("operator", self.operator_id, self.ip)

    @property
    def may_change(self) -> bool:
        """Return whether the operator's role permits changes."""
        return self.role != "tenant_reader"


def open_operator_session(
    db: Session,
    operator: Operator,
    kind: str,
    device: Device,
    token: str,
    refresh_hash: bytes | None = None,
) -> OperatorSession:
    """Open a session in the caller's transaction."""
    moment = now()
    awaits_code = kind == "console" and operator.totp_step is not None
    lifetime = CONSOLE_LIFETIME if kind == "console" else SCRIPT_SESSION_LIFETIME
    session = OperatorSession(
        id=new_id(),
        operator_id=operator.id,
        kind=kind,
        token_hash=token_hash(token),
        refresh_hash=refresh_hash,
        awaits_code=awaits_code,
        device=device.name,
        ip=device.ip,
        proven_at=moment,
        seen_at=moment,
        expires_at=moment + (CODE_LIFETIME if awaits_code else lifetime),
    )
    db.add(session)
    return session


def find_console_session(token: str, device: Device) -> SignedIn:
    """Return the session of a cookie's token. Raise SignInNeeded or SignInExpired."""
    return _find(device, OperatorSession.token_hash == token_hash(token), kind="console")


def find_expired_operator(token: str) -> UUID | None:
    """Return the operator of an expired console session, or None for any other session."""
    wanted = select(OperatorSession).where(OperatorSession.token_hash == token_hash(token))
    with transaction() as db:
        session = db.scalar(wanted.where(OperatorSession.kind == "console"))
    if session is None or session.awaits_code or session.ended_at is not None:
        return None
    return session.operator_id if is_expired(session) else None


def find_script_session(session_id: UUID, device: Device) -> SignedIn:
    """Return the session of a JWT while it is active. Raises what `find_console_session` raises."""
    return _find(device, OperatorSession.id == session_id, kind="script")


def _find(device: Device, which: ColumnElement[bool], kind: str) -> SignedIn:
    wanted = select(OperatorSession, Operator, Tenant.slug, Tenant.status)
    wanted = wanted.join(Operator, Operator.id == OperatorSession.operator_id)
    wanted = wanted.outerjoin(Tenant, Tenant.id == Operator.tenant_id)
    with transaction() as db:
        row = db.execute(wanted.where(which, OperatorSession.kind == kind)).one_or_none()
        if row is None:
            raise SignInNeeded
        session, operator, tenant_slug, tenant_status = row
        _require_active(session, operator, tenant_status)
        _see(db, session)
        return SignedIn(
            session.id,
            operator.id,
            operator.email,
            operator.role,
            operator.tenant_id,
            tenant_slug,
            device.ip,
            session.proven_at,
        )


def _require_active(
    session: OperatorSession, operator: Operator, tenant_status: str | None
) -> None:
    if session.ended_at is not None or session.awaits_code or operator.status != "active":
        raise SignInNeeded
    if tenant_status not in (None, "active"):
        raise SignInNeeded
    if is_expired(session):
        raise SignInExpired


def is_expired(session: OperatorSession) -> bool:
    """Return whether a session has expired, or a console session was idle for too long."""
    moment = now()
    is_idle = session.kind == "console" and session.seen_at + IDLE_LIFETIME <= moment
    return is_idle or session.expires_at <= moment


def _see(db: Session, session: OperatorSession) -> None:
    moment: datetime = now()
    if moment - session.seen_at >= SEEN_EVERY:
        this = update(OperatorSession).where(OperatorSession.id == session.id)
        db.execute(this.values(seen_at=moment).execution_options(synchronize_session=False))


def end_operator_session(session_id: UUID, reason: str = "signed_out") -> None:
    """End a session. Its cookie or tokens become invalid."""
    with transaction() as db:
        _end(db, reason, OperatorSession.id == session_id)


def end_sessions_of(
    db: Session,
    operator: Operator,
    reason: str,
    *,
    only: UUID | None = None,
    keep: UUID | None = None,
) -> int:
    """End sessions of an operator, and return their number. The caller has locked the operator.

    `only` is the one session to end, `keep` the one not to end. A pending enrolment is cancelled,
    because the client of an ended session may have seen its secret.
    """
    drop_pending_secret(operator)
    which = OperatorSession.operator_id == operator.id
    if only is not None:
        which &= OperatorSession.id == only
    if keep is not None:
        which &= OperatorSession.id != keep
    return _end(db, reason, which)


def drop_pending_secret(operator: Operator) -> None:
    """Remove an unconfirmed secret of one-time codes. The caller has locked the operator."""
    if operator.totp_step is None:
        operator.totp_sealed = None


def _end(db: Session, reason: str, which: ColumnElement[bool]) -> int:
    active = update(OperatorSession).where(which, OperatorSession.ended_at.is_(None))
    ended = active.values(ended_at=now(), end_reason=reason).returning(OperatorSession.id)
    return len(db.scalars(ended.execution_options(synchronize_session=False)).all())
