"""Login sessions: opened by a login, grown by binding, refreshed, and ended."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Update, func, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import (
    AppDisabled,
    Failure,
    LoginTooOld,
    SessionEnded,
    SessionReplaced,
    SessionRevoked,
    TenantDisabled,
    TokenInvalid,
    UserDisabled,
)
from app.models import LoginSession, Measure, WeChatApp
from app.models.columns import new_id
from app.services.apps import AppConfig
from app.services.callers import Caller
from app.services.counts import count_if_committed
from app.services.tokens import TokenPair, token_hash
from app.services.transactions import transaction

LOGIN_LIFETIME = timedelta(hours=2)
REFRESH_LIFETIME = timedelta(days=30)
# So long a login shows that the person is there, and has what they logged in with.
JUST_NOW = timedelta(minutes=10)

# What WeChat's User-Agent says of the network.
NETWORK = re.compile(r"NetType/\S+")

# Why a session ended that its own client ended; any other reason came from elsewhere.
BY_ITSELF = {"logged_out", "bind_key_used"}


@dataclass(frozen=True, slots=True)
class Device:
    """Where a request comes from, as far as it says."""

    name: str | None
    ip: str | None

    @property
    def model(self) -> str | None:
        """Give what the device says it is, but for the network it is in, which changes."""
        return self.name and NETWORK.sub("", self.name)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client keeps. An unbound session has no refresh token. Lifetimes are in seconds."""

    token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int = int(LOGIN_LIFETIME.total_seconds())
    refresh_expires_in: int = int(REFRESH_LIFETIME.total_seconds())


@dataclass(frozen=True, slots=True)
class Opening:
    """The id and tokens that a session is to have, when they were settled before it is opened."""

    session_id: UUID
    pair: TokenPair = field(repr=False)


def open_session(
    db: Session,
    app: AppConfig,
    device: Device,
    *,
    social_account_id: UUID | None,
    user_id: UUID | None,
    opening: Opening | None = None,
) -> Tokens:
    """Open a login session in the caller's transaction: bound when there is a user."""
    opening = opening or Opening(new_id(), TokenPair.random())
    session = LoginSession(
        id=opening.session_id,
        tenant_id=app.tenant_id,
        appid=app.appid,
        social_account_id=social_account_id,
        device=device.name,
        ip=device.ip,
        created_at=now(),
    )
    tokens = issue_tokens(session, user_id, opening.pair)
    db.add(session)
    end_oldest(db, session, app.session_limit)
    by_code = social_account_id is not None
    how = Measure.LOGGED_IN if by_code else Measure.LOGGED_IN_BY_PASSWORD
    count_if_committed(db, app.appid, how)
    return tokens


def issue_tokens(session: LoginSession, user_id: UUID | None, pair: TokenPair) -> Tokens:
    """Give a session new tokens for a user or for none; the ones it had stop working."""
    moment, refresh = now(), pair.refresh
    bound = user_id is not None
    session.user_id = user_id
    session.was_bound = session.was_bound or bound
    session.previous_token_hash = session.token_hash
    session.token_hash = token_hash(pair.login)
    session.previous_refresh_hash = session.refresh_salt = session.refreshed_at = None
    session.seen_at = moment
    session.expires_at = moment + LOGIN_LIFETIME
    session.refresh_family_hash = refresh.family_hash if bound else None
    session.refresh_hash = refresh.rotating_hash if bound else None
    session.refresh_expires_at = moment + REFRESH_LIFETIME if bound else None
    return tokens_of(pair, user_id)


def tokens_of(pair: TokenPair, user_id: UUID | None) -> Tokens:
    """Spell a pair for its client; without a user there is no refresh token."""
    return Tokens(pair.login, None if user_id is None else str(pair.refresh))


