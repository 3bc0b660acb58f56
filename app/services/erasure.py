"""Erasing people: nothing of them stays but ids in the audit trail, which say nothing any more."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.models import (
    AuditEvent,
    CodeExchange,
    LoginSession,
    Merge,
    PasswordTry,
    Phone,
    SessionKey,
    SocialAccount,
    User,
    WeChatPush,
)
from app.services import audit
from app.services.holdings import Holdings, tries_of


def erase(db: Session, held: Holdings, actor: audit.Actor) -> None:
    """Erase whoever is held and locked, users and identities, with all that refers to them.

    The audit trail keeps what happened, without their addresses.
    """
    _forget_pushes(db, held)
    for table, theirs in (
        (PasswordTry, tries_of(db, held)),
        (CodeExchange, held.code_exchanges),
        (SessionKey, held.session_keys),
        (LoginSession, held.sessions),
        (SocialAccount, held.identities),
        (Merge, held.merges),
        (Phone, held.phones),
        (User, held.users),
    ):
        db.execute(delete(table).where(theirs))
    _blank_addresses(db, held)
    for user_id in held.user_ids:
        audit.record(db, held.tenant_id, actor, "user.erased", user_id)


def _forget_pushes(db: Session, held: Holdings) -> None:
    """Forget whom pushes were about; of those that wait, there is nothing left to carry out."""
    about = update(WeChatPush).where(held.pushes)
    handled_at = func.coalesce(WeChatPush.handled_at, now())
    nothing = {"message_sealed": None, "failure": None, "person_index": None}
    db.execute(about.values(handled_at=handled_at, **nothing))


def _blank_addresses(db: Session, held: Holdings) -> None:
    addressed = update(AuditEvent).where(held.events, AuditEvent.ip.is_not(None))
    with passing_the_trail(db):
        db.execute(addressed.values(ip=None).execution_options(synchronize_session=False))


@contextmanager
def passing_the_trail(db: Session) -> Iterator[None]:
    """Let the caller's transaction pass the trigger that keeps the audit trail as it is.

    It then lets old events be taken back and addresses be blanked, and nothing else.
    """
    db.execute(select(func.set_config("wxpass.retention", "on", True)))
    yield
    db.execute(select(func.set_config("wxpass.retention", "off", True)))
