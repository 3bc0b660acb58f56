"""Login sessions: opened by a login, grown by binding, refreshed, and ended."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, CursorResult, Update, insert, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import (
    SessionReplaced,
    TokenInvalid,
)
from app.models import LoginSession, Measure, WeChatApp
from app.models.columns import new_id
from app.services.apps.apps import AppConfig
from app.services.database.transactions import transaction
from app.services.metrics.counts import count_if_committed
from app.services.principals import Device, Principal
from app.services.sessions.active import active_sessions_of
from app.services.sessions.queries import session_of
from app.services.sessions.session_checks import refuse_ended
from app.services.sessions.tokens import TokenPair, token_hash

LOGIN_LIFETIME = timedelta(hours=2)
REFRESH_LIFETIME = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client keeps. An unbound session has no refresh token. Lifetimes are in seconds."""

    token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int = int(LOGIN_LIFETIME.total_seconds())
    refresh_expires_in: int = int(REFRESH_LIFETIME.total_seconds())


# The columns that `session_row` returns.
SESSION_COLUMNS = (
    *("id", "tenant_id", "appid", "device", "ip", "created_at", "was_bound", "seen_at"),
    *("token_hash", "expires_at", "refresh_family_hash", "refresh_hash", "refresh_expires_at"),
)


@dataclass(frozen=True, slots=True)
class SessionSeed:
    """The id and tokens that a session gets, decided before it is opened."""

    session_id: UUID
    pair: TokenPair = field(repr=False)

    @classmethod
    def random(cls) -> "SessionSeed":
        """Return a new id and new tokens."""
        return cls(new_id(), TokenPair.random())


def open_session(
    db: Session,
    app: AppConfig,
    device: Device,
    seed: SessionSeed,
    *,
    social_account_id: UUID | None,
    user_id: UUID | None,
) -> Tokens:
    """Open a login session in the caller's transaction. It is bound if there is a user.

    The caller holds the lock of the user's row. The same statement ends the user's oldest
    sessions in the app as far as there would be more than its limit.
    """
    row = insert(LoginSession).values(
        social_account_id=social_account_id,
        user_id=user_id,
        **session_row(app, device, seed, is_bound=user_id is not None, moment=now()),
    )
    db.execute(
        row.add_cte(*_end_sessions_over_limit(app.session_limit, app, seed.session_id, user_id))
    )
    by_code = social_account_id is not None
    how = Measure.LOGGED_IN if by_code else Measure.LOGGED_IN_BY_PASSWORD
    count_if_committed(db, app.appid, how)
    return tokens_of(seed.pair, user_id)


def session_row(
    app: AppConfig, device: Device, seed: SessionSeed, *, is_bound: bool, moment: datetime
) -> dict[str, Any]:
    """Return the columns of a new session, without its user and social account."""
    return {
        "id": seed.session_id,
        "tenant_id": app.tenant_id,
        "appid": app.appid,
        "device": device.name,
        "ip": device.ip,
        "created_at": moment,
        "was_bound": is_bound,
        **_token_columns(seed.pair, is_bound=is_bound, moment=moment),
    }


def issue_tokens(session: LoginSession, pair: TokenPair) -> Tokens:
    """Replace the tokens of a loaded session of a user. The previous ones stop working."""
    for name, value in _replacing(session, pair, session.user_id).items():
        setattr(session, name, value)
    return tokens_of(pair, session.user_id)


def _replacing(session: LoginSession, pair: TokenPair, user_id: UUID | None) -> dict[str, Any]:
    """Return what changes in the row of a session that gets new tokens, for a user or for none."""
    is_bound = user_id is not None
    return {
        **_token_columns(pair, is_bound=is_bound, moment=now()),
        "user_id": user_id,
        "previous_token_hash": session.token_hash,
        "previous_refresh_hash": None,
        "refresh_salt": None,
        "refreshed_at": None,
        "was_bound": session.was_bound or is_bound,
    }


