"""The operator's own account: password and sessions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select

from app.clock import now
from app.errors import OperatorSessionUnknown
from app.models import OperatorSession, Tenant
from app.services import audit
from app.services.database.transactions import transaction
from app.services.operators.locks import lock_signed_in
from app.services.operators.operators import OPERATORS
from app.services.operators.sessions import IDLE_LIFETIME, SignedIn, end_sessions_of
from app.services.passwords.hashing import hash_in_turn
from app.services.passwords.hashing_queue import Lane
from app.services.passwords.login_throttling import forget_account
from app.services.passwords.strength import require_operator_password

# An operator who signs in more often than that sees the newest sessions only.
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class OwnSession:
    """A session as its operator sees it."""

    id: UUID
    kind: str
    device: str | None
    address: str | None
    created_at: datetime
    seen_at: datetime
    is_current: bool


def change_own_password(signed_in: SignedIn, new_password: str) -> None:
    """Change the operator's password. The other sessions and a pending enrolment end.

    The caller has asked for step-up authentication. Raises PasswordTooShort, PasswordTooWeak, or
    SignInNeeded if the session has ended.
    """
    with transaction() as db:
        tenant = db.get(Tenant, signed_in.tenant_id) if signed_in.tenant_id else None
    names = (tenant.name, tenant.slug) if tenant else ()
    require_operator_password(new_password, signed_in.email, *names)
    password_hash = hash_in_turn(new_password, Lane.OPERATORS, OPERATORS)
    with transaction() as db:
        operator = lock_signed_in(db, signed_in)
        operator.password_hash = password_hash
        forget_account(db, OPERATORS, operator.email)
        end_sessions_of(db, operator, "password_changed", keep=signed_in.session_id)
        action = "operator.password_changed"
        audit.record(db, operator.tenant_id, signed_in.actor, action, operator.id)


def list_own_sessions(signed_in: SignedIn) -> Sequence[OwnSession]:
    """List the operator's active sessions, the most recently used first."""
    wanted = select(OperatorSession).where(*_active(signed_in)).limit(MOST_LISTED)
    latest = wanted.order_by(OperatorSession.seen_at.desc(), OperatorSession.id.desc())
    with transaction() as db:
        return [_own(session, signed_in) for session in db.scalars(latest)]


def _active(signed_in: SignedIn) -> tuple[ColumnElement[bool], ...]:
    moment = now()
    return (
        OperatorSession.operator_id == signed_in.operator_id,
        OperatorSession.ended_at.is_(None),
        OperatorSession.awaits_code.is_(False),
        OperatorSession.expires_at > moment,
        or_(OperatorSession.kind == "script", OperatorSession.seen_at > moment - IDLE_LIFETIME),
    )


def _own(session: OperatorSession, signed_in: SignedIn) -> OwnSession:
    return OwnSession(
        session.id,
        session.kind,
        session.device,
        session.ip,
        session.created_at,
        session.seen_at,
        session.id == signed_in.session_id,
    )


def end_own_session(signed_in: SignedIn, session_id: UUID) -> None:
    """End one of the operator's sessions, which may be this one.

    Raises OperatorSessionUnknown for any other id, and SignInNeeded if this session has ended.
    """
    with transaction() as db:
        operator = lock_signed_in(db, signed_in)
        if not end_sessions_of(db, operator, "ended_by_owner", only=session_id):
            raise OperatorSessionUnknown
        action = "operator.session_ended"
        audit.record(db, operator.tenant_id, signed_in.actor, action, session_id)


def end_other_own_sessions(signed_in: SignedIn) -> int:
    """End all of the operator's sessions but this one, and return their number.

    Raises SignInNeeded if this session has ended.
    """
    with transaction() as db:
        operator = lock_signed_in(db, signed_in)
        ended = end_sessions_of(db, operator, "ended_by_owner", keep=signed_in.session_id)
        if ended:
            action = "operator.sessions_ended"
            audit.record(db, operator.tenant_id, signed_in.actor, action, operator.id, ended=ended)
    return ended
