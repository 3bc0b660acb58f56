"""Erasure of users and visitors (docs/decisions/0013). Ids in the audit log remain."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import UserUnknown
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
from app.services.database.idempotency import forget_answers
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.privacy.personal_data import PersonalData, attempts_of, lock_personal_data
from app.services.user_import.preview import forget_imported_users


def erase(db: Session, held: PersonalData, actor: audit.Actor) -> None:
    """Erase users and identities, and all data that refers to them. The caller has locked them.

    The audit events remain, without IP addresses and without personal details. Tables without
    matching rows are skipped: Citus would execute the statement on the coordinator, and then refuse
    to commit.
    """
    # First, because a running import locks its own row before it reads users.
    _forget_imports(db, held)
    _forget_pushes(db, held)
    if held.of_visitor:
        db.execute(
            update(LoginSession).where(held.sessions_of_others).values(social_account_id=None)
        )
    for table, theirs, owners in (
        (PasswordTry, attempts_of(db, held), held.user_ids),
        (CodeExchange, held.code_exchanges, (*held.user_ids, *held.accounts)),
        (SessionKey, held.session_keys, held.accounts),
        (LoginSession, held.sessions, (*held.user_ids, *held.accounts)),
        (SocialAccount, held.identities, held.accounts),
        (Merge, held.merges, held.user_ids),
        (Phone, held.phones, held.user_ids),
        (User, held.users, held.user_ids),
    ):
        if owners:
            db.execute(delete(table).where(theirs))
    forget_answers(db, held.user_ids)
    _clear_trail(db, held)
    for user_id in held.user_ids:
        audit.record(db, held.tenant_id, actor, "user.erased", user_id)


@retry_on_conflict
def erase_user(tenant_id: UUID, user_id: UUID) -> None:
    """Erase a user who has asked an operator, and the users merged into that user.

    Raises UserUnknown.
    """
    with transaction() as db:
        held = lock_personal_data(db, tenant_id, user_id)
        user = select(User.id).where(User.tenant_id == tenant_id, User.id == user_id)
        if db.scalar(user) is None:
            raise UserUnknown
        erase(db, held, audit.OPERATOR)


def erase_unused(db: Session, tenant_id: UUID, account_ids: Sequence[UUID]) -> None:
    """Erase identities without a user. Record one audit event.

    The caller has locked the identities.
    """
    these = (SocialAccount.tenant_id == tenant_id, SocialAccount.id.in_(account_ids))
    if accounts := db.scalars(select(SocialAccount).where(*these)).all():
        erase(db, PersonalData(tenant_id, (), accounts, of_visitor=True), audit.SYSTEM)
        told = {"visitors": len(accounts)}
        audit.record(db, tenant_id, audit.SYSTEM, "visitors.erased", tenant_id, **told)


def _forget_imports(db: Session, held: PersonalData) -> None:
    """Delete the pending imports that contain an account or a phone number of the users."""
    if not held.user_ids:
        return
    accounts = db.scalars(select(User.account).where(held.users, User.account.is_not(None)))
    numbers = db.scalars(select(Phone.number_index).where(held.phones))
    forget_imported_users(db, held.tenant_id, {name or "" for name in accounts}, {*numbers})


def _forget_pushes(db: Session, held: PersonalData) -> None:
    """Delete the person's data from pushes, and mark pending pushes as handled."""
    if not held.accounts:
        return
    about = update(WeChatPush).where(held.pushes)
    handled_at = func.coalesce(WeChatPush.handled_at, now())
    nothing = {"message_sealed": None, "failure": None, "person_index": None}
    db.execute(about.values(handled_at=handled_at, **nothing))


def _clear_trail(db: Session, held: PersonalData) -> None:
    """Clear the IP addresses and personal details of the audit events about the person.

    Releases since migration 0016 record no such details, but the previous release may still be
    running. The search text of an export may name any user, so it is removed from every export
    event of the tenant.
    """
    impersonal = func.impersonal_details(AuditEvent.action, AuditEvent.details, type_=JSONB)
    is_personal = or_(AuditEvent.ip.is_not(None), AuditEvent.details != impersonal)
    theirs = update(AuditEvent).where(held.events, is_personal)
    exports = update(AuditEvent).where(
        AuditEvent.tenant_id == held.tenant_id,
        AuditEvent.action == "users.exported",
        AuditEvent.details.has_key("query"),
    )
    cleared = (theirs.values(ip=None, details=impersonal), exports.values(details=impersonal))
    with allow_audit_changes(db):
        for clearing in cleared:
            db.execute(clearing.execution_options(synchronize_session=False))


@contextmanager
def allow_audit_changes(db: Session) -> Iterator[None]:
    """Allow limited changes of audit events in the caller's transaction.

    The trigger then permits three changes: deleting old events, clearing IP addresses, and
    replacing details by `impersonal_details`. It rejects all others.
    """
    db.execute(text("SET LOCAL wxpass.retention = 'on'"))
    yield
    db.execute(text("SET LOCAL wxpass.retention = 'off'"))
