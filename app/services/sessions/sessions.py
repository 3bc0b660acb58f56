"""Login sessions: opening, binding, replacing tokens, the session limit, and ending."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, Update, and_, insert, select, update
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
from app.services.sessions.tokens import TokenPair, tenant_in_token, token_hash

LOGIN_LIFETIME = timedelta(hours=2)
REFRESH_LIFETIME = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a session as sent to the client. Lifetimes are in seconds.

    An unbound session has no refresh token.
    """

    token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int = int(LOGIN_LIFETIME.total_seconds())
    refresh_expires_in: int = int(REFRESH_LIFETIME.total_seconds())


# The columns that `session_row` returns.
SESSION_COLUMNS = (
    *("id", "tenant_id", "appid", "device", "ip", "created_at", "was_bound", "seen_at"),
    *("token_hash", "expires_at", "refresh_family_hash", "refresh_hash", "refresh_expires_at"),
    "names_tenant",
)


@dataclass(frozen=True, slots=True)
class SessionSeed:
    """The id and tokens of a session, chosen before the session is opened."""

    session_id: UUID
    pair: TokenPair = field(repr=False)

    @classmethod
    def random(cls, tenant_id: UUID) -> "SessionSeed":
        """Return a new id and new tokens."""
        return cls(new_id(), TokenPair.random(tenant_id))


def open_session(
    db: Session,
    app: AppConfig,
    device: Device,
    seed: SessionSeed,
    *,
    social_account_id: UUID | None,
    user_id: UUID | None,
) -> Tokens:
    """Open a login session in the caller's transaction. The session is bound if there is a user.

    The caller must hold the lock of the user's row. Ends the user's oldest sessions in the app that
    exceed the session limit.
    """
    row = insert(LoginSession).values(
        social_account_id=social_account_id,
        user_id=user_id,
        **session_row(app, device, seed, is_bound=user_id is not None, moment=now()),
    )
    _end_sessions_over_limit(db, app.session_limit, app, seed.session_id, user_id)
    db.execute(row)
    by_code = social_account_id is not None
    how = Measure.LOGGED_IN if by_code else Measure.LOGGED_IN_BY_PASSWORD
    count_if_committed(db, app.appid, how)
    return tokens_of(seed.pair, user_id)


def session_row(
    app: AppConfig, device: Device, seed: SessionSeed, *, is_bound: bool, moment: datetime
) -> dict[str, Any]:
    """Return the columns of a new session, except its user and social account."""
    return {
        "id": seed.session_id,
        "tenant_id": app.tenant_id,
        "appid": app.appid,
        "device": device.name,
        "ip": device.ip,
        "created_at": moment,
        "was_bound": is_bound,
        "names_tenant": True,
        **_token_columns(seed.pair, is_bound=is_bound, moment=moment),
    }


def issue_tokens(session: LoginSession, pair: TokenPair) -> Tokens:
    """Replace the tokens of a loaded session of a user. The previous tokens become invalid."""
    for name, value in _new_values(session, pair, session.user_id).items():
        setattr(session, name, value)
    return tokens_of(pair, session.user_id)


def _new_values(session: LoginSession, pair: TokenPair, user_id: UUID | None) -> dict[str, Any]:
    """Return the changed columns of a session that gets new tokens, bound to a user or to none."""
    is_bound = user_id is not None
    values = {
        **_token_columns(pair, is_bound=is_bound, moment=now()),
        **_reset_columns(session.token_hash, user_id),
        "was_bound": session.was_bound or is_bound,
    }
    if is_bound and session.refresh_expires_at and tenant_in_token(pair.login) is None:
        # A kept login token that does not name its tenant is valid for at most 30 days.
        values["refresh_expires_at"] = session.refresh_expires_at
    return values


