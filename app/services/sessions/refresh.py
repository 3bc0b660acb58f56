"""Refreshing a login: the refresh token rotates, and a reused one ends the session."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import (
    RefreshTokenExpired,
    RefreshTokenInvalid,
    RefreshTokenReused,
    TokenOfAnotherApp,
)
from app.models import LoginSession, Tenant, User, WeChatApp
from app.services import audit
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.principals import Device
from app.services.sessions.fast_refresh import try_fast_refresh
from app.services.sessions.queries import session_of_login_token, session_of_refresh_token
from app.services.sessions.session_checks import (
    explain_unknown_token,
    refuse_disabled,
    refuse_ended,
)
from app.services.sessions.sessions import Tokens, end_sessions_statement, issue_tokens, tokens_of
from app.services.sessions.tokens import RefreshToken, TokenPair, is_login_token, new_salt

# A client may repeat a refresh for this time if it did not receive the response. The time is enough
# for a timeout of the client and a new connection.
REPEAT_WINDOW = timedelta(seconds=30)


def refresh_login(refresh_token: str, device: Device, appid: str | None = None) -> Tokens:
    """Exchange a refresh token for new tokens. With `appid`, the token must belong to that app.

    If the same device repeats the request within `REPEAT_WINDOW`, because the response was lost, it
    gets the same tokens again (docs/decisions/0006). Any other reuse ends the session and raises
    RefreshTokenReused; the end and its audit event are committed first. Also raises
    RefreshTokenInvalid, RefreshTokenExpired, SessionEnded, SessionRevoked, TokenOfAnotherApp,
    UserDisabled, AppDisabled and TenantDisabled.
    """
    shown = RefreshToken.parsed(refresh_token)
    if shown is None:
        raise RefreshTokenInvalid
    return try_fast_refresh(shown, device, appid) or _refresh(shown, device, appid)


@retry_on_conflict
def _refresh(shown: RefreshToken, device: Device, appid: str | None) -> Tokens:
    """Lock the session, then rotate its tokens, repeat the last rotation, or refuse."""
    with transaction() as db:
        session = _session_of(db, shown, appid)
        if shown.is_current(session.refresh_hash):
            _refuse_disabled_parts(db, session)
            return _rotate(session, shown, device)
        if _is_repeated(session, shown, device):
            _refuse_disabled_parts(db, session)
            return _successor(session, shown)
        _end_reused(db, session, device)
    raise RefreshTokenReused


def _rotate(session: LoginSession, shown: RefreshToken, device: Device) -> Tokens:
    salt = new_salt()
    pair = TokenPair.derived(session.tenant_id, str(shown), salt, shown.family)
    tokens = issue_tokens(session, pair)
    session.previous_refresh_hash = shown.rotating_hash
    session.refresh_salt, session.refreshed_at = salt, now()
    session.device, session.ip = device.name, device.ip
    session.names_tenant = session.names_tenant or shown.tenant_id is not None
    return tokens


def _is_repeated(session: LoginSession, shown: RefreshToken, device: Device) -> bool:
    """Return whether the same device repeats its last refresh, within `REPEAT_WINDOW`."""
    return (
        shown.is_current(session.previous_refresh_hash)
        and session.refreshed_at is not None
        and now() - session.refreshed_at < REPEAT_WINDOW
        and _is_same_device(Device(session.device, session.ip), device)
    )


def _is_same_device(before: Device, device: Device) -> bool:
    """Return whether two requests come from the same device.

    Compares the User-Agent without the network type, because responses are often lost when the
    network changes. If neither request has a User-Agent, the IP address is compared.
    """
    if before.name is None or device.name is None:
        return before == device
    return before.model == device.model


def _successor(session: LoginSession, shown: RefreshToken) -> Tokens:
    salt, login_hash = session.refresh_salt or b"", session.token_hash
    pair = TokenPair.derived_again(session.tenant_id, str(shown), salt, login_hash, shown.family)
    return tokens_of(pair, session.user_id)


@retry_on_conflict
def log_out(token: str | None, refresh_token: str | None, appid: str | None = None) -> None:
    """End the session of a login token or refresh token, even if it has expired or ended.

    With `appid`, a session of another app raises TokenOfAnotherApp. Raises TokenInvalid or
    SessionReplaced if neither token belongs to a session.
    """
    shown = RefreshToken.parsed(refresh_token or "")
    with transaction() as db:
        ended = _sessions_with_login_token(db, token or "")
        session = _lock_session(db, shown) if shown else None
        if session and shown and shown.is_current(session.refresh_hash):
            ended.add(session)
        if not ended:
            raise explain_unknown_token(db, token or "")
        if {one.appid for one in ended} - {appid or one.appid for one in ended}:
            raise TokenOfAnotherApp
        for one in ended:
            its = (LoginSession.tenant_id == one.tenant_id, LoginSession.id == one.id)
            db.execute(end_sessions_statement("logged_out", *its))


def _sessions_with_login_token(db: Session, token: str) -> set[LoginSession]:
    """Return the session of a login token, or an empty set."""
    if not is_login_token(token):
        return set()
    return {*db.scalars(select(LoginSession).where(*session_of_login_token(token)))}


def _session_of(db: Session, shown: RefreshToken, appid: str | None) -> LoginSession:
    session = _lock_session(db, shown)
    if session is None:
        raise RefreshTokenInvalid
    if appid not in (None, session.appid):
        raise TokenOfAnotherApp
    refuse_ended(session)
    if session.refresh_expires_at is None or session.refresh_expires_at <= now():
        raise RefreshTokenExpired
    return session


def _lock_session(db: Session, shown: RefreshToken) -> LoginSession | None:
    """Return the session with the family of a refresh token, with a lock on its row."""
    its = session_of_refresh_token(shown)
    if shown.tenant_id is None:
        # A distributed database locks the rows of one tenant only.
        ids = select(LoginSession.tenant_id, LoginSession.id).where(*its)
        found = db.execute(ids).one_or_none()
        if found is None:
            return None
        its = (*its, LoginSession.tenant_id == found.tenant_id, LoginSession.id == found.id)
    return db.scalar(select(LoginSession).where(*its).with_for_update())


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
