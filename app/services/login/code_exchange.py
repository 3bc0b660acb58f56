"""Exchange of `wx.login` codes. A repeated code leads to the same login (docs/decisions/0007)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, select, update

from app.clock import now
from app.errors import FAILURES, CodeUsed, Failure, Internal, as_failure
from app.keyring import keyring
from app.models import CodeExchange, LoginSession, Measure
from app.services.apps.apps import AppConfig
from app.services.apps.wechat_calls import code_to_session
from app.services.database.transactions import autocommit, transaction
from app.services.metrics.counts import count
from app.services.principals import Device
from app.services.runtime.polling import backoff
from app.services.sessions.sessions import SessionSeed
from app.services.sessions.tokens import TokenPair
from app.services.social_accounts.profiles import AccountProfile
from app.services.users.credentials import ProvenUser
from app.wechat import WeChatError, WeChatIdentity, WeChatUnavailable

REPEAT_WINDOW = timedelta(seconds=30)
# Longer than the slowest exchange: two requests to WeChat (the second after the AppSecret was
# reset), repeated connection attempts, and writing the login.
CLAIM_LEASE = timedelta(seconds=30)
# WeChat's codes are valid for five minutes.
CODE_RETENTION = timedelta(minutes=10)
# One claim in ten deletes old codes, at most a hundred.
CLEANUP_EVERY = 10
CLEANUP_BATCH = 100

# SKIP LOCKED: another request may be deleting the same codes.
DELETE_OLD_CODES = f"""
WITH deleted AS (
    DELETE FROM code_exchanges WHERE code_index = ANY (ARRAY(
        SELECT code_index FROM code_exchanges WHERE asked_at < %(delete_before)s
        LIMIT {CLEANUP_BATCH} FOR UPDATE SKIP LOCKED
    ))
)
"""  # noqa: S608 - a constant
# The claim is committed without waiting for the disk. The commit of the login waits, and it also
# flushes the claim. If a crash loses both, WeChat rejects the code as used.
CLAIM = """
INSERT INTO code_exchanges AS existing
    (code_index, tenant_id, appid, asked_by, asked_at, session_id)
VALUES (%(code_index)s, %(tenant_id)s, %(appid)s, %(asked_by)s, %(asked_at)s, %(session_id)s)
ON CONFLICT ON CONSTRAINT pk_code_exchanges DO UPDATE
SET (asked_by, asked_at, session_id, failure)
    = (excluded.asked_by, excluded.asked_at, excluded.session_id, NULL)
WHERE existing.failure IS NOT NULL OR (
    existing.asked_at < %(lease_expired_before)s AND NOT EXISTS (
        SELECT FROM login_sessions WHERE tenant_id = %(tenant_id)s AND id = existing.session_id
    )
)
RETURNING set_config('synchronous_commit', 'off', true)
"""


@dataclass(frozen=True, slots=True)
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

    @property
    def code_index(self) -> bytes:
        """Return the blind index (keyed hash) of the code, the primary key of `code_exchanges`."""
        return keyring().blind_index(self.code, f"code_exchanges:{self.app.appid}")

    @property
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
        return SessionSeed(session_id, TokenPair.derived(self.code, session_id.bytes))


@dataclass(frozen=True, slots=True)
class CodeExchangeResult:
    """The identity that WeChat returned for a code, the request time, and the session to open."""

    identity: WeChatIdentity
    asked_at: datetime
    seed: SessionSeed


def claim_code(request: LoginRequest, seed: SessionSeed) -> datetime | None:
    """Claim the code for a session. Return the claim time, or None if the code is claimed already.

    A code can be claimed again if its exchange failed or its process died: WeChat decides whether
    the code is still valid.
    """
    moment = now()
    if not _claim(request, seed.session_id, moment):
        return None
    count(request.app.appid, Measure.OPENED)
    return moment


def wait_for_login(request: LoginRequest) -> SessionSeed:
    """Wait until the request that claimed the code has logged in, and return its session seed.

    Holds no database connection between polls. Raises CodeUsed if another client sent the code or
    the claim is older than `REPEAT_WINDOW`, the failure of the earlier request if it failed, and
    WeChatUnavailable if the exchange takes too long.
    """
    for _ in backoff():
        session_id = _find_session(request)
        if session_id is not None:
            return request.seed(session_id)
    raise WeChatUnavailable(reason="the exchange of the code was not finished")


def exchange_code(
    request: LoginRequest, seed: SessionSeed, claimed_at: datetime
) -> CodeExchangeResult:
    """Exchange a claimed code with WeChat. Raises WeChatError. Holds no database connection."""
    identity = code_to_session(request.app, request.code)
    return CodeExchangeResult(identity, claimed_at, seed)


def _claim(request: LoginRequest, session_id: UUID, moment: datetime) -> bool:
    claim = {
        "code_index": request.code_index,
        "tenant_id": request.app.tenant_id,
        "appid": request.app.appid,
        "asked_by": request.asked_by,
        "asked_at": moment,
        "session_id": session_id,
        "lease_expired_before": moment - CLAIM_LEASE,
        "delete_before": moment - CODE_RETENTION,
    }
    cleans_up = session_id.int % CLEANUP_EVERY == 0
    with autocommit() as db:
        statement = DELETE_OLD_CODES + CLAIM if cleans_up else CLAIM
        return db.execute(statement, claim).fetchone() is not None


def _find_session(request: LoginRequest) -> UUID | None:
    """Return the id of the session that the code opened, or None during the exchange.

    Raises CodeUsed and the failure of the earlier request, as `wait_for_login` does.
    """
    its = and_(
        LoginSession.tenant_id == CodeExchange.tenant_id,
        LoginSession.id == CodeExchange.session_id,
    )
    wanted = select(CodeExchange, LoginSession.id).outerjoin(LoginSession, its)
    wanted = wanted.where(CodeExchange.tenant_id == request.app.tenant_id)
    with transaction() as db:
        row = db.execute(wanted.where(CodeExchange.code_index == request.code_index)).one_or_none()
    repeatable_since = now() - REPEAT_WINDOW
    if row is None or row[0].asked_by != request.asked_by or row[0].asked_at < repeatable_since:
        raise CodeUsed
    if row[0].failure is not None:
        raise FAILURES[row[0].failure]
    session_id: UUID | None = row[1]
    return session_id


def record_failure(request: LoginRequest, session_id: UUID, error: BaseException) -> None:
    """Store why the login with a claimed code failed, for requests that wait for this login."""
    if isinstance(error, WeChatError):
        error = as_failure(error)
    failure = error.code if isinstance(error, Failure) else Internal.code
    own = (
        CodeExchange.tenant_id == request.app.tenant_id,
        CodeExchange.code_index == request.code_index,
        CodeExchange.session_id == session_id,
    )
    with transaction() as db:
        db.execute(update(CodeExchange).where(*own).values(failure=failure))
