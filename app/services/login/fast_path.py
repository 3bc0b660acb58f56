"""Logins about which nothing is to be decided: a look at whom it is, and one statement to enter.

They are of people whose social account is bound, and of those who stay unbound. Where more is to
be done, nothing is, and `login` takes its general path (docs/decisions/0018).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from app.clock import now
from app.models import Measure, Phone, SessionKey
from app.models.columns import new_id
from app.services.database.transactions import CONFLICTS, autocommit
from app.services.login.code_exchange import Ask
from app.services.metrics.counts import count, day_of
from app.services.sessions.sessions import LOGIN_LIFETIME, REFRESH_LIFETIME, Opening
from app.services.sessions.tokens import token_hash
from app.services.social_accounts.profiles import KeptProfile
from app.services.social_accounts.session_keys import KEPT, Met, key_index
from app.services.users.users import Profile

# The active sessions of the user in the app are counted up to the limit and no further. Their order
# keeps the planner from reading the whole table, which seems cheap where few users have most of it.
# The limit is part of the text: with a parameter, the planner plans anew each time.
FIND = """
SELECT account.id, account.unionid, account.nickname, account.avatar_url,
    (SELECT count(*) FROM (
        SELECT FROM login_sessions
        WHERE tenant_id = person.tenant_id AND user_id = person.id AND appid = %(appid)s
            AND ended_at IS NULL AND refresh_expires_at > %(moment)s
        ORDER BY refresh_expires_at LIMIT {session_limit}
    ) AS active),
    phone.id, phone.number_sealed, phone.country_code,
    person.id, person.tenant_id, person.account, person.nickname, person.avatar_url,
    person.gender, person.level, person.status, person.created_at, person.erase_after
FROM social_accounts AS account
LEFT JOIN users AS person ON person.tenant_id = account.tenant_id AND person.id = account.user_id
LEFT JOIN phones AS phone ON phone.tenant_id = person.tenant_id AND phone.user_id = person.id
WHERE account.tenant_id = %(tenant_id)s AND account.appid = %(appid)s
    AND account.openid = %(openid)s
"""

# What both ways write on the account that they are `standing` on. Rows are named by scalars: a plan
# may be kept from when the tables were small, and then a join reads them whole. Two logins of a
# person at once do not see each other's keys: until the next, a fourth may stay that nobody reads.
KEEP_KEY = f"""
key_forgotten AS (
    DELETE FROM session_keys WHERE EXISTS (SELECT FROM standing) AND id = ANY (ARRAY(
        SELECT id FROM session_keys
        WHERE tenant_id = %(tenant_id)s AND social_account_id = %(account_id)s
            AND key_index <> %(key_index)s
        ORDER BY asked_at DESC OFFSET {KEPT - 1}
    ))
), key_kept AS (
    INSERT INTO session_keys AS kept
        (id, tenant_id, social_account_id, key_index, session_key_sealed, asked_at)
    SELECT %(key_id)s, %(tenant_id)s, id, %(key_index)s, %(session_key_sealed)s, %(asked_at)s
    FROM standing
    ON CONFLICT ON CONSTRAINT uq_session_keys_tenant_id_social_account_id_key_index
    DO UPDATE SET asked_at = greatest(excluded.asked_at, kept.asked_at)
)
"""  # noqa: S608 - a constant
OPEN_SESSION = """
INSERT INTO login_sessions
    (id, tenant_id, appid, social_account_id, user_id, was_bound,
    token_hash, expires_at, refresh_family_hash, refresh_hash, refresh_expires_at,
    device, ip, created_at, seen_at)
SELECT %(session_id)s, %(tenant_id)s, %(appid)s, id, user_id, user_id IS NOT NULL,
    %(token_hash)s, %(expires_at)s, %(family_hash)s, %(refresh_hash)s, %(refresh_expires_at)s,
    %(device)s, %(ip)s, %(moment)s, %(moment)s
