"""Closing an account: the user is erased after a grace period, unless they log in before."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import SessionRevoked
from app.models import LoginSession, Tenant, User
from app.services import audit
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.principals import Device, Principal
from app.services.sessions.queries import sessions_of_user
from app.services.sessions.session_checks import refuse_old_login
from app.services.sessions.sessions import end_sessions_statement


@dataclass(frozen=True, slots=True)
class Closing:
    """The result of closing an account.

    From `erase_after` on, a retention run erases the user. `erased` is true for a visitor, an
    identity without a user, because visitors are erased immediately.
    """

    erase_after: datetime
    erased: bool = False


@retry_on_conflict
def close_account(principal: Principal, device: Device) -> Closing:
    """Close the account of the caller's user: all sessions end, and the grace period begins.

    Raises LoginTooOld unless the session was opened in the last ten minutes, so that a stolen token
    cannot close the account. Locks the user before the sessions, as logins do: a simultaneous login
    either has its session ended or reopens the account.
    """
    with transaction() as db:
        grace = select(Tenant.grace_days).where(Tenant.id == principal.tenant_id)
        closing = Closing(now() + timedelta(days=db.scalars(grace).one()))
        _set(db, principal.tenant_id, principal.user_id, closing.erase_after)
        refuse_old_login(db, principal)
        _end_sessions(db, principal)
        actor = audit.Actor("user", principal.user_id, device.ip)
        details = {"erase_after": closing.erase_after.isoformat(timespec="seconds")}
        audit.record(db, principal.tenant_id, actor, "account.closed", principal.user_id, **details)
        return closing


def _end_sessions(db: Session, principal: Principal) -> None:
    """End all sessions of the user. Raise SessionRevoked if the caller's session had ended."""
    theirs = sessions_of_user(principal.tenant_id, principal.user_id)
    ended = (
        end_sessions_statement("account_closed", *theirs).returning(LoginSession.id).cte("ended")
    )
    if not db.scalar(select(exists().where(ended.c.id == principal.session_id))):
        raise SessionRevoked


def reopen(db: Session, tenant_id: UUID, user_id: UUID, device: Device) -> None:
    """Cancel the closure of an account in the caller's transaction, because the user logs in."""
    _set(db, tenant_id, user_id, None)
    actor = audit.Actor("user", user_id, device.ip)
    audit.record(db, tenant_id, actor, "account.reopened", user_id)


def _set(db: Session, tenant_id: UUID, user_id: UUID | None, moment: datetime | None) -> None:
    """Set or clear the time of erasure. A merged user is not changed and has no active sessions."""
    user = update(User).where(User.tenant_id == tenant_id, User.id == user_id)
    db.execute(user.where(User.status != "merged").values(erase_after=moment))
