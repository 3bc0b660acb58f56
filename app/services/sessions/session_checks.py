"""Checks that refuse ended, replaced, disabled and too old sessions."""

from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import (
    Failure,
    LoginTooOld,
    SessionEnded,
    SessionReplaced,
    SessionRevoked,
    TokenInvalid,
    UserDisabled,
)
from app.models import LoginSession
from app.services.apps.apps import refuse_disabled_app
from app.services.principals import Principal
from app.services.sessions.queries import session_of_replaced_token
from app.services.sessions.tokens import is_login_token

# A login within this time proves that the person is present and has the credentials.
JUST_NOW = timedelta(minutes=10)

# The end reasons of sessions that were ended by their own client.
BY_ITSELF = {"logged_out", "bind_key_used"}


def explain_unknown_token(db: Session, token: str) -> Failure:
    """Return SessionReplaced if a newer token replaced the token, or else TokenInvalid.

    Raises SessionEnded or SessionRevoked if the session of a replaced token has ended.
    """
    if not is_login_token(token):
        return TokenInvalid()
    session = db.scalar(select(LoginSession).where(*session_of_replaced_token(token)))
    if session is None:
        return TokenInvalid()
    refuse_ended(session)
    return SessionReplaced()


class Endable(Protocol):
    """The columns that record the end of a session."""

    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def end_reason(self) -> str | None: ...


def refuse_ended(session: Endable) -> None:
    """Raise SessionEnded if the client ended the session, or SessionRevoked if it was revoked."""
    if session.ended_at is not None:
        raise SessionEnded if session.end_reason in BY_ITSELF else SessionRevoked


def refuse_old_login(db: Session, principal: Principal) -> None:
    """Raise LoginTooOld if a session was ever bound and was opened longer ago than `JUST_NOW`.

    The thief of a login token must not bind its WeChat identity to an account of their own, because
    every later `wx.login` would log in to that account (docs/decisions/0004). Neither must they
    close the victim's account.
    """
    old = select(LoginSession.id).where(
        LoginSession.tenant_id == principal.tenant_id,
        LoginSession.id == principal.session_id,
        LoginSession.was_bound,
        LoginSession.created_at < now() - JUST_NOW,
    )
    if db.scalar(old) is not None:
        raise LoginTooOld


def refuse_disabled(user_status: str | None, app_enabled: bool, tenant_status: str) -> None:
    """Raise TenantDisabled, AppDisabled or UserDisabled. Without a user, `user_status` is None."""
    refuse_disabled_app(app_enabled, tenant_status)
    if user_status not in (None, "active"):
        raise UserDisabled
