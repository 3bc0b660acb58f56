"""Fast path of a refresh: one statement reads, one writes.

It handles a current refresh token of an active session. All other refreshes take the general path
in `refresh`, which locks the session and explains a refusal.
"""

from typing import Any

from app.clock import now
from app.services.database.transactions import autocommit
from app.services.principals import Device
from app.services.sessions.session_checks import refuse_disabled
from app.services.sessions.sessions import (
    BOUND_SESSION_COLUMNS,
    Tokens,
    bound_session_row,
    tokens_of,
)
from app.services.sessions.tokens import RefreshToken, TokenPair, new_salt

SELECT_SESSION = """
SELECT login_sessions.tenant_id, login_sessions.id, login_sessions.appid,
    login_sessions.user_id, login_sessions.token_hash, login_sessions.refresh_hash,
    users.status, wechat_apps.enabled, tenants.status
FROM login_sessions
JOIN users ON users.tenant_id = login_sessions.tenant_id AND users.id = login_sessions.user_id
JOIN wechat_apps ON wechat_apps.appid = login_sessions.appid
JOIN tenants ON tenants.id = login_sessions.tenant_id
WHERE refresh_family_hash = %(family_hash)s AND ended_at IS NULL
    AND refresh_expires_at > %(moment)s
"""
READ_SESSION = f"{SELECT_SESSION} AND login_sessions.tenant_id = %(tenant_id)s"
# For tokens that do not name their tenant. Reads the sessions of all tenants by an index.
READ_WITHOUT_TENANT = f"{SELECT_SESSION} AND NOT login_sessions.names_tenant"

COLUMNS = (*BOUND_SESSION_COLUMNS, "device", "ip")
# The hash of the refresh token and the end are checked again, because a concurrent refresh or
# logout may have committed since the read.
ROTATE = f"""
UPDATE login_sessions SET {", ".join(f"{name} = %({name})s" for name in COLUMNS)},
    names_tenant = names_tenant OR %(names_tenant)s
WHERE tenant_id = %(tenant_id)s AND id = %(session_id)s AND user_id = %(user_id)s
    AND refresh_hash = %(old_refresh_hash)s AND ended_at IS NULL
RETURNING id
"""  # noqa: S608 - of constants


def try_fast_refresh(shown: RefreshToken, device: Device, appid: str | None) -> Tokens | None:
    """Rotate the tokens of a session with two statements. Return None if nothing was written.

    Raises UserDisabled, AppDisabled and TenantDisabled.
    """
    moment = now()
    with autocommit() as db:
        where = {
            "tenant_id": shown.tenant_id,
            "family_hash": shown.family_hash,
            "moment": moment,
        }
        read = READ_WITHOUT_TENANT if shown.tenant_id is None else READ_SESSION
        row = db.execute(read, where).fetchone()
        if row is None:
            return None
        tenant_id, session_id, its_appid, user_id, old_token_hash, refresh_hash, *statuses = row
        if not shown.is_current(refresh_hash) or appid not in (None, its_appid):
            return None
        refuse_disabled(*statuses)
        salt = new_salt()
        pair = TokenPair.derived(tenant_id, str(shown), salt, shown.family)
        values: dict[str, Any] = bound_session_row(old_token_hash, pair, user_id, moment)
        values |= {
            "previous_refresh_hash": shown.rotating_hash,
            "refresh_salt": salt,
            "refreshed_at": moment,
            "device": device.name,
            "ip": device.ip,
            "names_tenant": shown.tenant_id is not None,
            "tenant_id": tenant_id,
            "session_id": session_id,
            "old_refresh_hash": refresh_hash,
        }
        if db.execute(ROTATE, values).fetchone() is None:
            return None
    return tokens_of(pair, user_id)
