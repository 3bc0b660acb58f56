"""Exchange of `wx.login` codes. A repeated code leads to the same login (docs/decisions/0007)."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

import psycopg
import structlog
from sqlalchemy import and_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import CodeUsed
from app.keyring import keyring
from app.models import CodeExchange, LoginSession
from app.models.columns import new_id
from app.services.apps.apps import AppConfig
from app.services.apps.wechat_calls import code_to_session
from app.services.database.transactions import autocommit, transaction
from app.services.principals import Device
from app.services.runtime.polling import backoff
from app.services.sessions.sessions import SessionSeed
from app.services.sessions.tokens import TokenPair
from app.services.social_accounts.profiles import AccountProfile
from app.services.users.credentials import ProvenUser
from app.wechat import CodeAlreadyUsed, CodeRejected, WeChatIdentity

REPEAT_WINDOW = timedelta(seconds=30)
# WeChat's codes are valid for five minutes.
CODE_RETENTION = timedelta(minutes=10)
# One login in this many deletes old codes, at most a batch.
CLEANUP_EVERY = 50
CLEANUP_BATCH = 500
# How long a request whose code WeChat rejected waits for the login of another process. That process
# has WeChat's answer already and only has to write the login.
USED_WAIT_SECONDS = 2.0
INVALID_WAIT_SECONDS = 0.2

# Delete old codes of one tenant. SKIP LOCKED: another request may be deleting the same codes.
DELETE_OLD_CODES = f"""
DELETE FROM code_exchanges WHERE tenant_id = %(tenant_id)s AND code_index = ANY (ARRAY(
    SELECT code_index FROM code_exchanges
    WHERE tenant_id = %(tenant_id)s AND asked_at < %(delete_before)s
    LIMIT {CLEANUP_BATCH} FOR UPDATE SKIP LOCKED
))
"""  # noqa: S608 - a constant
# Record the code of the session that the statement opens. The unique violation of a code that was
# recorded before undoes the whole statement.
RECORD_CODE = """
code_recorded AS (
    INSERT INTO code_exchanges (code_index, tenant_id, appid, asked_by, asked_at, session_id)
    SELECT %(code_index)s, %(tenant_id)s, %(appid)s, %(asked_by)s, %(asked_at)s, %(session_id)s
    FROM login_account
)
"""
CODE_CONSTRAINT = "pk_code_exchanges"

log = structlog.get_logger()


class CodeAlreadyExchanged(Exception):
    """A concurrent request has logged in with the same code."""


@dataclass(frozen=True)
class LoginRequest:
    """A login code and the data that the client sent with it.

    `proven` is the user with the checked account and password. `client_profile` is the profile that
    the client sent. With `opens_unbound` the session is unbound even if the identity belongs to a
    user. A repeated code returns the same login only if `asked_by` is the same.
    """

    app: AppConfig
    device: Device
    code: str = field(repr=False)
    proven: ProvenUser | None = None
    client_profile: AccountProfile | None = None
    opens_unbound: bool = False

    @cached_property
    def code_index(self) -> bytes:
        """Return the blind index (keyed hash) of the code, the primary key of `code_exchanges`."""
        return keyring().blind_index(self.code, f"code_exchanges:{self.app.appid}")

    @cached_property
    def asked_by(self) -> bytes:
        """Return the blind index (keyed hash) of device, IP address, purpose and proven user."""
        user_id = self.proven.user_id if self.proven else None
        purpose = "bind_key" if self.opens_unbound else "login"
        who = repr((self.device.name, self.device.ip, purpose, user_id))
        return keyring().blind_index(who, f"asked_by:{self.app.appid}")

    def seed(self, session_id: UUID) -> SessionSeed:
        """Return the seed of the session that the code opens.

        The tokens are derived from the code and the session id, so each call returns the same
        tokens.
        """
        pair = TokenPair.derived(self.app.tenant_id, self.code, session_id.bytes)
        return SessionSeed(session_id, pair)

    def seed_again(self, session_id: UUID, login_hash: bytes) -> SessionSeed:
        """Return the seed of a session that the code opened, with its present login token."""
        pair = TokenPair.derived_again(self.app.tenant_id, self.code, session_id.bytes, login_hash)
        return SessionSeed(session_id, pair)


@dataclass(frozen=True, slots=True)
class CodeExchangeResult:
    """The identity that WeChat returned for a code, the request time, and the session to open."""

    identity: WeChatIdentity
    asked_at: datetime
    seed: SessionSeed


def exchange_code(request: LoginRequest) -> CodeExchangeResult:
    """Exchange a code with WeChat. Raises WeChatError. Holds no database connection."""
    asked_at = now()
    identity = code_to_session(request.app, request.code)
    return CodeExchangeResult(identity, asked_at, request.seed(new_id()))


def code_row(request: LoginRequest, exchanged: CodeExchangeResult) -> dict[str, Any]:
    """Return the parameters of `RECORD_CODE`, which are the columns of the row."""
    return {
        "code_index": request.code_index,
        "tenant_id": request.app.tenant_id,
        "appid": request.app.appid,
        "asked_by": request.asked_by,
        "asked_at": exchanged.asked_at,
        "session_id": exchanged.seed.session_id,
    }


def record_code(db: Session, request: LoginRequest, exchanged: CodeExchangeResult) -> None:
    """Record the code in the caller's transaction. Raises CodeAlreadyExchanged.

    Waits for a concurrent transaction with the same code. Call it after the account and the user
    are locked, as on the fast path.
    """
    row = insert(CodeExchange).values(**code_row(request, exchanged)).on_conflict_do_nothing()
    if db.scalar(row.returning(CodeExchange.code_index)) is None:
        raise CodeAlreadyExchanged


def get_earlier_login(request: LoginRequest) -> SessionSeed:
    """Return the session seed of the login with the same code. Raises CodeUsed.

    Raises CodeUsed if there is no login, another client sent the code, or the login is older than
    `REPEAT_WINDOW`.
    """
    seed = _find_earlier_login(request)
    if seed is None:
        raise CodeUsed
    return seed


def wait_for_earlier_login(request: LoginRequest, rejection: CodeRejected) -> SessionSeed | None:
    """Return the login of another process with a code that WeChat has rejected, or None.

    Polls for up to 2 seconds if WeChat calls the code used, and looks once after 0.2 seconds if it
    calls the code invalid. Raises CodeUsed like `get_earlier_login`. Holds no connection between
    the polls.
    """
    if not isinstance(rejection, CodeAlreadyUsed):
        time.sleep(INVALID_WAIT_SECONDS)
        return _find_earlier_login(request)
    for _ in backoff(USED_WAIT_SECONDS):
        seed = _find_earlier_login(request)
        if seed is not None:
            return seed
    return None


def delete_old_codes(tenant_id: UUID) -> None:
    """Delete a batch of old codes of a tenant, once in `CLEANUP_EVERY` calls.

    Never raises a database error.
    """
    if new_id().int % CLEANUP_EVERY == 0:
        values = {"tenant_id": tenant_id, "delete_before": now() - CODE_RETENTION}
        try:
            with autocommit() as db:
                db.execute(DELETE_OLD_CODES, values)
        except (psycopg.Error, SQLAlchemyError) as error:
            log.warning("old_codes_not_deleted", cause=type(error).__name__)


def _find_earlier_login(request: LoginRequest) -> SessionSeed | None:
    """Return the session seed of the login with the same code, or None. Raises CodeUsed."""
    its = and_(
        LoginSession.tenant_id == CodeExchange.tenant_id,
        LoginSession.id == CodeExchange.session_id,
    )
    wanted = select(
        CodeExchange.asked_by, CodeExchange.asked_at, LoginSession.id, LoginSession.token_hash
    )
    wanted = wanted.join_from(CodeExchange, LoginSession, its).where(
        CodeExchange.tenant_id == request.app.tenant_id,
        CodeExchange.code_index == request.code_index,
    )
    with transaction() as db:
        row = db.execute(wanted).one_or_none()
    if row is None:
        return None
    asked_by, asked_at, session_id, login_hash = row
    if asked_by != request.asked_by or asked_at < now() - REPEAT_WINDOW:
        raise CodeUsed
    return request.seed_again(session_id, login_hash)
