"""Session authentication: find the principal of a login token."""

import time
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.clock import now
from app.errors import Failure, SessionExpired
from app.services.cache.registry import caches
from app.services.cache.session_cache import Life, SessionCache
from app.services.database.transactions import autocommit, transaction
from app.services.principals import Principal
from app.services.sessions.last_seen import NOTED_EVERY, LastSeen, last_seen
from app.services.sessions.session_checks import (
    explain_unknown_token,
    refuse_disabled,
    refuse_ended,
)
from app.services.sessions.sessions import LOGIN_LIFETIME
from app.services.sessions.tokens import is_login_token, tenant_in_token, token_hash

SELECT_SESSION = """
SELECT s.id, s.tenant_id, s.appid, s.social_account_id, s.user_id, {expires_at}, s.seen_at,
       s.ended_at, s.end_reason, u.status, a.enabled, t.status, t.slug
FROM login_sessions s
JOIN wechat_apps a ON a.appid = s.appid
JOIN tenants t ON t.id = s.tenant_id
LEFT JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
"""
READ = f"""{SELECT_SESSION.format(expires_at="s.expires_at")}
WHERE s.tenant_id = %(tenant_id)s AND s.token_hash = %(token_hash)s
"""
# For tokens that do not name their tenant. Reads the sessions of all tenants by an index. Such a
# token expires with the refresh token that was issued with it, even if it is in use.
EARLIEST_EXPIRY = "least(s.expires_at, s.refresh_expires_at)"
READ_WITHOUT_TENANT = f"""{SELECT_SESSION.format(expires_at=EARLIEST_EXPIRY)}
WHERE s.token_hash = %(token_hash)s AND NOT s.names_tenant
"""
NOTED_EVERY_SECONDS = NOTED_EVERY.total_seconds()
LIFETIME_SECONDS = LOGIN_LIFETIME.total_seconds()


class Found(NamedTuple):
    """A session row, with the status of its user, app and tenant."""

    id: UUID
    tenant_id: UUID
    appid: str
    social_account_id: UUID | None
    user_id: UUID | None
    expires_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    user_status: str | None
    app_enabled: bool
    tenant_status: str
    tenant_slug: str


def authenticate(token: str, *, even_expired: bool = False) -> Principal:
    """Return the principal of a login token, and record the use, which extends bound sessions.

    With `even_expired`, an expired session is accepted. Raises TokenInvalid, SessionReplaced,
    SessionEnded, SessionRevoked, SessionExpired, UserDisabled, AppDisabled or TenantDisabled.
    """
    remembered = find_cached_principal(caches().sessions, last_seen(), token)
    return remembered or _find_in_database(token, even_expired)


def find_cached_principal(sessions: SessionCache, uses: LastSeen, token: str) -> Principal | None:
    """Return the principal of a cached session, or None. Record the use like `authenticate`."""
    found = sessions.find(token_hash(token))
    if found is None:
        return None
    principal, life = found
    used = _used(uses, principal, life)
    if used is not life:
        sessions.keep(principal, used)
    return principal


def read_bound_principal(sessions: SessionCache, uses: LastSeen, token: str) -> Principal | None:
    """Return the principal of a session in the database if it is valid and bound, or None.

    Runs one statement. Caches the session and records the use like `authenticate`. Raises
    psycopg.Error or SQLAlchemyError.
    """
    asked_at = time.monotonic()
    found = _read(token)
    if found is None or found.user_id is None:
        return None
    try:
        return _admit(found, asked_at, sessions, uses, token)
    except Failure:
        return None


def _find_in_database(token: str, even_expired: bool) -> Principal:
    asked_at = time.monotonic()
    found = _read(token)
    if found is None:
        with transaction() as session:
            raise explain_unknown_token(session, token)
    try:
        return _admit(found, asked_at, caches().sessions, last_seen(), token)
    except SessionExpired:
        if even_expired:
            return _principal_of(found, token)
        raise


def _admit(
    found: Found, asked_at: float, sessions: SessionCache, uses: LastSeen, token: str
) -> Principal:
    """Return the principal of a valid session, cache the session, and record the use."""
    refuse_ended(found)
    refuse_disabled(found.user_status, found.app_enabled, found.tenant_status)
    life = _life(found, asked_at)
    if life.expires_at <= time.monotonic():
        raise SessionExpired
    principal = _principal_of(found, token)
    sessions.keep(principal, _used(uses, principal, life))
    return principal


def _principal_of(found: Found, token: str) -> Principal:
    return Principal(
        found.id,
        found.tenant_id,
        found.tenant_slug,
        found.appid,
        found.social_account_id,
        found.user_id,
        token_hash(token),
    )


def _life(found: Found, asked_at: float) -> Life:
    """Convert a session's expiry and last use to the monotonic clock of this process."""
    moment = now()
    left, unused = found.expires_at - moment, moment - found.seen_at
    return Life(asked_at, asked_at + left.total_seconds(), asked_at - unused.total_seconds())


def _read(token: str) -> Found | None:
    if not is_login_token(token):
        return None
    tenant_id = tenant_in_token(token)
    values = {"token_hash": token_hash(token), "tenant_id": tenant_id}
    statement = READ_WITHOUT_TENANT if tenant_id is None else READ
    with autocommit() as db:
        row = db.execute(statement, values).fetchone()
    return None if row is None else Found(*row)


def _used(uses: LastSeen, principal: Principal, life: Life) -> Life:
    """Record a use of a session, at most once a minute. Return the lifetime after the use.

    A use extends bound sessions only.
    """
    moment = time.monotonic()
    if moment - life.used_at < NOTED_EVERY_SECONDS:
        return life
    uses.note(principal.tenant_id, principal.token_hash)
    expires_at = moment + LIFETIME_SECONDS if principal.user_id else life.expires_at
    return Life(life.read_at, expires_at, moment)
