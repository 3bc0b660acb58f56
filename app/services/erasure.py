"""Erasing people: nothing of them stays but ids in the audit trail, which say nothing any more."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.models import (
    AuditEvent,
    LoginSession,
    Merge,
    Phone,
    SessionKey,
    SocialAccount,
    User,
    WeChatPush,
)
from app.services import audit
from app.services.holdings import Holdings
from app.services.password_tries import forget_account


def erase_user(db: Session, held: Holdings, user_id: UUID, actor: audit.Actor) -> None:
    """Erase a locked user, those merged into them, and their identities; audited.

    What is in use of the audit trail stays, but for the addresses.
    """
    erase_identities(db, held)
    for name in db.scalars(select(User.account).where(held.users)).all():
        if name is not None:
            forget_account(db, held.tenant_id, name)
    for table, theirs in ((Merge, held.merges), (Phone, held.phones), (User, held.users)):
        db.execute(delete(table).where(theirs))
    with passing_the_trail(db):
        addressed = update(AuditEvent).where(held.events, AuditEvent.ip.is_not(None))
        db.execute(addressed.values(ip=None).execution_options(synchronize_session=False))
    audit.record(db, held.tenant_id, actor, "user.erased", user_id)


def erase_identities(db: Session, held: Holdings) -> None:
    """Erase locked identities with their keys, the pushes about them, and the sessions."""
    _forget_pushes(db, held)
    of_tenant, ids = SessionKey.tenant_id == held.tenant_id, held.account_ids
    keys = delete(SessionKey).where(of_tenant, SessionKey.social_account_id.in_(ids))
    db.execute(keys)
    db.execute(delete(LoginSession).where(held.sessions))
    accounts = (SocialAccount.tenant_id == held.tenant_id, SocialAccount.id.in_(ids))
    db.execute(delete(SocialAccount).where(*accounts))


def _forget_pushes(db: Session, held: Holdings) -> None:
    """Forget whom pushes were about; of those that wait, there is nothing left to carry out."""
    about = update(WeChatPush).where(held.pushes)
    handled_at = func.coalesce(WeChatPush.handled_at, now())
    nothing = {"message_sealed": None, "failure": None, "person_index": None}
    db.execute(about.values(handled_at=handled_at, **nothing))


@contextmanager
def passing_the_trail(db: Session) -> Iterator[None]:
    """Let the caller's transaction pass the trigger that keeps the audit trail as it is.

    It then lets old events be taken back and addresses be blanked, and nothing else.
    """
    db.execute(select(func.set_config("wxpass.retention", "on", True)))
    yield
    db.execute(select(func.set_config("wxpass.retention", "off", True)))
