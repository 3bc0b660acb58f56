"""The sessions of the logged-in user: shown to them, and ended by them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, select

from app.errors import SessionUnknown
from app.models import LoginSession, WeChatApp
from app.services.sessions import Caller, ending, living, of_user
from app.services.transactions import decided_again_when_lost, transaction


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


def list_sessions(caller: Caller) -> Sequence[ShownSession]:
    """List the living sessions of the caller's user in all apps of the tenant, newest first."""
    wanted = (
        select(LoginSession, WeChatApp.name)
        .join(WeChatApp, WeChatApp.appid == LoginSession.appid)
        .where(*living(caller.tenant_id, caller.user_id))
        .order_by(LoginSession.seen_at.desc(), LoginSession.id.desc())
    )
    with transaction() as db:
        return [_shown(session, name, caller) for session, name in db.execute(wanted)]


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


def revoke_session(caller: Caller, session_id: UUID) -> None:
    """End one living session of the caller's user; raise SessionUnknown for any other."""
    here = LoginSession.id == caller.session_id
    reason = case((here, "logged_out"), else_="revoked")
    theirs = living(caller.tenant_id, caller.user_id)
    revoking = ending(reason, *theirs, LoginSession.id == session_id)
    with transaction() as db:
        if db.scalar(revoking.returning(LoginSession.id)) is None:
            raise SessionUnknown


@decided_again_when_lost
def revoke_other_sessions(caller: Caller) -> None:
    """End every session of the caller's user but this one, and all bind keys."""
    with transaction() as db:
        db.execute(ending("revoked", *of_user(caller), LoginSession.id != caller.session_id))
