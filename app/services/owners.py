"""Whose a social account is: decided and changed inside the caller's transaction."""

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import false, or_, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import PhoneTaken, SocialAccountTaken
from app.models import LoginSession, Merge, SocialAccount, Tenant, User
from app.models.columns import new_id
from app.services import audit
from app.services.apps import AppConfig
from app.services.decision import Act, Decision, KnownUser, decide_binding
from app.services.phone_numbers import PhoneNumber
from app.services.sessions import Device, ending
from app.services.social_accounts import find_user_of_unionid
from app.services.users import find_phone_owner, give_phone, lock_user, register


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: in which app, from where, and in which login session if there is one already."""

    app: AppConfig
    device: Device
    session_id: UUID | None = None


def settle_at_login(db: Session, visit: Visit, account: SocialAccount) -> None:
    """Bind a nobody's social account at its login, if unionid or the app's policy says to whom."""
    if account.user_id is not None:
        return
    user_id = find_user_of_unionid(db, account)
    if user_id is not None:
        settle_by_user(db, visit, account, user_id)
    elif visit.app.registration == "on_login":
        _act(db, visit, account, Decision(Act.REGISTER, None))


def settle_by_user(db: Session, visit: Visit, account: SocialAccount, user_id: UUID) -> None:
    """Bind a locked social account to a user proven by password, unionid or login."""
    its_user, owner = _lock_users(db, account, user_id)
    decision = decide_binding(visit.app.registration, its_user, owner, SocialAccountTaken)
    _act(db, visit, account, decision)


def settle_by_phone(db: Session, visit: Visit, account: SocialAccount, number: PhoneNumber) -> UUID:
    """Bind a locked social account to the owner of a verified number, and give the user's id."""
    owner_id = find_phone_owner(db, visit.app.tenant_id, number)
    its_user, owner = _lock_users(db, account, owner_id)
    policy = "bind"
    if owner and owner.id != account.user_id:
        owner = replace(owner, has_identity=_has_identity(db, account, owner.id))
        policy = _phone_owner_policy(db, account.tenant_id)
    decision = decide_binding(visit.app.registration, its_user, owner, PhoneTaken, policy)
    user_id = _act(db, visit, account, decision)
    if decision.act in (Act.REGISTER, Act.ADD):
        _give_phone(db, visit, user_id, number)
    return user_id


def free(db: Session, visit: Visit, account: SocialAccount) -> None:
    """Take a locked social account from its user; other sessions that stand on it end."""
    _record(db, visit, account.user_id, "social_account.unbound", account.id)
    account.user_id, account.merge_id, account.joins_by_unionid = None, None, False
    stands_on_it = LoginSession.social_account_id == account.id
    db.execute(ending("unbound", stands_on_it, LoginSession.id != visit.session_id))


def _give_phone(db: Session, visit: Visit, user_id: UUID, number: PhoneNumber) -> None:
    give_phone(db, visit.app.tenant_id, user_id, number)
    _record(db, visit, user_id, "phone.verified", user_id)


def _lock_users(
    db: Session, account: SocialAccount, owner_id: UUID | None
) -> tuple[KnownUser | None, KnownUser | None]:
    """Lock whom a decision is about, the account's user and the owner, in one order everywhere."""
    its_user_id = account.user_id
    ids = sorted({user_id for user_id in (its_user_id, owner_id) if user_id})
    users = {user_id: lock_user(db, account.tenant_id, user_id) for user_id in ids}
    its_user = users[its_user_id] if its_user_id else None
    return its_user, users[owner_id] if owner_id else None


def _phone_owner_policy(db: Session, tenant_id: UUID) -> str:
    return db.scalars(select(Tenant.phone_owner_policy).where(Tenant.id == tenant_id)).one()


def _has_identity(db: Session, account: SocialAccount, owner_id: UUID) -> bool:
    """Tell whether a locked owner has another identity where the account, or its user, has one.

    Or anywhere, where unionids tell that it is another person's: unionid would bring whom one
    app lets in to all the others.
    """
    of_tenant = SocialAccount.tenant_id == account.tenant_id
    coming = select(SocialAccount.appid).where(of_tenant, SocialAccount.user_id == account.user_id)
    is_anothers = SocialAccount.unionid != account.unionid if account.unionid else false()
    is_there = or_(
        SocialAccount.appid == account.appid, SocialAccount.appid.in_(coming), is_anothers
    )
    there = select(SocialAccount.id).where(of_tenant, SocialAccount.user_id == owner_id, is_there)
    return db.scalar(there.limit(1)) is not None


def _act(db: Session, visit: Visit, account: SocialAccount, decision: Decision) -> UUID:
    """Carry a decision out, and give the id of the user the social account belongs to now."""
    if decision.act is Act.MERGE:
        _close_merged(db, visit, account, decision)
    user_id = decision.user_id or _register_for(db, account)
    if account.user_id != user_id:
        account.user_id = user_id
        _record(db, visit, user_id, "social_account.bound", account.id)
    return user_id


def _register_for(db: Session, account: SocialAccount) -> UUID:
    known = {"nickname": account.nickname, "avatar_url": account.avatar_url}
    return register(db, account.tenant_id, **known).id


def _close_merged(db: Session, visit: Visit, account: SocialAccount, decision: Decision) -> None:
    """Close the bare user whom the social account leaves, with the person's other identities.

    What else is logged in as that user ends.
    """
    tenant_id, merged_id, user_id = account.tenant_id, account.user_id, decision.user_id
    closing = update(User).where(User.tenant_id == tenant_id, User.id == merged_id)
    db.execute(closing.values(status="merged", merged_into_id=user_id))
    _move_identities(db, account, decision.user_id)
    logged_in = (LoginSession.tenant_id == tenant_id, LoginSession.user_id == merged_id)
    db.execute(ending("merged", *logged_in, LoginSession.id != visit.session_id))
    _record(db, visit, user_id, "user.merged", merged_id, into=user_id)


def _move_identities(db: Session, account: SocialAccount, user_id: UUID | None) -> None:
    """Move the other identities of a social account's user, and note all that move."""
    tenant_id, merged_id = account.tenant_id, account.user_id
    merge = Merge(id=new_id(), tenant_id=tenant_id, merged_user_id=merged_id, user_id=user_id)
    merge.moved, merge.merged_at = 1, now()
    db.add(merge)
    db.flush()
    others = update(SocialAccount).where(
        SocialAccount.tenant_id == tenant_id,
        SocialAccount.user_id == merged_id,
        SocialAccount.id != account.id,
    )
    moving = others.values(user_id=user_id, merge_id=merge.id).returning(SocialAccount.id)
    merge.moved += len(db.scalars(moving).all())
    account.merge_id = merge.id


def _record(
    db: Session,
    visit: Visit,
    user_id: UUID | None,
    action: str,
    subject: object,
    **details: object,
) -> None:
    actor = audit.Actor("user", user_id, visit.device.ip)
    audit.record(db, visit.app.tenant_id, actor, action, subject, **details)
