"""The session_keys of a social account: the last three, tried newest first.

`wx.login` may mint a new key while a button that was tapped under the old one is still on its way,
and two exchanges of codes may overtake each other; then the newest key is not the one that fits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import now
from app.keyring import SealBroken, keyring
from app.models import SessionKey, SocialAccount
from app.models.columns import new_id
from app.services.apps.apps import AppConfig
from app.services.database.transactions import transaction
from app.services.principals import Principal
from app.services.social_accounts.accounts import get_social_account, upsert_social_account
from app.wechat import SessionKeyStale, WeChatIdentity

R = TypeVar("R")

KEPT = 3
# WeChat publishes no lifetime. The newest may well be in force for longer, so it is kept for as
# long as there is none newer; those before it only serve what was tapped before the last login.
PLAUSIBLE_LIFE = timedelta(days=3)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Met:
    """Whom WeChat says a code is of, and when it was asked."""

    identity: WeChatIdentity
    asked_at: datetime


def meet(db: Session, app: AppConfig, met: Met) -> tuple[SocialAccount, bool]:
    """Find or make the social account of whom WeChat named, and keep the session_key; locked.

    Tells too whether its unionid is news.
    """
    account, unionid_is_news = upsert_social_account(db, app, met.identity)
    keep_session_key(db, account, met.identity.session_key, met.asked_at)
    return account, unionid_is_news


def keep_session_key(
    db: Session, account: SocialAccount, session_key: str, asked_at: datetime
) -> None:
    """Keep a key that WeChat gave for a locked social account, and forget all but the last three.

    `asked_at` is when WeChat was asked: of two exchanges that overtake each other, the one asked
    later has the newer key, whichever is written last.
    """
    mine = (SessionKey.tenant_id == account.tenant_id, SessionKey.social_account_id == account.id)
    index = key_index(account.id, session_key)
    others = select(SessionKey.id).where(*mine, SessionKey.key_index != index)
    too_many = others.order_by(SessionKey.asked_at.desc()).offset(KEPT - 1)
    forget = delete(SessionKey).where(SessionKey.id.in_(too_many)).cte("forgotten")
    fresh = insert(SessionKey).values(
        id=new_id(),
        tenant_id=account.tenant_id,
        social_account_id=account.id,
        key_index=index,
        session_key_sealed=SessionKey.session_key.seal(
            session_key, SessionKey, social_account_id=account.id
        ),
        asked_at=asked_at,
    )
    db.execute(
        fresh.on_conflict_do_update(
            constraint="uq_session_keys_tenant_id_social_account_id_key_index",
            set_={"asked_at": func.greatest(fresh.excluded.asked_at, SessionKey.asked_at)},
        ).add_cte(forget)
    )


def key_index(account_id: UUID, session_key: str) -> bytes:
    """Give the blind index by which WeChat's giving the same key again is recognised."""
    return keyring().blind_index(session_key, f"session_keys:{account_id}")


def with_session_keys(principal: Principal, read: Callable[[str], R]) -> tuple[SocialAccount, R]:
    """Read what a client handed over with the caller's keys, newest first, until one fits.

    Raises NoSocialAccount, SessionKeyStale when none fits, and whatever else `read` raises: a
    key that decrypts has shown that it is the right one.
    """
    account = get_social_account(principal)
    for session_key in _keys_of(account.tenant_id, account.id):
        try:
            return account, read(session_key)
        except SessionKeyStale:
            continue
    raise SessionKeyStale


def _keys_of(tenant_id: UUID, account_id: UUID) -> list[str]:
    wanted = (
        select(SessionKey)
        .where(SessionKey.tenant_id == tenant_id, SessionKey.social_account_id == account_id)
        .order_by(SessionKey.asked_at.desc())
        .limit(KEPT)
    )
    with transaction() as db:
        kept = db.scalars(wanted).all()
    plausible = [key for key in kept if key is kept[0] or key.asked_at > now() - PLAUSIBLE_LIFE]
    return [text for key in plausible if (text := _opened(key))]


def _opened(key: SessionKey) -> str | None:
    """Open a key; one that does not open is as good as none, and the operator reads why."""
    try:
        return key.session_key
    except SealBroken as error:
        log.error("session_key_broken", cause=str(error))
        return None
