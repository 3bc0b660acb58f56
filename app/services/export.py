"""What is held about a user, for themself to take along."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, inspect, select

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
from app.services.callers import Caller
from app.services.holdings import Holdings, find_holdings, tries_of
from app.services.sessions import Device
from app.services.transactions import transaction
from app.services.users import get_user

PAGE = 500


def export_everything(
    caller: Caller, user_id: UUID, device: Device
) -> Iterator[tuple[str, Iterator[Any]]]:
    """Give all that is held about the caller's user, part by part, row by row; audited at once.

    However much it is, no more than a page of it is in memory, and no connection is held while
    the client reads. Raises TokenInvalid for one who was erased while the request was on its way:
    nothing of it, and no address, may be audited after that.
    """
    with transaction() as db:
        get_user(db, caller.tenant_id, user_id, lock=True)
        held = _surely(find_holdings(db, caller.tenant_id, user_id), user_id)
        actor = audit.Actor("user", user_id, device.ip)
        audit.record(db, caller.tenant_id, actor, "user.exported", user_id)
        parts = _parts(held, tries_of(db, held))
    return ((name, _rows(table, theirs)) for name, (table, theirs) in parts.items())


def _surely(held: Holdings, user_id: UUID) -> Holdings:
    """Leave out the identities that may be another person's.

    Of those that nobody has, one that was unbound from them may be of somebody who used their
    account; only by its unionid it is surely theirs.
    """
    people = {one.unionid for one in held.accounts if one.user_id == user_id} - {None}
    surely = [one for one in held.accounts if one.user_id == user_id or one.unionid in people]
    return Holdings(held.tenant_id, held.user_ids, surely)


def _parts(
    held: Holdings, tries: ColumnElement[bool]
) -> dict[str, tuple[Any, ColumnElement[bool]]]:
    by_somebody_else = and_(
        AuditEvent.actor_id.is_not(None), AuditEvent.actor_id.not_in(held.user_ids)
    )
    as_somebody_else = and_(
        LoginSession.user_id.is_not(None), LoginSession.user_id.not_in(held.user_ids)
    )
    return {
        "users": (User, held.users),
        "phones": (Phone, held.phones),
        "identities": (SocialAccount, held.identities),
        "merges": (Merge, held.merges),
        "sessions": (LoginSession, and_(held.sessions, ~as_somebody_else)),
        "session_keys": (SessionKey, held.session_keys),
        "code_exchanges": (CodeExchange, held.code_exchanges),
        "password_tries": (PasswordTry, tries),
        "pushes": (WeChatPush, held.pushes),
        "audit_events": (AuditEvent, and_(held.events, ~by_somebody_else)),
    }


def _rows(table: Any, theirs: ColumnElement[bool]) -> Iterator[Any]:
    """Read rows in the order of the primary key, a page in each short transaction."""
    (key,) = inspect(table).primary_key
    wanted = select(table).where(theirs).order_by(key).limit(PAGE)
    page = _read(wanted)
    while page:
        yield from page
        last = getattr(page[-1], key.name)
        page = _read(wanted.where(key > last)) if len(page) == PAGE else ()


def _read(wanted: Any) -> Any:
    with transaction() as db:
        return db.scalars(wanted).all()
