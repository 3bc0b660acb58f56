"""Exchanging a code once, however often its client sends it (docs/decisions/0007)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import FAILURES, CodeUsed, Failure, Internal, as_failure
from app.keyring import keyring
from app.models import CodeExchange, LoginSession, Measure, SocialAccount
from app.models.columns import new_id
from app.services.apps.apps import AppConfig
from app.services.database.transactions import autocommit, transaction
from app.services.metrics.counts import count
from app.services.principals import Device
from app.services.runtime.polling import backoff
from app.services.sessions.sessions import Opening, Tokens, tokens_of
from app.services.sessions.tokens import TokenPair, token_hash
from app.services.users.credentials import ProvenUser
from app.wechat import WeChatError, WeChatUnavailable

L = TypeVar("L")

REPEATABLE = timedelta(seconds=30)
# Longer than asking WeChat takes, twice if the AppSecret was reset, with a failed connect repeated,
# and writing the login after it.
LEASE = timedelta(seconds=30)
# WeChat's codes live five minutes; after that it refuses them itself.
FORGOTTEN_AFTER = timedelta(minutes=10)
FORGETTING_EVERY = 10
FORGOTTEN_AT_ONCE = 100

# What one claim in ten begins with. Old codes that another is forgetting are left to them.
FORGET = f"""
WITH forgotten AS (
    DELETE FROM code_exchanges WHERE code_index = ANY (ARRAY(
        SELECT code_index FROM code_exchanges WHERE asked_at < %(forgotten_before)s
        LIMIT {FORGOTTEN_AT_ONCE} FOR UPDATE SKIP LOCKED
    ))
)
"""  # noqa: S608 - a constant
# It does not wait for the disk. What comes after it does, and then it is on the disk too; what a
# crash leaves without either, WeChat refuses if it has seen the code.
CLAIM = """
INSERT INTO code_exchanges AS claimed
    (code_index, tenant_id, appid, asked_by, asked_at, session_id)
VALUES (%(code_index)s, %(tenant_id)s, %(appid)s, %(asked_by)s, %(asked_at)s, %(session_id)s)
ON CONFLICT ON CONSTRAINT pk_code_exchanges DO UPDATE
SET (asked_by, asked_at, session_id, failure)
    = (excluded.asked_by, excluded.asked_at, excluded.session_id, NULL)
WHERE claimed.failure IS NOT NULL OR claimed.asked_at < %(given_up_before)s
    AND NOT EXISTS (SELECT FROM login_sessions WHERE id = claimed.session_id)
RETURNING set_config('synchronous_commit', 'off', true)
"""


@dataclass(frozen=True, slots=True)
class Ask:
    """A code, and who sends it for what: only the very same ask gets the same login."""

    app: AppConfig
    device: Device
    code: str = field(repr=False)
    purpose: str
    proven: ProvenUser | None = None

    @property
    def code_index(self) -> bytes:
        return keyring().blind_index(self.code, f"code_exchanges:{self.app.appid}")

    @property
    def asked_by(self) -> bytes:
        user_id = self.proven.user_id if self.proven else None
        who = repr((self.device.name, self.device.ip, self.purpose, user_id))
        return keyring().blind_index(who, f"asked_by:{self.app.appid}")

    def opening(self, session_id: UUID) -> Opening:
        """Say which session and tokens the code leads to, the same each time."""
        return Opening(session_id, TokenPair.derived(self.code, session_id.bytes))


def exchange_once(
    ask: Ask, log_in: Callable[[Opening, datetime], L], again: Callable[[Opening], L]
) -> L:
    """Let the first who sends a code log in, and give everybody who repeats it the same again.

    `log_in` asks WeChat and opens the session; `again` describes the one that was opened. Raises
    what the first one's login raised, or CodeUsed to somebody else and after `REPEATABLE`.
    """
    opening = ask.opening(new_id())
    moment = _claim(ask, opening.session_id)
    if moment is None:
        return again(ask.opening(_wait(ask)))
    count(ask.app.appid, Measure.OPENED)
    try:
        return log_in(opening, moment)
    except BaseException as error:
        _note_failure(ask, opening.session_id, error)
        raise


def get_opened(db: Session, app: AppConfig, opening: Opening) -> tuple[Tokens, SocialAccount]:
    """Give the tokens of a session that an opening led to, and its social account, once more.

    Raises CodeUsed when it has ended, or gone on to other tokens: its answer has arrived.
    """
    its = and_(
        SocialAccount.tenant_id == LoginSession.tenant_id,
        SocialAccount.id == LoginSession.social_account_id,
    )
    row = db.execute(
        select(LoginSession.user_id, SocialAccount)
        .join(SocialAccount, its)
        .where(
            LoginSession.tenant_id == app.tenant_id,
            LoginSession.id == opening.session_id,
            LoginSession.token_hash == token_hash(opening.pair.login),
            LoginSession.ended_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise CodeUsed
    return tokens_of(opening.pair, row[0]), row[1]


def _claim(ask: Ask, session_id: UUID) -> datetime | None:
    """Become the one who exchanges the code; give the moment, or None if another did.

    A failed exchange is tried anew, and so is one whose process died: WeChat knows best whether
    the code is still good.
    """
    moment = now()
    is_to_forget = session_id.int % FORGETTING_EVERY == 0
    claim = {
        "code_index": ask.code_index,
        "tenant_id": ask.app.tenant_id,
        "appid": ask.app.appid,
        "asked_by": ask.asked_by,
        "asked_at": moment,
        "session_id": session_id,
        "given_up_before": moment - LEASE,
        "forgotten_before": moment - FORGOTTEN_AFTER,
    }
    with autocommit() as db:
        claimed = db.execute(FORGET + CLAIM if is_to_forget else CLAIM, claim).fetchone()
    return moment if claimed else None


def _wait(ask: Ask) -> UUID:
    """Wait, holding no connection, for the one who exchanges the code; give the session's id."""
    for _ in backoff():
        session_id = _look(ask)
        if session_id is not None:
            return session_id
    raise WeChatUnavailable(reason="the exchange of the code was not finished")


def _look(ask: Ask) -> UUID | None:
    """Give the session that was opened; None while WeChat is being asked."""
    wanted = select(CodeExchange, LoginSession.id).outerjoin(
        LoginSession, LoginSession.id == CodeExchange.session_id
    )
    with transaction() as db:
        row = db.execute(wanted.where(CodeExchange.code_index == ask.code_index)).one_or_none()
    if row is None or row[0].asked_by != ask.asked_by or row[0].asked_at < now() - REPEATABLE:
        raise CodeUsed
    if row[0].failure is not None:
        raise FAILURES[row[0].failure]
    session_id: UUID | None = row[1]
    return session_id


def _note_failure(ask: Ask, session_id: UUID, error: BaseException) -> None:
    """Tell those who wait why there is nothing to wait for."""
    if isinstance(error, WeChatError):
        error = as_failure(error)
    failure = error.code if isinstance(error, Failure) else Internal.code
    own = (CodeExchange.code_index == ask.code_index, CodeExchange.session_id == session_id)
    with transaction() as db:
        db.execute(update(CodeExchange).where(*own).values(failure=failure))
