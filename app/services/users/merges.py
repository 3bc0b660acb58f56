"""Merged users: finding the users merged into a user, and undoing a merge."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, and_, or_, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import MergedIdentitiesGone, MergeTooOld, NotMerged, UserUnknown
from app.models import LoginSession, Merge, Phone, SocialAccount, User
from app.services import audit
from app.services.apps.tenants import get_tenant
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.sessions.sessions import end_sessions_statement

UNDONE_WITHIN = timedelta(days=30)


def with_merged(tenant_id: UUID, user_id: UUID | None) -> Select[UUID]:
    """Return a SELECT of the ids of a user and of all users merged into this user, at any depth."""
    one = select(User.id).where(User.tenant_id == tenant_id, User.id == user_id)
    them = one.cte("them", recursive=True)
    merged = select(User.id).where(User.tenant_id == tenant_id, User.merged_into_id == them.c.id)
    return select(them.union_all(merged).c.id)


@retry_on_conflict
def undo_merge(tenant_slug: str, user_id: UUID, actor: audit.Actor = audit.OPERATOR) -> None:
    """Undo a merge: return the moved identities and phone number to the merged user.

    Identities that were later linked to the owner by the unionid of a moved identity are returned
    too. Sessions of the returned identities that are logged in as the owner end. Raises
    TenantUnknown, UserUnknown, NotMerged, MergeTooOld or MergedIdentitiesGone, and then changes
    nothing.
    """
    with transaction() as db:
        tenant_id = get_tenant(db, tenant_slug).id
        merge = _find_merge(db, tenant_id, user_id)
        accounts = _lock_moved(db, merge) if merge else []
        user = _lock_merged(db, tenant_id, user_id)
        if merge is None or merge.merged_at < now() - UNDONE_WITHIN:
            raise MergeTooOld
        moved = [one for one in accounts if one.merge_id == merge.id]
        if len(moved) < merge.moved or {one.user_id for one in moved} - {merge.user_id}:
            raise MergedIdentitiesGone
        user.status, user.merged_into_id = "active", None
        for account in accounts:
            account.user_id, account.merge_id = user_id, None
        is_of_identities = LoginSession.social_account_id.in_([one.id for one in accounts])
        as_owner = (LoginSession.tenant_id == tenant_id, LoginSession.user_id == merge.user_id)
        db.execute(end_sessions_statement("merge_undone", *as_owner, is_of_identities))
        _give_phone_back(db, merge)
        states = {"before": {"status": "merged"}, "after": {"status": "active"}}
        subject, owner = user_id, merge.user_id
        audit.record(db, tenant_id, actor, "user.merge_undone", subject, out_of=owner, **states)


def _give_phone_back(db: Session, merge: Merge) -> None:
    """Move the phone number back, unless the owner has verified a phone number since the merge."""
    its = (Phone.tenant_id == merge.tenant_id, Phone.id == merge.phone_id)
    moving = update(Phone).where(*its, Phone.user_id == merge.user_id)
    db.execute(moving.values(user_id=merge.merged_user_id))


def _find_merge(db: Session, tenant_id: UUID, user_id: UUID) -> Merge | None:
    """Return the latest merge of a user into another, or None."""
    its = select(Merge).where(Merge.tenant_id == tenant_id, Merge.merged_user_id == user_id)
    return db.scalar(its.order_by(Merge.id.desc()).limit(1))


def _lock_moved(db: Session, merge: Merge) -> Sequence[SocialAccount]:
    """Lock the moved identities, and the owner's other identities with the same unionids."""
    of_tenant = SocialAccount.tenant_id == merge.tenant_id
    was_moved = SocialAccount.merge_id == merge.id
    people = select(SocialAccount.unionid).where(of_tenant, was_moved)
    is_theirs = and_(SocialAccount.user_id == merge.user_id, SocialAccount.unionid.in_(people))
    theirs = select(SocialAccount).where(of_tenant, or_(was_moved, is_theirs))
    return db.scalars(theirs.order_by(SocialAccount.id).with_for_update()).all()


def _lock_merged(db: Session, tenant_id: UUID, user_id: UUID) -> User:
    """Lock a merged user. Of two simultaneous calls, the second finds the user active."""
    one = select(User).where(User.tenant_id == tenant_id, User.id == user_id)
    user = db.scalar(one.with_for_update())
    if user is None:
        raise UserUnknown
    if user.status != "merged":
        raise NotMerged
    return user
