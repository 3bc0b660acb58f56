"""The sessions of the logged-in user: shown to them, and ended by them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, select
from sqlalchemy.orm import Session

from app.errors import SessionUnknown
from app.models import LoginSession, WeChatApp
from app.services import audit
from app.services.callers import Caller
from app.services.paging import Listing, Page, Paging, read_page
from app.services.sessions import Device, end_sessions, living
from app.services.transactions import decided_again_when_lost, transaction
from app.services.user_sessions import sessions_of_user


@dataclass(frozen=True, slots=True)
class ShownSession:
    """A session as its user sees it."""

    id: UUID
    device: str | None
    appid: str
    app_name: str
    address: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    current: bool


def list_sessions(caller: Caller, paging: Paging) -> Page[ShownSession]:
    """Return a page of the active sessions of the caller's user, the newest login first.

    They are those of all apps of the tenant. Raises CursorInvalid.
    """
    rows = (
        select(LoginSession, WeChatApp.name)
        .join(WeChatApp, WeChatApp.appid == LoginSession.appid)
        .where(*living(caller.tenant_id, caller.user_id))
    )
    name = f"my_sessions:{caller.tenant_id}:{caller.user_id}"
    with transaction() as db:
        return read_page(db, Listing(rows, LoginSession.id, name), paging, _shown, caller)


def _shown(session: LoginSession, app_name: str, caller: Caller) -> ShownSession:
    return ShownSession(
        session.id,
        session.device,
        session.appid,
        app_name,
        session.ip,
        session.created_at,
        session.seen_at,
        session.id == caller.session_id,
    )


def end_one_session(caller: Caller, device: Device, session_id: UUID) -> None:
    """End one living session of the caller's user; raise SessionUnknown for any other."""
    theirs = living(caller.tenant_id, caller.user_id)
    with transaction() as db:
        if not _end(db, caller, "revoked", *theirs, LoginSession.id == session_id):
            raise SessionUnknown
        _record(db, caller, device, "session.ended", session_id)


@decided_again_when_lost
def end_other_sessions(caller: Caller, device: Device) -> None:
    """End every session of the caller's user but this one, and all bind keys.

    When nothing ends there is nothing to audit: the user may have been erased meanwhile.
    """
    others = LoginSession.id != caller.session_id
    with transaction() as db:
        ended = _end(
            db, caller, "revoked", *sessions_of_user(caller.tenant_id, caller.user_id), others
        )
        if ended:
            _record(db, caller, device, "sessions.others_ended", caller.user_id, ended=ended)


@decided_again_when_lost
def end_all_sessions(caller: Caller, device: Device) -> None:
    """Log out everywhere: every session of the caller's user ends, in all apps of the tenant.

    So do the unbound ones of the user's WeChat identities, for they can be bound to the user.
    """
    with transaction() as db:
        ended = _end(
            db, caller, "logged_out_everywhere", *sessions_of_user(caller.tenant_id, caller.user_id)
        )
        if ended:
            _record(db, caller, device, "sessions.all_ended", caller.user_id, ended=ended)


def _end(db: Session, caller: Caller, elsewhere: str, *which: ColumnElement[bool]) -> int:
    """End sessions in one statement, the caller's own as logged out, and return their number."""
    here = LoginSession.id == caller.session_id
    reason = case((here, "logged_out"), else_=elsewhere)
    return end_sessions(db, reason, *which)


def _record(
    db: Session, caller: Caller, device: Device, action: str, subject: object, **details: int
) -> None:
    actor = audit.Actor("user", caller.user_id, device.ip)
    audit.record(db, caller.tenant_id, actor, action, subject, **details)
