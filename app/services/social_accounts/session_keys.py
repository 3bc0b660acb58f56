"""The last three session_keys of a social account, tried newest first.

The newest key does not always decrypt the client's data: `wx.login` may create a new key while data
encrypted with the old key is in transit, and two code exchanges may finish in reverse order.
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
# WeChat publishes no lifetime of a session_key. The newest key is always tried. Older keys are only
# needed for data from before the last login, so they are tried for a limited time.
PLAUSIBLE_LIFE = timedelta(days=3)

log = structlog.get_logger()


# Store the key of the account in `login_account`, and delete all but its last three keys. The rows
# to delete are an array of ids, so that a plan made for small tables does not scan large tables. Of
# two simultaneous logins, neither counts the key of the other one, so a fourth key may stay until
# the next login.
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
    """Store a session_key of a locked social account, and delete all but its last three keys.

    `asked_at` is when the code was sent to WeChat. Of two exchanges, the one with the later
    `asked_at` has the newer key, whichever finishes last.
    """
    row = key_row(account.tenant_id, account.id, session_key, asked_at)
    db.connection().exec_driver_sql(KEEP_KEY_OF_ACCOUNT, row)


def key_row(
    tenant_id: UUID, account_id: UUID, session_key: str, asked_at: datetime
) -> dict[str, Any]:
    """Return the parameters of `KEEP_KEY`, with the session_key encrypted."""
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
    """Return the blind index (keyed hash) that identifies a key that WeChat returns again."""
    return keyring().blind_index(session_key, f"session_keys:{account_id}")


def with_session_keys(principal: Principal, read: Callable[[str], R]) -> tuple[SocialAccount, R]:
    """Call `read` with the caller's session_keys, newest first, until one decrypts the data.

    Returns the account and the result. Raises NoSocialAccount, SessionKeyStale if no key decrypts
    the data, and any other exception of `read`, because the key was right then.
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
    """Return the decrypted session_key. Return None and log an error if it cannot be decrypted."""
    try:
        return key.session_key
    except SealBroken as error:
        log.error("session_key_broken", cause=str(error))
        return None
