"""Account linking. Runs inside the caller's transaction."""

from dataclasses import dataclass, replace
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import CredentialsWrong
from app.models import LoginSession, Measure, Merge, SocialAccount, Tenant, User
from app.models.columns import new_id
from app.services import audit
from app.services.apps.apps import AppConfig
from app.services.metrics.counts import count_if_committed, day_of
from app.services.principals import Device
from app.services.sessions.sessions import end_sessions_statement
from app.services.social_accounts.accounts import find_users_of_unionid
from app.services.social_accounts.decision_log import log_decision_on_commit
from app.services.social_accounts.linked_users import UserGone, has_identity, lock_users
from app.services.social_accounts.linking_policy import (
    Action,
    Decision,
    Evidence,
    decide_linking,
    depends_on_unionid_users,
)
from app.services.social_accounts.profiles import name_user
from app.services.users.credentials import ProvenUser, refuse_outdated
from app.services.users.phone_numbers import PhoneNumber
from app.services.users.users import (
    find_phone_owner,
    get_user,
    give_phone,
    register,
)


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The app, device and login session of a request. `session_id` is None during a login."""

    app: AppConfig
    device: Device
    session_id: UUID | None = None


def link_at_login(
    db: Session, context: RequestContext, account: SocialAccount, *, unionid_is_new: bool
) -> None:
    """Link a locked social account during its login, by unionid or by registering a user.

    Does nothing if the account keeps its user.
    """
    if not depends_on_unionid_users(account.user_id, unionid_is_new=unionid_is_new):
        return
    its_user, owners = lock_users(db, account, *find_users_of_unionid(db, account))
    decision = decide_linking(
        context.app.registration,
        its_user,
        Evidence.LOGIN,
        owners,
        joins_by_unionid=account.joins_by_unionid,
    )
    _apply_decision(db, context, account, decision)
    # The login logs KEEP itself, before a password may link the account.
    if decision.action is not Action.KEEP:
        log_decision_on_commit(db, decision.action, Evidence.LOGIN, context.app.registration)


def link_by_password(
    db: Session, context: RequestContext, account: SocialAccount, proven: ProvenUser
) -> None:
    """Link a locked social account to the user with a checked account and password.

    Raises CredentialsWrong if the password was changed after the check, and the exceptions of
    `link_to_user`.
    """
    link_to_user(db, context, account, proven.user_id)
    refuse_outdated(get_user(db, account.tenant_id, proven.user_id), proven)


def link_to_user(
    db: Session, context: RequestContext, account: SocialAccount, user_id: UUID
) -> None:
    """Link a locked social account to a user who proved their password in this request or at login.

    Raises CredentialsWrong if the user has been erased since then, and the exceptions of
    `decide_linking`.
    """
    try:
        its_user, owners = lock_users(db, account, user_id)
    except UserGone:
        raise CredentialsWrong from None
    decision = decide_linking(context.app.registration, its_user, Evidence.PASSWORD, owners)
    _apply_decision(db, context, account, decision)
    log_decision_on_commit(db, decision.action, Evidence.PASSWORD, context.app.registration)
    count_if_committed(db, context.app.appid, Measure.BOUND_BY_PASSWORD)


def link_by_phone(
    db: Session, context: RequestContext, account: SocialAccount, number: PhoneNumber
) -> UUID:
    """Bind a locked social account to the owner of a verified phone number. Return the user's id.

    If no user has the number, the account's user gets the number, or a new user is registered.
    """
    owner_id = find_phone_owner(db, context.app.tenant_id, number)
    its_user, owners = lock_users(db, account, *filter(None, [owner_id]))
    policy = "bind"
    if owner_id and owner_id != account.user_id:
        owners = [replace(owners[0], has_identity=has_identity(db, account, owner_id))]
        policy = _phone_owner_policy(db, account.tenant_id)
    decision = decide_linking(
        context.app.registration, its_user, Evidence.PHONE, owners, phone_owner_policy=policy
    )
    _apply_decision(db, context, account, decision)
    log_decision_on_commit(db, decision.action, Evidence.PHONE, context.app.registration)
    user_id = cast(UUID, account.user_id)
    if decision.action in (Action.REGISTER, Action.ADD):
        _give_phone(db, context, user_id, number)
    count_if_committed(db, context.app.appid, Measure.BOUND_BY_PHONE)
    return user_id


def unlink(db: Session, context: RequestContext, account: SocialAccount) -> None:
    """Unlink a locked social account from its user, and record the change in the audit log.

    All sessions of the account end, except the session of the request.
    """
    _record(db, context, account.user_id, "social_account.unbound", account.id)
    detach_account(db, account, LoginSession.id != context.session_id)


def detach_account(db: Session, account: SocialAccount, *but: ColumnElement[bool]) -> None:
    """Unlink a locked social account from its user, and end the account's sessions.

    `but` are extra conditions that a session must meet to be ended.
    """
    account.user_id, account.merge_id, account.joins_by_unionid = None, None, False
    on_it = (
        LoginSession.tenant_id == account.tenant_id,
        LoginSession.social_account_id == account.id,
    )
    db.execute(end_sessions_statement("unbound", *on_it, *but))


def _give_phone(db: Session, context: RequestContext, user_id: UUID, number: PhoneNumber) -> None:
    give_phone(db, context.app.tenant_id, user_id, number)
    _record(db, context, user_id, "phone.verified", user_id)


def _phone_owner_policy(db: Session, tenant_id: UUID) -> str:
    return db.scalars(select(Tenant.phone_owner_policy).where(Tenant.id == tenant_id)).one()


def _apply_decision(
    db: Session, context: RequestContext, account: SocialAccount, decision: Decision
) -> None:
    """Apply a linking decision: merge or register users, and link the account.

    When an account is linked for the first time, `Measure.BECAME_USERS` is counted on the day on
    which the account was created.
    """
    if decision.action is Action.WAIT:
        return
    if decision.merged_id is not None:
        _merge(db, context, account.tenant_id, decision.merged_id, cast(UUID, decision.user_id))
    user_id = decision.user_id or _register_for(db, context, account)
    if account.user_id != user_id:
        if account.was_never_bound:
            first_day = day_of(account.created_at)
            count_if_committed(db, account.appid, Measure.BECAME_USERS, first_day)
        account.user_id = user_id
        _record(db, context, user_id, "social_account.bound", account.id)
    if decision.action in (Action.BIND, Action.MERGE):
        name_user(db, account)


def _register_for(db: Session, context: RequestContext, account: SocialAccount) -> UUID:
    count_if_committed(db, context.app.appid, Measure.REGISTERED)
    tenant_id, nickname, avatar_url = account.tenant_id, account.nickname, account.avatar_url
    return register(db, tenant_id, nickname=nickname, avatar_url=avatar_url).id


def _merge(
    db: Session, context: RequestContext, tenant_id: UUID, merged_id: UUID, user_id: UUID
) -> None:
    """Merge a bare user into another user, and record the merge in the audit log."""
    close_into(db, tenant_id, merged_id, user_id, LoginSession.id != context.session_id)
    _record(db, context, user_id, "user.merged", merged_id, into=user_id)


def close_into(
    db: Session, tenant_id: UUID, merged_id: UUID, user_id: UUID, *but: ColumnElement[bool]
) -> Merge:
    """Merge a user into another: close the user and move the identities. Return the merge record.

    Ends the sessions of the closed user. `but` are extra conditions that a session must meet to be
    ended.
    """
    closing = update(User).where(User.tenant_id == tenant_id, User.id == merged_id)
    db.execute(closing.values(status="merged", merged_into_id=user_id, erase_after=None))
    merge = Merge(id=new_id(), tenant_id=tenant_id, merged_user_id=merged_id, user_id=user_id)
    merge.moved, merge.merged_at = 0, now()
    db.add(merge)
    db.flush()
    its = (SocialAccount.tenant_id == tenant_id, SocialAccount.user_id == merged_id)
    moving = update(SocialAccount).where(*its).values(user_id=user_id, merge_id=merge.id)
    merge.moved = len(db.scalars(moving.returning(SocialAccount.id)).all())
    logged_in = (LoginSession.tenant_id == tenant_id, LoginSession.user_id == merged_id)
    db.execute(end_sessions_statement("merged", *logged_in, *but))
    return merge


def _record(
    db: Session,
    context: RequestContext,
    user_id: UUID | None,
    action: str,
    subject: object,
    **details: object,
) -> None:
    actor = audit.Actor("user", user_id, context.device.ip)
    audit.record(db, context.app.tenant_id, actor, action, subject, **details)
