"""Closing an account: its user is erased after a while, unless they log in before."""

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
    """The time from which a retention run erases a closed account.

    A visitor is `erased` already.
    """

    erase_after: datetime
    erased: bool = False


@retry_on_conflict
def close_account(principal: Principal, device: Device) -> Closing:
    """Close the account of the caller's user: all sessions end, and the grace period begins.

    Raises LoginTooOld unless the user has just logged in, so that a stolen token cannot close the
    account. Locks the user before the sessions, as logins do: a simultaneous login either ends
    here or reopens the account.
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
    """End all sessions; raise SessionRevoked if the caller's has ended since the request came."""
    theirs = sessions_of_user(principal.tenant_id, principal.user_id)
    ended = (
        end_sessions_statement("account_closed", *theirs).returning(LoginSession.id).cte("ended")
    )
    if not db.scalar(select(exists().where(ended.c.id == principal.session_id))):
        raise SessionRevoked


def reopen(db: Session, tenant_id: UUID, user_id: UUID, device: Device) -> None:
    """Keep the closed account of a user who logs in, in the caller's transaction."""
    _set(db, tenant_id, user_id, None)
    actor = audit.Actor("user", user_id, device.ip)
    audit.record(db, tenant_id, actor, "account.reopened", user_id)


def _set(db: Session, tenant_id: UUID, user_id: UUID | None, moment: datetime | None) -> None:
    """Set the time of erasure, unless the user has been merged: then their sessions have ended."""
    user = update(User).where(User.tenant_id == tenant_id, User.id == user_id)
    db.execute(user.where(User.status != "merged").values(erase_after=moment))
