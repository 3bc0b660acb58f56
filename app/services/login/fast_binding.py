"""Fast path of phone binding: one statement reads, one writes (docs/decisions/0018).

It handles unlinked accounts: a number without an owner registers a user, and a number with an owner
binds the account to the owner. `linking_policy` decides, as on the general path in `binding`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from app.clock import now
from app.models import Measure, Phone
from app.models.columns import new_id
from app.services import audit
from app.services.database.distribution import is_distributed
from app.services.database.transactions import CONFLICTS, autocommit
from app.services.login.fast_binding_statements import (
    BIND_TO_OWNER,
    READ_BINDING,
    REGISTER_BY_PHONE,
)
from app.services.login.fast_statements import with_session_limit
from app.services.login.login import Login
from app.services.metrics.counts import count, day_of
from app.services.principals import Principal
from app.services.sessions.sessions import bound_session_row, tokens_of
from app.services.sessions.tokens import TokenPair
from app.services.social_accounts.account_linking import RequestContext
from app.services.social_accounts.decision_log import log_decision
from app.services.social_accounts.linking_policy import (
    Action,
    Evidence,
    KnownUser,
    decide_linking,
)
from app.services.social_accounts.profiles import AccountProfile
from app.services.users.phone_numbers import PhoneNumber, number_index
from app.services.users.users import Profile, profile_from_row, profile_of_newcomer

if TYPE_CHECKING:
    from psycopg import Connection

# A binding can lose to a concurrent one with the same number. It then reads the new owner.
ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class PhoneBinding:
    """A request to bind an unbound session by a verified phone number."""

    context: RequestContext
    principal: Principal
    number: PhoneNumber
    kept_token: str | None


@dataclass(frozen=True, slots=True)
class BindingState:
    """The state that a binding reads: an unlinked account, and the user with the number, if any.

    After the decision, `user` is the user that the account is linked to.
    """

    openid: str
    unionid: str | None
    account_profile: AccountProfile
    was_never_bound: bool
    first_day: datetime
    user: Profile | None
    user_last_login_at: datetime | None
    registers: bool = False


def try_fast_bind(binding: PhoneBinding) -> Login | None:
    """Bind with two statements. Return None, with nothing written, if the general path is needed.

    Raises UserDisabled and RegistrationClosed.
    """
    if binding.principal.user_id is not None or binding.principal.social_account_id is None:
        return None
    moment = now()
    with autocommit() as db:
        if is_distributed(db):
            return None
        for _ in range(ATTEMPTS):
            state = _decide(binding, _read_state(db, binding, moment), moment)
            if state is None:
                return None
            pair = TokenPair.random(binding.principal.tenant_id, binding.kept_token)
            write = REGISTER_BY_PHONE if state.registers else BIND_TO_OWNER
            try:
                if db.execute(write, _values(binding, state, pair, moment)).fetchone() is None:
                    return None
            except CONFLICTS:
                continue
            _count(binding.context.app.appid, state)
            action = Action.REGISTER if state.registers else Action.BIND
            log_decision(action, Evidence.PHONE, binding.context.app.registration)
            user = cast(Profile, state.user)
            return Login(tokens_of(pair, user.id), user, state.openid, state.unionid)
    return None


def _read_state(
    db: "Connection[Any]", binding: PhoneBinding, moment: datetime
) -> BindingState | None:
    """Return the state, or None if the binding needs the general path."""
    app, principal = binding.context.app, binding.principal
    where = {
        "tenant_id": principal.tenant_id,
        "account_id": principal.social_account_id,
        "appid": app.appid,
        "number_index": number_index(principal.tenant_id, binding.number),
        "moment": moment,
    }
    limit = app.session_limit
    row = db.execute(with_session_limit(READ_BINDING, limit), where).fetchone()
    if row is None:
        return None
    user_id, openid, unionid, nickname, avatar_url, joins, created_at, policy, *of_owner = row
    active, last_login_at, *user = of_owner
    owner = profile_from_row(user) if user[0] else None
    if user_id is not None:
        return None
    if owner and (owner.status == "merged" or policy != "bind" or (limit and active >= limit)):
        return None
    profile = AccountProfile(nickname, avatar_url)
    return BindingState(openid, unionid, profile, joins, created_at, owner, last_login_at)


def _decide(
    binding: PhoneBinding, state: BindingState | None, moment: datetime
) -> BindingState | None:
    """Return the state after the binding, or None if the binding needs the general path."""
    if state is None:
        return None
    owner = state.user
    owners = [KnownUser(owner.id, active=owner.status == "active")] if owner else []
    decision = decide_linking(binding.context.app.registration, None, Evidence.PHONE, owners)
    if decision.action is Action.REGISTER:
        user = profile_of_newcomer(binding.principal.tenant_id, new_id(), moment)
        names = state.account_profile
        user = replace(
            user,
            nickname=names.nickname,
            avatar_url=names.avatar_url,
            phone=binding.number.e164,
            phone_country_code=binding.number.country_code,
        )
        return replace(state, user=user, registers=True)
    # The general path reopens a closed account, and copies the nickname to an owner without one.
    if owner is None or owner.erase_after is not None:
        return None
    return state if owner.nickname or state.account_profile.nickname is None else None


def _values(
    binding: PhoneBinding, state: BindingState, pair: TokenPair, moment: datetime
) -> dict[str, Any]:
    """Return the parameters of the writing statements. A session limit of 0 means no limit."""
    context, principal = binding.context, binding.principal
    user_id, phone_id = cast(Profile, state.user).id, new_id()
    session = bound_session_row(principal.token_hash, pair, user_id, moment)
    event = partial(
        audit.event_parameters,
        tenant_id=principal.tenant_id,
        actor=audit.Actor("user", user_id, context.device.ip),
    )
    bound, account_id = "social_account.bound", principal.social_account_id
    return {
        "tenant_id": principal.tenant_id,
        "account_id": principal.social_account_id,
        "session_id": principal.session_id,
        "old_token_hash": principal.token_hash,
        "user_id": user_id,
        "phone_id": phone_id,
        "number_index": number_index(principal.tenant_id, binding.number),
        "number_sealed": Phone.number.seal(binding.number.e164, Phone, id=phone_id),
        "country_code": binding.number.country_code,
        "appid": context.app.appid,
        "session_limit": context.app.session_limit or 0,
        "user_last_login_at": state.user_last_login_at,
        "ip": context.device.ip,
        "moment": moment,
        **event("bound", action=bound, subject=account_id),
        **event("verified", action="phone.verified", subject=user_id),
        **{f"new_{name}": value for name, value in session.items()},
    }


def _count(appid: str, state: BindingState) -> None:
    if state.registers:
        count(appid, Measure.REGISTERED)
    if state.was_never_bound:
        count(appid, Measure.BECAME_USERS, day_of(state.first_day))
    count(appid, Measure.BOUND_BY_PHONE)
