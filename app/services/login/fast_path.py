"""Fast path of logins by code: one statement reads, one writes (docs/decisions/0018).

It handles logins of linked users, logins that stay unbound, and first logins that register a user.
`linking_policy` decides, as on the general path in `login`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from app.clock import now
from app.errors.sqlstates import violated_constraint
from app.models import Measure
from app.models.columns import new_id
from app.services import audit
from app.services.apps.apps import AppConfig
from app.services.database.distribution import is_distributed
from app.services.database.transactions import CONFLICTS, autocommit, execute_locked
from app.services.login.code_exchange import (
    CODE_CONSTRAINT,
    CodeAlreadyExchanged,
    CodeExchangeResult,
    LoginRequest,
    code_row,
)
from app.services.login.fast_statements import (
    LOG_IN_KNOWN,
    LOG_IN_NEW,
    LOG_IN_REGISTERED,
    LOG_IN_UNBOUND,
    READ_STATE,
    with_session_limit,
)
from app.services.metrics.counts import count, day_of
from app.services.principals import Device
from app.services.sessions.sessions import session_row
from app.services.social_accounts.accounts import LOCK_UNIONID
from app.services.social_accounts.decision_log import log_decision
from app.services.social_accounts.linking_policy import (
    Action,
    Evidence,
    KnownUser,
    decide_linking,
    depends_on_unionid_users,
)
from app.services.social_accounts.profiles import AccountProfile
from app.services.social_accounts.session_keys import key_row
from app.services.users.users import Profile, profile_from_row, profile_of_newcomer

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

# A first login can lose to a concurrent one. It then reads the account that the other one inserted.
ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class LoginState:
    """The state that a login reads: a social account, its user, and the user's active sessions.

    `active_sessions` counts the sessions in the app, up to the session limit. `last_login_at` is
    the user's. `unionid` is the unionid of the account after this login. A new account is not yet
    in the database.
    """

    account_id: UUID
    unionid: str | None
    account_profile: AccountProfile
    user: Profile | None
    is_new: bool = False
    unionid_is_new: bool = False
    active_sessions: int = 0
    last_login_at: datetime | None = None

    @property
    def user_id(self) -> UUID | None:
        """Return the id of the user, or None if the account belongs to no user."""
        return self.user.id if self.user else None

    @property
    def is_registered(self) -> bool:
        """Return whether this login registers the user."""
        return self.is_new and self.user is not None

    @property
    def action(self) -> Action:
        """Return the action of the linking decision."""
        if self.user is None:
            return Action.WAIT
        return Action.REGISTER if self.is_new else Action.KEEP


def try_fast_login(request: LoginRequest, exchanged: CodeExchangeResult) -> LoginState | None:
    """Log in with two statements. Return None, with nothing written, if the general path is needed.

    Raises UserDisabled, and CodeAlreadyExchanged if a concurrent request has logged in with the
    code.
    """
    if request.proven is not None or request.opens_unbound:
        return None
    moment = now()
    with autocommit() as db:
        if is_distributed(db):
            return None
        for _ in range(ATTEMPTS):
            state = _decide(request, _read_state(db, request.app, exchanged, moment), moment)
            if state is None:
                return None
            try:
                if _write(db, state, _values(request, exchanged, state, moment)).fetchone() is None:
                    return None
            except CONFLICTS as conflict:
                if violated_constraint(conflict) == CODE_CONSTRAINT:
                    raise CodeAlreadyExchanged from None
                continue
            _count(request.app.appid, state, moment)
            log_decision(state.action, Evidence.LOGIN, request.app.registration)
            return state
    return None


def _decide(request: LoginRequest, state: LoginState, moment: datetime) -> LoginState | None:
    """Return the state after the login, with the user that it registers, or None.

    Raises UserDisabled.
    """
    if not _state_is_sufficient(request, state):
        return None
    app = request.app
    decision = decide_linking(app.registration, _user_for_policy(state), Evidence.LOGIN)
    if decision.action in (Action.KEEP, Action.WAIT):
        return state
    if decision.action is Action.REGISTER and state.is_new:
        return replace(state, user=profile_of_newcomer(app.tenant_id, new_id(), moment))
    return None


def _write(db: "Connection[Any]", state: LoginState, values: dict[str, Any]) -> "Cursor[Any]":
    if state.is_registered and state.unionid is not None:
        return execute_locked(db, LOCK_UNIONID, LOG_IN_REGISTERED, values)
    if state.is_registered:
        return db.execute(LOG_IN_REGISTERED, values)
    write = LOG_IN_KNOWN if state.user else LOG_IN_NEW if state.is_new else LOG_IN_UNBOUND
    return db.execute(write, values)


def _read_state(
    db: "Connection[Any]", app: AppConfig, exchanged: CodeExchangeResult, moment: datetime
) -> LoginState:
    identity = exchanged.identity
    where = {"tenant_id": app.tenant_id, "appid": app.appid, "openid": identity.openid}
    statement = with_session_limit(READ_STATE, app.session_limit)
    row = db.execute(statement, where | {"moment": moment}).fetchone()
    if row is None:
        nameless = AccountProfile(None, None)
        return LoginState(new_id(), identity.unionid, nameless, None, is_new=True)
    account_id, stored_unionid, nickname, avatar_url, user_id, *of_user = row
    active_sessions, last_login_at, *profile = of_user
    unionid = identity.unionid or stored_unionid
    return LoginState(
        account_id,
        unionid,
        AccountProfile(nickname, avatar_url),
        profile_from_row(profile) if user_id else None,
        unionid_is_new=unionid != stored_unionid,
        active_sessions=active_sessions,
        last_login_at=last_login_at,
    )


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
        **code_row(request, exchanged),
        "openid": identity.openid,
        "unionid": state.unionid,
        "user_id": state.user_id,
        "client_sent_nickname": _client_sent_nickname(request),
        "session_limit": app.session_limit or 0,
        "user_last_login_at": state.last_login_at,
        "ip": device.ip,
        "moment": moment,
        **(_event_values(app, device, state) if state.is_registered else {}),
    }


def _event_values(app: AppConfig, device: Device, state: LoginState) -> dict[str, Any]:
    """Return the parameters of the audit event that `_apply_decision` would record."""
    actor, action = audit.Actor("user", state.user_id, device.ip), "social_account.bound"
    return audit.event_parameters("bound", app.tenant_id, actor, action, state.account_id)


def _count(appid: str, state: LoginState, moment: datetime) -> None:
    if state.is_registered:
        count(appid, Measure.REGISTERED)
        count(appid, Measure.BECAME_USERS, day_of(moment))
    elif state.user:
        count(appid, Measure.KNOWN)
    if state.is_new:
        count(appid, Measure.NEWCOMERS, day_of(moment))
    count(appid, Measure.LOGGED_IN)
