"""Fast path of logins by code: one statement reads, one writes (docs/decisions/0018).

It handles logins of linked users and logins that stay unbound. `linking_policy` decides, as on
the general path in `login`.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from app.clock import now
from app.models import Measure
from app.models.columns import new_id
from app.services.apps.apps import AppConfig
from app.services.database.transactions import CONFLICTS, autocommit
from app.services.login.code_exchange import CodeExchangeResult, LoginRequest
from app.services.metrics.counts import count, day_of
from app.services.sessions.active import BOUND_AND_ACTIVE
from app.services.sessions.sessions import SESSION_COLUMNS, session_row
from app.services.social_accounts.linking_policy import (
    Action,
    Evidence,
    KnownUser,
    decide_linking,
    depends_on_unionid_users,
)
from app.services.social_accounts.profiles import AccountProfile
from app.services.social_accounts.session_keys import KEEP_KEY, key_row
from app.services.users.users import PROFILE_COLUMNS, Profile, profile_from_row

if TYPE_CHECKING:
    from psycopg import Connection

# The user's active sessions in the app are counted up to the session limit only. ORDER BY keeps the
# planner from a sequential scan, which it would choose where few users have most of the sessions.
# The limit is part of the SQL text: with a parameter, PostgreSQL would plan each execution.
READ_STATE = """
SELECT account.id, account.unionid, account.nickname, account.avatar_url, account.user_id,
    (SELECT count(*) FROM (
        SELECT FROM login_sessions
        WHERE tenant_id = person.tenant_id AND user_id = person.id AND appid = %(appid)s
            AND {active}
        ORDER BY refresh_expires_at LIMIT {session_limit}
    ) AS active),
    phone.id, phone.number_sealed, phone.country_code, {columns}
FROM social_accounts AS account
LEFT JOIN users AS person ON person.tenant_id = account.tenant_id AND person.id = account.user_id
LEFT JOIN phones AS phone ON phone.tenant_id = person.tenant_id AND phone.user_id = person.id
WHERE account.tenant_id = %(tenant_id)s AND account.appid = %(appid)s
    AND account.openid = %(openid)s
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
# `count_active_sessions` takes a new snapshot after the lock, so it also counts the sessions of the
# logins that this login waited for.
LOG_IN_KNOWN = f"""
WITH locked AS (
    SELECT account.id, account.user_id
    FROM social_accounts AS account
    JOIN users AS person ON person.tenant_id = account.tenant_id AND person.id = account.user_id
    WHERE account.tenant_id = %(tenant_id)s AND account.id = %(account_id)s
        AND account.user_id = %(user_id)s
        AND account.unionid IS NOT DISTINCT FROM %(unionid)s
        AND (account.nickname <> '' OR NOT %(client_sent_nickname)s)
        AND person.status = 'active' AND person.erase_after IS NULL
    FOR NO KEY UPDATE OF account, person
), login_account AS MATERIALIZED (
    SELECT id, user_id FROM locked
    WHERE CASE WHEN %(session_limit)s > 0
        THEN count_active_sessions(%(tenant_id)s, %(appid)s, user_id, %(moment)s)
            < %(session_limit)s
        ELSE true END
), account_updated AS (
    UPDATE social_accounts SET last_login_at = %(moment)s
    WHERE tenant_id = %(tenant_id)s AND id = (SELECT id FROM login_account)
), user_updated AS (
    UPDATE users SET last_login_at = %(moment)s, last_login_ip = %(ip)s
    WHERE tenant_id = %(tenant_id)s AND id = (SELECT user_id FROM login_account)
), {KEEP_KEY} {OPEN_SESSION}
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
), {KEEP_KEY} {OPEN_SESSION}
"""  # noqa: S608 - of constants
# One upsert for new and unbound accounts would restore an account erased after the read.
LOG_IN_NEW = f"""
WITH login_account AS (
    INSERT INTO social_accounts
        (id, tenant_id, appid, openid, unionid, last_login_at, created_at)
    SELECT %(account_id)s, %(tenant_id)s, %(appid)s, %(openid)s, %(unionid)s::varchar, %(moment)s,
        %(moment)s
    WHERE {UNIONID_HAS_NO_USER}
    ON CONFLICT ON CONSTRAINT uq_social_accounts_appid_openid DO NOTHING
    RETURNING id, user_id
), {KEEP_KEY} {OPEN_SESSION}
"""


