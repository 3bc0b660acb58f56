"""Users that a linking decision depends on: locking them, and reading facts about them."""

from uuid import UUID

from sqlalchemy import String, cast, exists, false, func, or_, select
from sqlalchemy.orm import Session

from app.models import Phone, SocialAccount, User
from app.services.database.transactions import WriteConflict
from app.services.social_accounts.linking_policy import KnownUser


class UserGone(WriteConflict):
    """A user was erased since their id was read."""


def lock_users(
    db: Session, account: SocialAccount, *owner_ids: UUID
) -> tuple[KnownUser | None, list[KnownUser]]:
    """Lock the account's user and the possible owners, and return what `decide_linking` needs.

    Every transaction locks users in the order of their ids, to rule out deadlocks.
    """
    its_user_id = account.user_id
    ids = sorted({user_id for user_id in (its_user_id, *owner_ids) if user_id})
    users = {user_id: lock_user(db, account.tenant_id, user_id) for user_id in ids}
    its_user = users[its_user_id] if its_user_id else None
    return its_user, [users[owner_id] for owner_id in owner_ids]


def lock_user(db: Session, tenant_id: UUID, user_id: UUID) -> KnownUser:
    """Lock a user and return what `decide_linking` needs.

    Raises WriteConflict if the user was merged into another user since the id was read, and
    UserGone if the user was erased.
    """
    one = select(User).where(User.tenant_id == tenant_id, User.id == user_id)
    user = db.scalar(one.with_for_update())
    if user is None:
        raise UserGone
    if user.status == "merged":
        raise WriteConflict
    return KnownUser(user.id, user.status == "active", is_bare(db, user))


def is_bare(db: Session, user: User) -> bool:
    """Return whether the user has no account, password or phone, and one person's identities.

    Identities with the same unionid, in several apps of the tenant, belong to one person.
    """
    if user.account is not None or user.password_hash is not None:
        return False
    phone = exists().where(Phone.tenant_id == user.tenant_id, Phone.user_id == user.id)
    person = func.coalesce(SocialAccount.unionid, cast(SocialAccount.id, String))
    people = select(func.count(person.distinct())).where(
        SocialAccount.tenant_id == user.tenant_id, SocialAccount.user_id == user.id
    )
    has_phone, how_many = db.execute(select(phone, people.scalar_subquery())).one()
    return not has_phone and how_many < 2


def has_identity(db: Session, account: SocialAccount, owner_id: UUID) -> bool:
    """Return whether a locked phone owner has another identity that conflicts with the account.

    An identity conflicts if it is in the account's app, or in an app where the account's user has
    an identity. If the account has a unionid, identities with another unionid conflict in every
    app, because the unionid would link the account in all apps.
    """
    of_tenant = SocialAccount.tenant_id == account.tenant_id
    coming = select(SocialAccount.appid).where(of_tenant, SocialAccount.user_id == account.user_id)
    is_anothers = SocialAccount.unionid != account.unionid if account.unionid else false()
    is_there = or_(
        SocialAccount.appid == account.appid, SocialAccount.appid.in_(coming), is_anothers
    )
    there = select(SocialAccount.id).where(of_tenant, SocialAccount.user_id == owner_id, is_there)
    return db.scalar(there.limit(1)) is not None
