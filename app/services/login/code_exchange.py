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
# Longer than asking WeChat takes, twice if the AppSecret was reset, with a failed connect repeated,
# and writing the login after it.
CLAIM_LEASE = timedelta(seconds=30)
# WeChat's codes are valid for five minutes.
CODE_RETENTION = timedelta(minutes=10)
# One claim in ten deletes old codes, at most a hundred.
CLEANUP_EVERY = 10
CLEANUP_BATCH = 100

# Skips codes that another request is deleting.
DELETE_OLD_CODES = f"""
WITH deleted AS (
    DELETE FROM code_exchanges WHERE code_index = ANY (ARRAY(
        SELECT code_index FROM code_exchanges WHERE asked_at < %(delete_before)s
        LIMIT {CLEANUP_BATCH} FOR UPDATE SKIP LOCKED
    ))
)
"""  # noqa: S608 - a constant
# The claim does not wait for the disk. The commit of the login does, and it includes the claim. If
# a crash loses both, WeChat refuses a code that it has seen.
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
    """A code and what its client sent with it.

    Only the same request from the same device gets the same login again. `proven` is the user of
    a checked account and password, `client_profile` the profile that the client sent. With
    `opens_unbound` the session is unbound even if the identity belongs to a user.
    """

    app: AppConfig
    device: Device
    code: str = field(repr=False)
    proven: ProvenUser | None = None
    client_profile: AccountProfile | None = None
    opens_unbound: bool = False

    @property
    def code_index(self) -> bytes:
        """The blind index of the code in its app."""
        return keyring().blind_index(self.code, f"code_exchanges:{self.app.appid}")

    @property
    def asked_by(self) -> bytes:
        """The blind index of who sent the code, and for what."""
        user_id = self.proven.user_id if self.proven else None
        purpose = "bind_key" if self.opens_unbound else "login"
        who = repr((self.device.name, self.device.ip, purpose, user_id))
        return keyring().blind_index(who, f"asked_by:{self.app.appid}")

    def seed(self, session_id: UUID) -> SessionSeed:
        """Return the seed of the session that the code opens: the same each time."""
        return SessionSeed(session_id, TokenPair.derived(self.code, session_id.bytes))


@dataclass(frozen=True, slots=True)
class CodeExchangeResult:
    """The identity that WeChat gave for a code, when it was asked, and the session to open."""

    identity: WeChatIdentity
    asked_at: datetime
    seed: SessionSeed


def claim_code(request: LoginRequest, seed: SessionSeed) -> datetime | None:
    """Claim the code for a session. Return the claim time, or None if another request holds it.

    A code whose exchange failed, or whose process died, is claimed again: WeChat decides whether
    the code is still valid.
    """
    moment = now()
    if not _claim(request, seed.session_id, moment):
        return None
    count(request.app.appid, Measure.OPENED)
    return moment


def wait_for_login(request: LoginRequest) -> SessionSeed:
    """Wait until the request that holds the claim has logged in, and return its session's seed.

    Holds no database connection between its looks. Raises CodeUsed if another client sent the code
    or it is older than `REPEAT_WINDOW`, and the failure of the earlier request if it failed.
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
    """Return the session that the code opened, or None while the exchange is under way."""
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
    """Record why the login of a claimed code failed, for requests that wait for it."""
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
