"""The session_keys of a social account: the last three, tried newest first.

`wx.login` may mint a new key while a button that was tapped under the old one is still on its way,
and two exchanges of codes may overtake each other; then the newest key is not the one that fits.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import now
from app.keyring import SealBroken, keyring
from app.models import SessionKey, SocialAccount
from app.models.columns import new_id
from app.services.database.transactions import transaction
from app.services.principals import Principal
from app.services.social_accounts.accounts import get_social_account
from app.wechat import SessionKeyStale

R = TypeVar("R")

KEPT = 3
# WeChat publishes no lifetime. The newest may well be in force for longer, so it is kept for as
# long as there is none newer; those before it only serve what was tapped before the last login.
PLAUSIBLE_LIFE = timedelta(days=3)

log = structlog.get_logger()


# Keep the key of the account in `login_account`, and delete all but the last three. Row ids are
# scalar subqueries, so that a plan made for small tables does not scan large ones. Two simultaneous
# logins of a person do not see each other's keys: a fourth key may stay until the next login.
KEEP_KEY = f"""
keys_deleted AS (
    DELETE FROM session_keys
    WHERE tenant_id = %(tenant_id)s AND EXISTS (SELECT FROM login_account) AND id = ANY (ARRAY(
        SELECT id FROM session_keys
        WHERE tenant_id = %(tenant_id)s AND social_account_id = %(account_id)s
            AND key_index <> %(key_index)s
        ORDER BY asked_at DESC OFFSET {KEPT - 1}
    ))
), key_saved AS (
    INSERT INTO session_keys AS kept
        (id, tenant_id, social_account_id, key_index, session_key_sealed, asked_at)
    SELECT %(key_id)s, %(tenant_id)s, id, %(key_index)s, %(session_key_sealed)s, %(asked_at)s
    FROM login_account
    ON CONFLICT ON CONSTRAINT uq_session_keys_tenant_id_social_account_id_key_index
    DO UPDATE SET asked_at = greatest(excluded.asked_at, kept.asked_at)
)
"""  # noqa: S608 - a constant
KEEP_KEY_OF_ACCOUNT = (
    f"WITH login_account AS (SELECT %(account_id)s::uuid AS id), {KEEP_KEY} SELECT"
)


def keep_session_key(
    db: Session, account: SocialAccount, session_key: str, asked_at: datetime
) -> None:
    """Keep a key that WeChat gave for a locked social account, and delete all but the last three.

    `asked_at` is when WeChat was asked: of two exchanges that overtake each other, the one asked
    later has the newer key, whichever is written last.
    """
    row = key_row(account.tenant_id, account.id, session_key, asked_at)
    db.connection().exec_driver_sql(KEEP_KEY_OF_ACCOUNT, row)


def key_row(
    tenant_id: UUID, account_id: UUID, session_key: str, asked_at: datetime
) -> dict[str, Any]:
    """Return the parameters of `KEEP_KEY`, with the key encrypted."""
    place = {"social_account_id": account_id}
    return {
        "tenant_id": tenant_id,
        "account_id": account_id,
        "key_id": new_id(),
        "key_index": key_index(account_id, session_key),
        "session_key_sealed": SessionKey.session_key.seal(session_key, SessionKey, **place),
        "asked_at": asked_at,
    }


def key_index(account_id: UUID, session_key: str) -> bytes:
    """Return the blind index by which WeChat's giving the same key again is recognised."""
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
    """Return the decrypted key, or None with an error in the log."""
    try:
        return key.session_key
    except SealBroken as error:
        log.error("session_key_broken", cause=str(error))
        return None
