"""The last three session_keys of a social account, tried newest first.

The newest key does not always decrypt the client's data: `wx.login` may create a new key while data
encrypted with the old key is in transit, and two code exchanges may finish in reverse order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from app.clock import now
from app.keyring import SealBroken, keyring
from app.models import SessionKey, SocialAccount
from app.models.columns import new_id
from app.services.database.transactions import autocommit
from app.services.principals import Principal
from app.services.social_accounts.accounts import missing_account
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
OLD_KEYS = f"""
id = ANY (ARRAY(
    SELECT id FROM session_keys
    WHERE tenant_id = %(tenant_id)s AND social_account_id = %(account_id)s
        AND key_index <> %(key_index)s
    ORDER BY asked_at DESC OFFSET {KEPT - 1}
))
"""  # noqa: S608 - a constant
KEY_COLUMNS = "id, tenant_id, social_account_id, key_index, session_key_sealed, asked_at"
KEY_VALUES = "%(key_id)s, %(tenant_id)s, {id}, %(key_index)s, %(session_key_sealed)s, %(asked_at)s"
ON_KNOWN_KEY = """
ON CONFLICT ON CONSTRAINT uq_session_keys_tenant_id_social_account_id_key_index
DO UPDATE SET asked_at = greatest(excluded.asked_at, kept.asked_at)
"""
KEEP_KEY = f"""
keys_deleted AS (
    DELETE FROM session_keys
    WHERE tenant_id = %(tenant_id)s AND EXISTS (SELECT FROM login_account) AND {OLD_KEYS}
), key_saved AS (
    INSERT INTO session_keys AS kept ({KEY_COLUMNS})
    SELECT {KEY_VALUES.format(id="id")} FROM login_account
    {ON_KNOWN_KEY}
)
"""  # noqa: S608 - a constant
DELETE_OLD_KEYS = f"DELETE FROM session_keys WHERE tenant_id = %(tenant_id)s AND {OLD_KEYS}"  # noqa: S608
SAVE_KEY = f"""
INSERT INTO session_keys AS kept ({KEY_COLUMNS})
VALUES ({KEY_VALUES.format(id="%(account_id)s")})
{ON_KNOWN_KEY}
"""  # noqa: S608 - a constant


# The account, and its keys newest first. Without a key, there is one row with nulls.
READ_ACCOUNT = f"""
SELECT account.openid, account.user_id, key.asked_at, key.session_key_sealed
FROM social_accounts AS account
LEFT JOIN LATERAL (
    SELECT asked_at, session_key_sealed FROM session_keys
    WHERE tenant_id = account.tenant_id AND social_account_id = account.id
    ORDER BY asked_at DESC LIMIT {KEPT}
) AS key ON true
WHERE account.tenant_id = %(tenant_id)s AND account.id = %(account_id)s
ORDER BY key.asked_at DESC
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """A social account, and its encrypted session_keys that may be in use, newest first."""

    openid: str
    user_id: UUID | None
    sealed_keys: Sequence[str]


def keep_session_key(
    db: Session, account: SocialAccount, session_key: str, asked_at: datetime
) -> None:
    """Store a session_key of a locked social account, and delete all but its last three keys.

    `asked_at` is when the code was sent to WeChat. Of two exchanges, the one with the later
    `asked_at` has the newer key, whichever finishes last.
    """
    row = key_row(account.tenant_id, account.id, session_key, asked_at)
    for statement in (DELETE_OLD_KEYS, SAVE_KEY):
        db.connection().exec_driver_sql(statement, row)


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


def with_session_keys(principal: Principal, read: Callable[[str], R]) -> tuple[AccountKeys, R]:
    """Call `read` with the caller's session_keys, newest first, until one decrypts the data.

    Returns the account and the result. Raises NoSocialAccount, SessionKeyStale if no key decrypts
    the data, and any other exception of `read`, because the key was right then.
    """
    account = _read_account(principal)
    for sealed in account.sealed_keys:
        session_key = _opened(sealed, principal)
        if session_key is None:
            continue
        try:
            return account, read(session_key)
        except SessionKeyStale:
            continue
    raise SessionKeyStale


def _read_account(principal: Principal) -> AccountKeys:
    where = {"tenant_id": principal.tenant_id, "account_id": principal.social_account_id}
    with autocommit() as db:
        rows = db.execute(READ_ACCOUNT, where).fetchall()
    if not rows:
        raise missing_account(principal)
    openid, user_id, *_ = rows[0]
    oldest = now() - PLAUSIBLE_LIFE
    kept = [(asked_at, sealed) for _, _, asked_at, sealed in rows if sealed is not None]
    sealed_keys = [sealed for asked_at, sealed in kept[1:] if asked_at > oldest]
    return AccountKeys(openid, user_id, [kept[0][1], *sealed_keys] if kept else [])


def _opened(sealed: str, principal: Principal) -> str | None:
    """Return the decrypted session_key. Return None and log an error if it cannot be decrypted."""
    place = {"social_account_id": principal.social_account_id}
    try:
        return SessionKey.session_key.open(sealed, SessionKey, **place)
    except SealBroken as error:
        log.error("session_key_broken", cause=str(error))
        return None