@dataclass(frozen=True, slots=True)
class LoginState:
    """The state that a login reads: a social account, its user, and the user's active sessions.

    `active_sessions` counts the sessions in the app, up to the session limit. `unionid` is the
    unionid of the account after this login. A new account is not yet in the database.
    """

    account_id: UUID
    unionid: str | None
    account_profile: AccountProfile
    user: Profile | None
    is_new: bool = False
    unionid_is_new: bool = False
    active_sessions: int = 0

    @property
    def user_id(self) -> UUID | None:
        """Return the id of the user, or None if the account belongs to no user."""
        return self.user.id if self.user else None


def try_fast_login(request: LoginRequest, exchanged: CodeExchangeResult) -> LoginState | None:
    """Log in with two statements. Return None, with nothing written, if the general path is needed.

    Raises UserDisabled.
    """
    if request.proven is not None or request.opens_unbound:
        return None
    moment = now()
    with autocommit() as db:
        state = _read_state(db, request.app, exchanged, moment)
        if not _state_is_sufficient(request, state):
            return None
        decision = decide_linking(request.app.registration, _user_for_policy(state), Evidence.LOGIN)
        if decision.action not in (Action.KEEP, Action.WAIT):
            return None
        write = LOG_IN_KNOWN if state.user else LOG_IN_NEW if state.is_new else LOG_IN_UNBOUND
        try:
            if not db.execute(write, _values(request, exchanged, state, moment)).fetchone():
                return None
        except CONFLICTS:
            return None
    _count(request.app.appid, state, moment)
    return state


def _read_state(
    db: "Connection[Any]", app: AppConfig, exchanged: CodeExchangeResult, moment: datetime
) -> LoginState:
    identity = exchanged.identity
    where = {"tenant_id": app.tenant_id, "appid": app.appid, "openid": identity.openid}
    row = db.execute(_read_statement(app.session_limit or 0), where | {"moment": moment}).fetchone()
    if row is None:
        nameless = AccountProfile(None, None)
        return LoginState(new_id(), identity.unionid, nameless, None, is_new=True)
    account_id, stored_unionid, nickname, avatar_url, user_id, active_sessions, *profile = row
    unionid = identity.unionid or stored_unionid
    return LoginState(
        account_id,
        unionid,
        AccountProfile(nickname, avatar_url),
        profile_from_row(profile) if user_id else None,
        unionid_is_new=unionid != stored_unionid,
        active_sessions=active_sessions,
    )


@cache
def _read_statement(session_limit: int) -> str:
    columns = ", ".join(f"person.{name}" for name in PROFILE_COLUMNS)
    return READ_STATE.format(session_limit=session_limit, columns=columns, active=BOUND_AND_ACTIVE)


def _state_is_sufficient(request: LoginRequest, state: LoginState) -> bool:
    """Return whether the login can be decided from the state alone.

    The login of an unlinked account also depends on other users with its unionid. The writing
    statement checks that there are none.
    """
    if _client_sent_nickname(request) and not state.account_profile.nickname:
        return False
    if state.user is None:
        return True
    limit = request.app.session_limit
    return (
        not depends_on_unionid_users(state.user_id, unionid_is_new=state.unionid_is_new)
        and state.user.erase_after is None
        and (limit is None or state.active_sessions < limit)
    )


def _client_sent_nickname(request: LoginRequest) -> bool:
    """Return whether the client sent a nickname other than WeChat's placeholder."""
    return request.client_profile is not None and request.client_profile.has_chosen_nickname


def _user_for_policy(state: LoginState) -> KnownUser | None:
    user = state.user
    return KnownUser(user.id, active=user.status == "active") if user else None


def _values(
    request: LoginRequest, exchanged: CodeExchangeResult, state: LoginState, moment: datetime
) -> dict[str, Any]:
    """Return the parameters of the writing statement. A session limit of 0 means no limit."""
    app, device, identity = request.app, request.device, exchanged.identity
    is_bound = state.user is not None
    session = session_row(app, device, exchanged.seed, is_bound=is_bound, moment=moment)
    return {
        **key_row(app.tenant_id, state.account_id, identity.session_key, exchanged.asked_at),
        **{f"session_{name}": value for name, value in session.items()},
        "appid": app.appid,
        "openid": identity.openid,
        "unionid": state.unionid,
        "user_id": state.user_id,
        "client_sent_nickname": _client_sent_nickname(request),
        "session_limit": app.session_limit or 0,
        "ip": device.ip,
        "moment": moment,
    }


def _count(appid: str, state: LoginState, moment: datetime) -> None:
    if state.user:
        count(appid, Measure.KNOWN)
    if state.is_new:
        count(appid, Measure.NEWCOMERS, day_of(moment))
    count(appid, Measure.LOGGED_IN)
