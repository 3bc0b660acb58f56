"""SQL statements of the fast login path (docs/decisions/0018).

Each writing statement checks the conditions of the decision again, and writes nothing if one of
them does not hold any more. The parameters are those of `fast_path._values`.
"""

from functools import cache

from app.services.audit import event_cte
from app.services.login.code_exchange import RECORD_CODE
from app.services.sessions.active import BOUND_AND_ACTIVE
from app.services.sessions.sessions import SESSION_COLUMNS
from app.services.social_accounts.session_keys import KEEP_KEY
from app.services.users.users import PROFILE_COLUMNS

# The number of active sessions in the app, the last login, the phone and the profile of the user
# `person`. Sessions are counted up to the session limit only. ORDER BY keeps the planner from a
# sequential scan, which it would choose where few users have most of the sessions. The limit is
# part of the SQL text: with a parameter, PostgreSQL would plan each execution.
PERSON_COLUMNS = f"""
    (SELECT count(*) FROM (
        SELECT FROM login_sessions
        WHERE tenant_id = %(tenant_id)s AND user_id = person.id AND appid = %(appid)s
            AND {BOUND_AND_ACTIVE}
        ORDER BY refresh_expires_at LIMIT {{session_limit}}
    ) AS active), person.last_login_at,
    phone.id, phone.number_sealed, phone.country_code,
    {", ".join(f"person.{name}" for name in PROFILE_COLUMNS)}
"""  # noqa: S608 - of constants
READ_STATE = f"""
SELECT account.id, account.unionid, account.nickname, account.avatar_url, account.user_id,
    {PERSON_COLUMNS}
FROM social_accounts AS account
LEFT JOIN users AS person ON person.tenant_id = %(tenant_id)s AND person.id = account.user_id
LEFT JOIN phones AS phone ON phone.tenant_id = %(tenant_id)s AND phone.user_id = person.id
WHERE account.tenant_id = %(tenant_id)s AND account.appid = %(appid)s
    AND account.openid = %(openid)s
"""  # noqa: S608 - of constants

# Whether the user `person` has not logged in since the read, so that the number of sessions that
# was read is current. Every login locks the user's row and changes `last_login_at` before it opens
# or binds a session. PostgreSQL checks the condition again after it has waited for the lock.
NO_OTHER_LOGIN = """
(%(session_limit)s = 0 OR person.last_login_at IS NOT DISTINCT FROM %(user_last_login_at)s)
"""

# Insert a session of the social account in `login_account`, with the columns of `session_row`.
OPEN_SESSION = f"""
INSERT INTO login_sessions (social_account_id, user_id, {", ".join(SESSION_COLUMNS)})
SELECT id, user_id, {", ".join(f"%(session_{name})s" for name in SESSION_COLUMNS)}
FROM login_account
RETURNING id
"""  # noqa: S608 - of constants

# Check all conditions of the decision again on the locked rows: another transaction may have
# changed a row while this login waited for the lock. Every login locks the account before the user.
LOG_IN_KNOWN = f"""
WITH login_account AS MATERIALIZED (
    SELECT account.id, account.user_id
    FROM social_accounts AS account
    JOIN users AS person ON person.tenant_id = account.tenant_id AND person.id = account.user_id
    WHERE account.tenant_id = %(tenant_id)s AND account.id = %(account_id)s
        AND account.user_id = %(user_id)s
        AND account.unionid IS NOT DISTINCT FROM %(unionid)s
        AND (account.nickname <> '' OR NOT %(client_sent_nickname)s)
        AND person.status = 'active' AND person.erase_after IS NULL
        AND {NO_OTHER_LOGIN}
    FOR NO KEY UPDATE OF account, person
), account_updated AS (
    UPDATE social_accounts SET last_login_at = %(moment)s
    WHERE tenant_id = %(tenant_id)s AND id = (SELECT id FROM login_account)
), user_updated AS (
    UPDATE users SET last_login_at = %(moment)s, last_login_ip = %(ip)s
    WHERE tenant_id = %(tenant_id)s AND id = (SELECT user_id FROM login_account)
), {RECORD_CODE}, {KEEP_KEY} {OPEN_SESSION}
"""  # noqa: S608 - of constants

# No lock is needed: an unbound login reads no other user's rows. If another app registers a user
# with the same unionid at this moment, the next login links them, as if this one had been earlier.
UNIONID_HAS_NO_USER = """
NOT EXISTS (
    SELECT FROM social_accounts
    WHERE tenant_id = %(tenant_id)s AND unionid = %(unionid)s::varchar AND user_id IS NOT NULL
)
"""
LOG_IN_UNBOUND = f"""
WITH login_account AS (
    UPDATE social_accounts AS account
    SET last_login_at = %(moment)s, unionid = %(unionid)s::varchar
    WHERE tenant_id = %(tenant_id)s AND id = %(account_id)s AND user_id IS NULL
        AND (account.unionid IS NULL OR account.unionid = %(unionid)s::varchar)
        AND {UNIONID_HAS_NO_USER}
    RETURNING id, user_id
), {RECORD_CODE}, {KEEP_KEY} {OPEN_SESSION}
"""  # noqa: S608 - of constants
# A release locks its app FOR UPDATE when it begins, and then moves the accounts of the app. An
# account that a login inserts later would violate the unique constraint when it is moved.
APP_IN_USE = """
    FROM wechat_apps AS app
    WHERE app.tenant_id = %(tenant_id)s AND app.appid = %(appid)s::varchar
        AND app.released_at IS NULL
"""
# One upsert for new and unbound accounts would restore an account erased after the read.
LOG_IN_NEW = f"""
WITH login_account AS (
    INSERT INTO social_accounts
        (id, tenant_id, appid, openid, unionid, last_login_at, created_at)
    SELECT %(account_id)s, %(tenant_id)s, %(appid)s, %(openid)s, %(unionid)s::varchar, %(moment)s,
        %(moment)s
    {APP_IN_USE} AND {UNIONID_HAS_NO_USER}
    FOR KEY SHARE OF app
    ON CONFLICT ON CONSTRAINT uq_social_accounts_tenant_id_appid_openid DO NOTHING
    RETURNING id, user_id
), {RECORD_CODE}, {KEEP_KEY} {OPEN_SESSION}
"""
# The user and the account are inserted together, so no row is updated. Run it after `LOCK_UNIONID`
# if there is a unionid. If a concurrent first login has inserted the account, the statement raises
# UniqueViolation.
LOG_IN_REGISTERED = f"""
WITH registered AS (
    INSERT INTO users (id, tenant_id, last_login_at, last_login_ip, created_at)
    SELECT %(user_id)s, %(tenant_id)s, %(moment)s, %(ip)s, %(moment)s
    {APP_IN_USE} AND {UNIONID_HAS_NO_USER}
    FOR KEY SHARE OF app
    RETURNING id
), login_account AS (
    INSERT INTO social_accounts
        (id, tenant_id, appid, openid, unionid, user_id, last_login_at, created_at)
    SELECT %(account_id)s, %(tenant_id)s, %(appid)s, %(openid)s, %(unionid)s::varchar, id,
        %(moment)s, %(moment)s
    FROM registered
    RETURNING id, user_id
), {event_cte("bound", "login_account")}, {RECORD_CODE}, {KEEP_KEY} {OPEN_SESSION}
"""  # noqa: S608 - of constants


@cache
def with_session_limit(statement: str, session_limit: int | None) -> str:
    """Return a reading statement for a session limit. Without a limit, no session is counted."""
    return statement.format(session_limit=session_limit or 0)