# The columns that `bound_session_row` returns.
BOUND_SESSION_COLUMNS = (
    *("token_hash", "expires_at", "refresh_family_hash", "refresh_hash", "refresh_expires_at"),
    *("seen_at", "user_id", "previous_token_hash", "previous_refresh_hash", "refresh_salt"),
    *("refreshed_at", "was_bound"),
)


def bound_session_row(
    old_token_hash: bytes, pair: TokenPair, user_id: UUID, moment: datetime
) -> dict[str, Any]:
    """Return the changed columns of a session that is bound to a user and gets new tokens."""
    return {
        **_token_columns(pair, is_bound=True, moment=moment),
        **_reset_columns(old_token_hash, user_id),
        "was_bound": True,
    }


def _reset_columns(old_token_hash: bytes, user_id: UUID | None) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "previous_token_hash": old_token_hash,
        "previous_refresh_hash": None,
        "refresh_salt": None,
        "refreshed_at": None,
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
    """Return a token pair as text for the client. Without a user there is no refresh token."""
    return Tokens(pair.login, None if user_id is None else str(pair.refresh))


def _end_sessions_over_limit(
    db: Session,
    limit: int | None,
    app: AppConfig | WeChatApp,
    session_id: UUID,
    user_id: UUID | None,
) -> None:
    """End the user's oldest sessions in the app, so that a new one fits `limit`.

    Every login of a user holds the lock of the user's row until it commits, so this counts the
    sessions of all earlier logins.
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
    db.execute(end_sessions_statement("session_limit", of_tenant, too_many))


def reissue(
    db: Session, principal: Principal, user_id: UUID | None, kept_token: str | None = None
) -> Tokens:
    """Bind the caller's session to a user, or unbind it, and return new tokens.

    The caller must hold the lock of the user's row. Ends the user's oldest sessions in the app that
    exceed the session limit. `kept_token` is the login token of a client that accepts no new login
    token (docs/decisions/0009). Raises SessionReplaced if the caller's token has been replaced: of
    two simultaneous requests one succeeds and gets the only valid tokens. Raises TokenInvalid if
    the person has been erased.
    """
    its = (LoginSession.tenant_id == principal.tenant_id, LoginSession.id == principal.session_id)
    row = db.execute(
        select(LoginSession, WeChatApp)
        .join(
            WeChatApp,
            and_(
                WeChatApp.tenant_id == LoginSession.tenant_id,
                WeChatApp.appid == LoginSession.appid,
            ),
        )
        .where(*its)
        .with_for_update(of=LoginSession)
    ).one_or_none()
    if row is None:
        raise TokenInvalid
    session, app = row
    refuse_ended(session)
    if session.token_hash != principal.token_hash:
        raise SessionReplaced
    pair = TokenPair.random(principal.tenant_id, kept_token)
    limit = None if session.user_id == user_id else app.effective_session_limit
    _end_sessions_over_limit(db, limit, app, session.id, user_id)
    changing = update(LoginSession).where(*its).values(**_new_values(session, pair, user_id))
    db.execute(changing.execution_options(synchronize_session=False))
    return tokens_of(pair, user_id)


def end_session(principal: Principal) -> None:
    """End the caller's session and invalidate its login token and refresh token."""
    with transaction() as db:
        db.execute(end_sessions_statement("logged_out", *session_of(principal)))


def end_sessions(db: Session, reason: str | ColumnElement[str], *which: ColumnElement[bool]) -> int:
    """End the matching sessions that have not ended, in one statement, and return their number."""
    ended = cast("CursorResult[Any]", db.execute(end_sessions_statement(reason, *which)))
    return ended.rowcount


def end_sessions_statement(reason: str | ColumnElement[str], *which: ColumnElement[bool]) -> Update:
    """Return the statement that ends the matching sessions that have not ended."""
    return (
        update(LoginSession)
        .where(LoginSession.ended_at.is_(None), *which)
        .values(ended_at=now(), end_reason=reason)
        .execution_options(synchronize_session=False)
    )
