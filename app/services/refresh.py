"""Refreshing a login: the refresh token rotates, and a reused one ends the session."""

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import (
    RefreshTokenExpired,
    RefreshTokenInvalid,
    RefreshTokenReused,
    SessionEnded,
    TokenInvalid,
    TokenOfAnotherApp,
)
from app.models import LoginSession, Tenant, User, WeChatApp
from app.services import audit
from app.services.sessions import Device, Tokens, ending, issue_tokens, refuse_disabled
from app.services.tokens import RefreshToken, token_hash
from app.services.transactions import decided_again_when_lost, transaction


@decided_again_when_lost
def refresh_login(refresh_token: str, device: Device, appid: str | None = None) -> Tokens:
    """Trade a refresh token for new tokens; with an appid, only one of that app.

    Raises RefreshTokenInvalid, RefreshTokenExpired, SessionEnded, TokenOfAnotherApp and the
    disabled ones. A reuse commits the end of the session, with an audit event, and then raises
    RefreshTokenReused.
    """
    shown = RefreshToken.parsed(refresh_token)
    if shown is None:
        raise RefreshTokenInvalid
    with transaction() as db:
        session = _session_of(db, shown, appid)
        if shown.is_current(session.refresh_hash):
            _refuse_disabled_parts(db, session)
            return issue_tokens(session, session.user_id, RefreshToken.of_family(shown.family))
        _end_reused(db, session, device)
    raise RefreshTokenReused


@decided_again_when_lost
def log_out(token: str | None, refresh_token: str | None) -> None:
    """End the login that either token stands for, even one that has expired.

    Raises TokenInvalid when neither stands for any; an ended one may be ended again.
    """
    shown = RefreshToken.parsed(refresh_token or "")
    with transaction() as db:
        which = [LoginSession.token_hash == token_hash(token or "")]
        session = db.scalar(_by_family(shown)) if shown else None
        if session and shown and shown.is_current(session.refresh_hash):
            which.append(LoginSession.id == session.id)
        ended = db.scalars(select(LoginSession.id).where(or_(*which))).all()
        if not ended:
            raise TokenInvalid
        db.execute(ending("logged_out", LoginSession.id.in_(ended)))


def _session_of(db: Session, shown: RefreshToken, appid: str | None) -> LoginSession:
    session: LoginSession | None = db.scalar(_by_family(shown))
    if session is None:
        raise RefreshTokenInvalid
    if appid not in (None, session.appid):
        raise TokenOfAnotherApp
    if session.ended_at is not None:
        raise SessionEnded
    if session.refresh_expires_at is None or session.refresh_expires_at <= now():
        raise RefreshTokenExpired
    return session


def _by_family(shown: RefreshToken) -> Select[LoginSession]:
    wanted = select(LoginSession).where(LoginSession.refresh_family_hash == shown.family_hash)
    return wanted.with_for_update()


def _refuse_disabled_parts(db: Session, session: LoginSession) -> None:
    statuses = db.execute(
        select(User.status, WeChatApp.enabled, Tenant.status)
        .join(Tenant, Tenant.id == User.tenant_id)
        .join(WeChatApp, WeChatApp.appid == session.appid)
        .where(User.tenant_id == session.tenant_id, User.id == session.user_id)
    ).one()
    refuse_disabled(*statuses)


def _end_reused(db: Session, session: LoginSession, device: Device) -> None:
    session.ended_at, session.end_reason = now(), "refresh_token_reused"
    actor = audit.Actor("user", session.user_id, device.ip)
    audit.record(db, session.tenant_id, actor, "session.refresh_token_reused", session.id)