FROM standing
RETURNING id
"""

# All that the login stands on is asked again of the locked rows, account before user as everywhere:
# a row that had to be waited for is looked at as it then is. Without them nothing is written.
# The count takes its own snapshot, after the lock: it includes the sessions of logins waited for.
ENTER_KNOWN = f"""
WITH locked AS (
    SELECT account.id, account.user_id
    FROM social_accounts AS account
    JOIN users AS person ON person.tenant_id = account.tenant_id AND person.id = account.user_id
    WHERE account.tenant_id = %(tenant_id)s AND account.id = %(account_id)s
        AND account.user_id = %(user_id)s
        AND account.unionid IS NOT DISTINCT FROM %(unionid)s
        AND (account.nickname <> '' OR NOT %(is_named)s)
        AND person.status = 'active' AND person.erase_after IS NULL
    FOR NO KEY UPDATE OF account, person
), standing AS MATERIALIZED (
    SELECT id, user_id FROM locked
    WHERE CASE WHEN %(session_limit)s > 0
        THEN count_active_sessions(%(tenant_id)s, %(appid)s, user_id, %(moment)s)
            < %(session_limit)s
        ELSE true END
), account_noted AS (
    UPDATE social_accounts SET last_login_at = %(moment)s WHERE id = (SELECT id FROM standing)
), user_noted AS (
    UPDATE users SET last_login_at = %(moment)s, last_login_ip = %(ip)s
    WHERE id = (SELECT user_id FROM standing)
), {KEEP_KEY} {OPEN_SESSION}
"""  # noqa: S608 - of constants

# Nobody need be locked out to find that the person stays unbound: whom another app registers at
# this moment, by the same unionid, joins them at the next login, as if this one had been earlier.
IS_NOBODYS = """
NOT EXISTS (
    SELECT FROM social_accounts
    WHERE tenant_id = %(tenant_id)s AND unionid = %(unionid)s::varchar AND user_id IS NOT NULL
)
"""
ENTER_UNBOUND = f"""
WITH standing AS (
    UPDATE social_accounts AS account
    SET last_login_at = %(moment)s, unionid = %(unionid)s::varchar
    WHERE tenant_id = %(tenant_id)s AND id = %(account_id)s AND user_id IS NULL
        AND (account.unionid IS NULL OR account.unionid = %(unionid)s::varchar)
        AND {IS_NOBODYS}
    RETURNING id, user_id
), {KEEP_KEY} {OPEN_SESSION}
"""  # noqa: S608 - of constants
# Not one statement with that before: whoever was erased since the look would be back as they were.
ENTER_NEW = f"""
WITH standing AS (
    INSERT INTO social_accounts
        (id, tenant_id, appid, openid, unionid, last_login_at, created_at)
    SELECT %(account_id)s, %(tenant_id)s, %(appid)s, %(openid)s, %(unionid)s::varchar, %(moment)s,
        %(moment)s
    WHERE {IS_NOBODYS}
    ON CONFLICT ON CONSTRAINT uq_social_accounts_appid_openid DO NOTHING
    RETURNING id, user_id
), {KEEP_KEY} {OPEN_SESSION}
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A social account and its user, as a login shows them, and the user's active sessions.

    Those are counted in the app, and not beyond its session limit.
    """

    account_id: UUID
    unionid: str | None
    kept: KeptProfile
    user: Profile | None
    active_sessions: int = 0

    @property
    def user_id(self) -> UUID | None:
        return self.user.id if self.user else None


def try_fast_login(ask: Ask, opening: Opening, met: Met, *, is_named: bool) -> Found | None:
    """Log a person in with two statements; return None, with nothing written, if that is not all.

    There is more to do if a password was proven, the user has reached the app's session limit, the
    client names a person whom nothing names yet (`is_named`), the unionid may tell the user of the
    social account, the person is to be registered, the user is disabled or has closed the account,
    or a race was lost.
    """
    if ask.proven is not None:
        return None
    whom = _whom(ask, met, is_named)
    with autocommit() as db:
        row = db.execute(_find(whom["session_limit"]), whom).fetchone()
        found = _found(met, row) if row else _newcomer(met)
        if not _is_plain(ask, found, is_named):
            return None
        enter = ENTER_KNOWN if found.user else ENTER_UNBOUND if row else ENTER_NEW
        try:
            if not db.execute(enter, _entry(whom, ask, opening, met, found)).fetchone():
                return None
        except CONFLICTS:
            return None
    if found.user:
        count(ask.app.appid, Measure.KNOWN)
    if row is None:
        count(ask.app.appid, Measure.NEWCOMERS, day_of(whom["moment"]))
    count(ask.app.appid, Measure.LOGGED_IN)
    return found


@cache
def _find(session_limit: int) -> str:
    return FIND.format(session_limit=session_limit)


def _whom(ask: Ask, met: Met, is_named: bool) -> dict[str, Any]:
    """Return what is known before the first read. A limit of 0 sessions is none."""
    app = ask.app
    return {
        "tenant_id": app.tenant_id,
        "appid": app.appid,
        "openid": met.identity.openid,
        "is_named": is_named,
        "session_limit": app.session_limit or 0,
        "moment": now(),
    }


def _is_plain(ask: Ask, found: Found, is_named: bool) -> bool:
    """Whether there is nothing to decide, as far as the first read shows."""
    if found.user is None:
        return not is_named and ask.app.registration != "on_login"
    if ask.app.session_limit is not None and found.active_sessions >= ask.app.session_limit:
        return False
    return found.user.status == "active" and found.user.erase_after is None


def _newcomer(met: Met) -> Found:
    return Found(new_id(), met.identity.unionid, KeptProfile(None, None), None)


def _found(met: Met, row: Sequence[Any]) -> Found:
    """Read what `FIND` gives; with the unionid that the account has from now on."""
    account_id, unionid, nickname, avatar_url, active_sessions, *its_user = row
    unionid, kept = met.identity.unionid or unionid, KeptProfile(nickname, avatar_url)
    return Found(account_id, unionid, kept, _profile(*its_user), active_sessions)


def _profile(
    phone_id: UUID | None, sealed: str | None, country_code: int | None, *person: Any
) -> Profile | None:
    *facts, erase_after = person
    if facts[0] is None:
        return None
    number = sealed and Phone.number.open(sealed, Phone, id=phone_id)
    return Profile(*(*facts, number, country_code, erase_after))


def _entry(
    whom: dict[str, Any], ask: Ask, opening: Opening, met: Met, found: Found
) -> dict[str, Any]:
    """Make all that a login writes: ids, hashes and ciphertext."""
    session_key, account_id = met.identity.session_key, found.account_id
    place, moment = {"social_account_id": account_id}, whom["moment"]
    pair, bound = opening.pair, found.user is not None
    return {
        **whom,
        "account_id": account_id,
        "unionid": found.unionid,
        "user_id": found.user_id,
        "device": ask.device.name,
        "ip": ask.device.ip,
        "key_id": new_id(),
        "key_index": key_index(account_id, session_key),
        "session_key_sealed": SessionKey.session_key.seal(session_key, SessionKey, **place),
        "asked_at": met.asked_at,
        "session_id": opening.session_id,
        "token_hash": token_hash(pair.login),
        "expires_at": moment + LOGIN_LIFETIME,
        "family_hash": pair.refresh.family_hash if bound else None,
        "refresh_hash": pair.refresh.rotating_hash if bound else None,
        "refresh_expires_at": moment + REFRESH_LIFETIME if bound else None,
    }
