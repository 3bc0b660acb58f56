"""The sessions of the logged-in user: listing and ending them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, select
from sqlalchemy.orm import Session

from app.errors import SessionUnknown
from app.models import LoginSession, WeChatApp
from app.services import audit
from app.services.database.paging import CursorPage, Listing, Page, read_page
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.principals import Device, Principal
from app.services.sessions.active import active_sessions_of
from app.services.sessions.queries import sessions_of_user
from app.services.sessions.sessions import end_sessions


@dataclass(frozen=True, slots=True)
class ShownSession:
    """A session as shown to its user. `current` is true for the session of the request."""

    id: UUID
    device: str | None
    appid: str
    app_name: str
    address: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    current: bool


def list_sessions(principal: Principal, cursor_page: CursorPage) -> Page[ShownSession]:
    """Return a page of the user's active sessions in all apps of the tenant, newest login first.

    Raises CursorInvalid.
    """
    rows = (
        select(LoginSession, WeChatApp.name)
        .join(WeChatApp, WeChatApp.appid == LoginSession.appid)
        .where(*active_sessions_of(principal.tenant_id, principal.user_id))
    )
    name = f"my_sessions:{principal.tenant_id}:{principal.user_id}"
    with transaction() as db:
        return read_page(db, Listing(rows, LoginSession.id, name), cursor_page, _shown, principal)


def _shown(session: LoginSession, app_name: str, principal: Principal) -> ShownSession:
    return ShownSession(
        session.id,
        session.device,
        session.appid,
        app_name,
        session.ip,
        session.created_at,
        session.seen_at,
        session.id == principal.session_id,
    )


def end_one_session(principal: Principal, device: Device, session_id: UUID) -> None:
    """End one active session of the caller's user. Raises SessionUnknown for any other session."""
    theirs = active_sessions_of(principal.tenant_id, principal.user_id)
    with transaction() as db:
        if not _end(db, principal, "revoked", *theirs, LoginSession.id == session_id):
            raise SessionUnknown
        _record(db, principal, device, "session.ended", session_id)


@retry_on_conflict
def end_other_sessions(principal: Principal, device: Device) -> None:
    """End all sessions of the caller's user except the caller's own, and all bind keys.

    Writes no audit event if no session ends: the user may have been erased.
    """
    others = LoginSession.id != principal.session_id
    with transaction() as db:
        ended = _end(
            db,
            principal,
            "revoked",
            *sessions_of_user(principal.tenant_id, principal.user_id),
            others,
        )
        if ended:
            _record(db, principal, device, "sessions.others_ended", principal.user_id, ended=ended)


@retry_on_conflict
def end_all_sessions(principal: Principal, device: Device) -> None:
    """End every session of the caller's user, in all apps of the tenant.

    Also ends unbound sessions of the user's WeChat identities, because they can be bound to the
    user.
    """
    with transaction() as db:
        ended = _end(
            db,
            principal,
            "logged_out_everywhere",
            *sessions_of_user(principal.tenant_id, principal.user_id),
        )
        if ended:
            _record(db, principal, device, "sessions.all_ended", principal.user_id, ended=ended)


def _end(db: Session, principal: Principal, elsewhere: str, *which: ColumnElement[bool]) -> int:
    """End sessions in one statement and return their number.

    The caller's session ends with the reason "logged_out", and the others with `elsewhere`.
    """
    here = LoginSession.id == principal.session_id
    reason = case((here, "logged_out"), else_=elsewhere)
    return end_sessions(db, reason, *which)


def _record(
    db: Session, principal: Principal, device: Device, action: str, subject: object, **details: int
) -> None:
    actor = audit.Actor("user", principal.user_id, device.ip)
    audit.record(db, principal.tenant_id, actor, action, subject, **details)
