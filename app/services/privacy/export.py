"""Export of all data stored about a user or a visitor."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from app.errors import TokenInvalid, UserUnknown
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
from app.models.distribution import key_within_tenant
from app.services import audit
from app.services.database.stale_reads import CaughtUpReads
from app.services.database.transactions import transaction
from app.services.principals import Device, Principal
from app.services.privacy.personal_data import PersonalData, attempts_of, find_personal_data
from app.services.privacy.visitors import lock_visitor
from app.services.users.users import get_user

PAGE = 500


def export_everything(principal: Principal, device: Device) -> Iterator[tuple[str, Iterator[Any]]]:
    """Return all data stored about the caller as named parts, each an iterator of rows.

    The caller is a user, or a visitor if the login is unbound. The audit event is committed before
    this returns. Rows are read one page at a time, and no connection is held while the client
    reads. Raises TokenInvalid if the caller was erased during the request, and records no event
    then: the event would store an IP address after the erasure. Raises IdentityBound for an unbound
    login if its identity belongs to a user.
    """
    actor = audit.Actor("user", principal.user_id, device.ip)
    with transaction() as db:
        if principal.user_id is None:
            held, subject = lock_visitor(db, principal), principal.social_account_id
            audit.record(db, principal.tenant_id, actor, "visitor.exported", subject)
        else:
            held = _held_of_user(db, principal.tenant_id, principal.user_id)
            audit.record(db, principal.tenant_id, actor, "user.exported", principal.user_id)
        parts = _parts(held, attempts_of(db, held))
    return _read_parts(parts)


def export_user(tenant_id: UUID, user_id: UUID) -> Iterator[tuple[str, Iterator[Any]]]:
    """Return what `export_everything` returns, for a user who has asked an operator.

    Raises UserUnknown.
    """
    with transaction() as db:
        try:
            held = _held_of_user(db, tenant_id, user_id)
        except TokenInvalid:
            raise UserUnknown from None
        audit.record(db, tenant_id, audit.OPERATOR, "user.exported", user_id)
        parts = _parts(held, attempts_of(db, held))
    return _read_parts(parts)


def _read_parts(
    parts: Mapping[str, tuple[Any, ColumnElement[bool]]],
) -> Iterator[tuple[str, Iterator[Any]]]:
    reads = CaughtUpReads()
    return ((name, _rows(reads, table, theirs)) for name, (table, theirs) in parts.items())


def _held_of_user(db: Session, tenant_id: UUID, user_id: UUID) -> PersonalData:
    get_user(db, tenant_id, user_id, lock=True)
    return _only_proven(find_personal_data(db, tenant_id, user_id), user_id)


def _only_proven(held: PersonalData, user_id: UUID) -> PersonalData:
    """Return the data without identities that may belong to another person.

    An identity that was unbound from the user may belong to another person who used the account.
    Only an equal unionid proves that it is the user's own.
    """
    people = {one.unionid for one in held.accounts if one.user_id == user_id} - {None}
    proven = [one for one in held.accounts if one.user_id == user_id or one.unionid in people]
    return PersonalData(held.tenant_id, held.user_ids, proven)


def _parts(
    held: PersonalData, tries: ColumnElement[bool]
) -> dict[str, tuple[Any, ColumnElement[bool]]]:
    by_another_actor = and_(
        AuditEvent.actor_id.is_not(None), AuditEvent.actor_id.not_in(held.user_ids)
    )
    as_another_user = and_(
        LoginSession.user_id.is_not(None), LoginSession.user_id.not_in(held.user_ids)
    )
    return {
        "users": (User, held.users),
        "phones": (Phone, held.phones),
        "identities": (SocialAccount, held.identities),
        "merges": (Merge, held.merges),
        "sessions": (LoginSession, and_(held.sessions, ~as_another_user)),
        "session_keys": (SessionKey, held.session_keys),
        "code_exchanges": (CodeExchange, held.code_exchanges),
        "password_tries": (PasswordTry, tries),
        "pushes": (WeChatPush, held.pushes),
        "audit_events": (AuditEvent, and_(held.events, ~by_another_actor)),
    }


def _rows(reads: CaughtUpReads, table: Any, theirs: ColumnElement[bool]) -> Iterator[Any]:
    """Read rows in the order of the primary key, a page in each short transaction."""
    key = key_within_tenant(table.__table__)
    wanted = select(table).where(theirs).order_by(key).limit(PAGE)
    page = _read(reads, wanted)
    while page:
        yield from page
        last = getattr(page[-1], key.name)
        page = _read(reads, wanted.where(key > last)) if len(page) == PAGE else ()


def _read(reads: CaughtUpReads, wanted: Any) -> Any:
    return reads.read(lambda db: db.scalars(wanted).all())
