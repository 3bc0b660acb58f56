"""SQL statements of the fast path of phone binding (docs/decisions/0018).

The writing statements lock and check again, in the order of every login: account, phone, user,
session. They write nothing if the account has been linked, the session has new tokens or has ended,
or the owner is no longer active. If a concurrent request has registered the number, the statement
raises UniqueViolation. The parameters are those of `fast_binding._values`.
"""

from app.services.audit import event_cte
from app.services.login.fast_statements import NO_OTHER_LOGIN, PERSON_COLUMNS
from app.services.sessions.sessions import BOUND_SESSION_COLUMNS

# The account, and the owner of the phone number as `person`.
READ_BINDING = f"""
SELECT account.user_id, account.openid, account.unionid, account.nickname, account.avatar_url,
    account.joins_by_unionid, account.created_at, tenants.phone_owner_policy,
    {PERSON_COLUMNS}
FROM social_accounts AS account
JOIN tenants ON tenants.id = account.tenant_id
LEFT JOIN phones AS phone
    ON phone.tenant_id = %(tenant_id)s AND phone.number_index = %(number_index)s
LEFT JOIN users AS person ON person.tenant_id = %(tenant_id)s AND person.id = phone.user_id
WHERE account.tenant_id = %(tenant_id)s AND account.id = %(account_id)s
"""  # noqa: S608 - of constants

LOCK_ACCOUNT = """
account AS (
    SELECT id, nickname, avatar_url FROM social_accounts
    WHERE tenant_id = %(tenant_id)s AND id = %(account_id)s AND user_id IS NULL
    FOR NO KEY UPDATE
)
"""


def _lock_session(source: str) -> str:
    return f"""
its_session AS (
    SELECT id FROM login_sessions
    WHERE tenant_id = %(tenant_id)s AND id = %(session_id)s
        AND token_hash = %(old_token_hash)s AND ended_at IS NULL AND user_id IS NULL
        AND EXISTS (SELECT FROM {source})
    FOR NO KEY UPDATE
)
"""  # noqa: S608 - of constants


def _link(source: str) -> str:
    """Link the account and bind the session to the user in `source`. Return the user's id."""
    columns = ", ".join(f"{name} = %(new_{name})s" for name in BOUND_SESSION_COLUMNS)
    return f"""
linked AS (
    UPDATE social_accounts SET user_id = %(user_id)s
    WHERE tenant_id = %(tenant_id)s AND id = %(account_id)s AND EXISTS (SELECT FROM {source})
)
UPDATE login_sessions SET {columns}
WHERE tenant_id = %(tenant_id)s AND id = %(session_id)s AND EXISTS (SELECT FROM {source})
RETURNING user_id
"""  # noqa: S608 - of constants


REGISTER_BY_PHONE = f"""
WITH {LOCK_ACCOUNT}, {_lock_session("account")}, registered AS (
    INSERT INTO users
        (id, tenant_id, nickname, avatar_url, last_login_at, last_login_ip, created_at)
    SELECT %(user_id)s, %(tenant_id)s, nickname, avatar_url, %(moment)s, %(ip)s, %(moment)s
    FROM account, its_session
    RETURNING id
), phone_added AS (
    INSERT INTO phones
        (id, tenant_id, user_id, number_index, number_sealed, country_code, verified_at)
    SELECT %(phone_id)s, %(tenant_id)s, id, %(number_index)s, %(number_sealed)s, %(country_code)s,
        %(moment)s
    FROM registered
), {event_cte("bound", "registered")}, {event_cte("verified", "registered")}, {_link("registered")}
"""  # noqa: S608 - of constants

BIND_TO_OWNER = f"""
WITH {LOCK_ACCOUNT}, phone AS (
    SELECT user_id FROM phones
    WHERE tenant_id = %(tenant_id)s AND number_index = %(number_index)s AND user_id = %(user_id)s
        AND EXISTS (SELECT FROM account)
    FOR UPDATE
), its_user AS MATERIALIZED (
    SELECT person.id AS user_id FROM users AS person
    WHERE person.tenant_id = %(tenant_id)s AND person.id = %(user_id)s
        AND status = 'active' AND erase_after IS NULL AND {NO_OTHER_LOGIN}
        AND EXISTS (SELECT FROM phone)
    FOR NO KEY UPDATE
), {_lock_session("its_user")}, user_updated AS (
    UPDATE users SET last_login_at = %(moment)s, last_login_ip = %(ip)s
    WHERE tenant_id = %(tenant_id)s AND id = %(user_id)s AND EXISTS (SELECT FROM its_session)
), {event_cte("bound", "its_session")}, {_link("its_session")}
"""  # noqa: S608 - of constants
