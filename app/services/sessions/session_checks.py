"""Checks of sessions: ended, disabled, replaced or too old. Each raises its failure."""

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
from app.services.sessions.tokens import token_hash

# So long a login shows that the person is there, and has what they logged in with.
JUST_NOW = timedelta(minutes=10)

# Why a session ended that its own client ended; any other reason came from elsewhere.
BY_ITSELF = {"logged_out", "bind_key_used"}


def explain_unknown_token(db: Session, token: str) -> Failure:
    """Return whether a token was replaced by a newer one, and is not unknown or too old."""
    before = LoginSession.previous_token_hash == token_hash(token)
    session = db.scalar(select(LoginSession).where(before))
    if session is None:
        return TokenInvalid()
    refuse_ended(session)
    return SessionReplaced()


class Endable(Protocol):
    """A session as far as it says whether it has ended, and why."""

    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def end_reason(self) -> str | None: ...


def refuse_ended(session: Endable) -> None:
    """Raise SessionEnded if the client ended the session, else SessionRevoked if it ended."""
    if session.ended_at is not None:
        raise SessionEnded if session.end_reason in BY_ITSELF else SessionRevoked


def refuse_old_login(db: Session, principal: Principal) -> None:
    """Raise LoginTooOld for a session that was a user's and was not opened just now.

    Who steals a login must not give its WeChat identity to an account of their own, for every
    later wx.login would lead there (docs/decisions/0004); nor close the account.
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
    """Raise TenantDisabled, AppDisabled or UserDisabled; no user is fine."""
    refuse_disabled_app(app_enabled, tenant_status)
    if user_status not in (None, "active"):
        raise UserDisabled