def _token_columns(pair: TokenPair, *, is_bound: bool, moment: datetime) -> dict[str, Any]:
    refresh = pair.refresh
    return {
        "seen_at": moment,
        "token_hash": token_hash(pair.login),
        "expires_at": moment + LOGIN_LIFETIME,
        "refresh_family_hash": refresh.family_hash if is_bound else None,
        "refresh_hash": refresh.rotating_hash if is_bound else None,
        "refresh_expires_at": moment + REFRESH_LIFETIME if is_bound else None,
    }


def tokens_of(pair: TokenPair, user_id: UUID | None) -> Tokens:
    """Spell a pair for its client; without a user there is no refresh token."""
    return Tokens(pair.login, None if user_id is None else str(pair.refresh))


def _end_sessions_over_limit(
    limit: int | None, app: AppConfig | WeChatApp, session_id: UUID, user_id: UUID | None
) -> Iterator[CTE]:
    """Yield what ends the user's oldest sessions in the app, so that one more is within `limit`.

    Every login of a user holds the lock of the user's row until it commits, so none is counted
    before another one's session is there.
    """
    if limit is None or user_id is None:
        return
    others = select(LoginSession.id).where(
        *active_sessions_of(app.tenant_id, user_id),
        LoginSession.appid == app.appid,
        LoginSession.id != session_id,
    )
    newest_first = others.order_by(LoginSession.created_at.desc(), LoginSession.id.desc())
    too_many = LoginSession.id.in_(newest_first.offset(limit - 1))
    of_tenant = LoginSession.tenant_id == app.tenant_id
    yield end_sessions_statement("session_limit", of_tenant, too_many).cte("too_many")


def reissue(
    db: Session, principal: Principal, user_id: UUID | None, kept_token: str | None = None
) -> Tokens:
    """Bind the caller's session to a user, or unbind it, under new tokens.

    The caller holds the lock of the user's row. The same statement ends the user's oldest
    sessions in the app as far as there would be more than its limit. A client that takes no new
    login token keeps the one it showed (docs/decisions/0009). Raises SessionReplaced when the
    caller's token has been replaced since: of two simultaneous taps one wins, and its answer
    holds the only tokens that work. Raises TokenInvalid when its person has been erased.
    """
    its = (LoginSession.tenant_id == principal.tenant_id, LoginSession.id == principal.session_id)
    row = db.execute(
        select(LoginSession, WeChatApp)
        .join(WeChatApp, WeChatApp.appid == LoginSession.appid)
        .where(*its)
        .with_for_update(of=LoginSession)
    ).one_or_none()
    if row is None:
        raise TokenInvalid
    session, app = row
    refuse_ended(session)
    if session.token_hash != principal.token_hash:
        raise SessionReplaced
    pair = TokenPair.random(kept_token)
    limit = None if session.user_id == user_id else app.effective_session_limit
    changing = update(LoginSession).where(*its).values(**_replacing(session, pair, user_id))
    changing = changing.add_cte(*_end_sessions_over_limit(limit, app, session.id, user_id))
    db.execute(changing.execution_options(synchronize_session=False))
    return tokens_of(pair, user_id)


def end_session(principal: Principal) -> None:
    """Log out: the caller's session ends, its token and its refresh token with it."""
    with transaction() as db:
        db.execute(end_sessions_statement("logged_out", *session_of(principal)))


def end_sessions(db: Session, reason: str | ColumnElement[str], *which: ColumnElement[bool]) -> int:
    """End the active ones among some sessions in one statement, and return their number."""
    ended = cast("CursorResult[Any]", db.execute(end_sessions_statement(reason, *which)))
    return ended.rowcount


def end_sessions_statement(reason: str | ColumnElement[str], *which: ColumnElement[bool]) -> Update:
    """Return the statement that ends the active ones among some sessions."""
    return (
        update(LoginSession)
        .where(LoginSession.ended_at.is_(None), *which)
        .values(ended_at=now(), end_reason=reason)
        .execution_options(synchronize_session=False)
    )