def end_oldest(db: Session, session: LoginSession, limit: int | None) -> None:
    """End the user's oldest sessions in the app, if with this one there are more than `limit`.

    Those who get here at the same moment wait for each other.
    """
    if limit is None or session.user_id is None:
        return
    key = func.hashtextextended(f"session_limit|{session.user_id}|{session.appid}", 0)
    db.execute(select(func.pg_advisory_xact_lock(key)))
    others = select(LoginSession.id).where(
        *living(session.tenant_id, session.user_id),
        LoginSession.appid == session.appid,
        LoginSession.id != session.id,
    )
    oldest = others.order_by(LoginSession.created_at.desc(), LoginSession.id.desc())
    db.execute(ending("session_limit", LoginSession.id.in_(oldest.offset(limit - 1))))


def living(tenant_id: UUID, user_id: UUID | None) -> tuple[ColumnElement[bool], ...]:
    """Select the sessions by which a user is, or by a refresh can be, logged in."""
    return (
        LoginSession.tenant_id == tenant_id,
        LoginSession.user_id == user_id,
        LoginSession.ended_at.is_(None),
        LoginSession.refresh_expires_at > now(),
    )


def reissue(
    db: Session, caller: Caller, user_id: UUID | None, kept_token: str | None = None
) -> Tokens:
    """Bind the caller's session to a user, or unbind it, under new tokens.

    A client that takes no new login token keeps the one it showed (docs/decisions/0009). Raises
    SessionReplaced when the caller's token has meanwhile been replaced: of two taps at
    once one wins, and its answer holds the only tokens that work. Raises TokenInvalid when its
    person has been erased.
    """
    row = db.execute(
        select(LoginSession, WeChatApp.session_limit)
        .join(WeChatApp, WeChatApp.appid == LoginSession.appid)
        .where(LoginSession.tenant_id == caller.tenant_id, LoginSession.id == caller.session_id)
        .with_for_update(of=LoginSession)
    ).one_or_none()
    if row is None:
        raise TokenInvalid
    session, limit = row
    refuse_ended(session)
    if session.token_hash != caller.token_hash:
        raise SessionReplaced
    tokens = issue_tokens(session, user_id, TokenPair.random(kept_token))
    end_oldest(db, session, limit)
    return tokens


def why_unknown(db: Session, token: str) -> Failure:
    """Tell a token that was replaced by the one after it from one that never was, or long ago."""
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
    """Raise SessionEnded if its client has ended it, SessionRevoked if somebody else has."""
    if session.ended_at is not None:
        raise SessionEnded if session.end_reason in BY_ITSELF else SessionRevoked


def refuse_old_login(db: Session, caller: Caller) -> None:
    """Raise LoginTooOld for a session that was a user's and was not opened just now.

    Who steals a login must not give its WeChat identity to an account of their own, for every
    later wx.login would lead there (docs/decisions/0004); nor close the account.
    """
    old = select(LoginSession.id).where(
        LoginSession.tenant_id == caller.tenant_id,
        LoginSession.id == caller.session_id,
        LoginSession.was_bound,
        LoginSession.created_at < now() - JUST_NOW,
    )
    if db.scalar(old) is not None:
        raise LoginTooOld


def refuse_disabled(user_status: str | None, app_enabled: bool, tenant_status: str) -> None:
    """Raise TenantDisabled, AppDisabled or UserDisabled; no user is fine."""
    if tenant_status != "active":
        raise TenantDisabled
    if not app_enabled:
        raise AppDisabled
    if user_status not in (None, "active"):
        raise UserDisabled


def end_session(caller: Caller) -> None:
    """Log out: the caller's session ends, its token and its refresh token with it."""
    with transaction() as db:
        db.execute(ending("logged_out", LoginSession.id == caller.session_id))


def ending(reason: str | ColumnElement[str], *which: ColumnElement[bool]) -> Update:
    """Make the statement that ends the living ones among some sessions."""
    return (
        update(LoginSession)
        .where(LoginSession.ended_at.is_(None), *which)
        .values(ended_at=now(), end_reason=reason)
        .execution_options(synchronize_session=False)
    )
