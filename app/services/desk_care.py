"""What operators do for the tenant's users: each change is refused to readers, and audited."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import (
    BothHavePhones,
    IdentityUnknown,
    RequestInvalid,
    UserDisabled,
    UserMerged,
    UserUnknown,
)
from app.models import Phone, SocialAccount, User
from app.services import audit
from app.services.desks import Desk
from app.services.merges import undo_merge
from app.services.owners import close_into, release
from app.services.password_changes import set_password_of
from app.services.sessions import end_sessions, ending
from app.services.transactions import decided_again_when_lost, transaction
from app.services.user_sessions import sessions_of_user
from app.services.users import add_user


def enter_user(
    desk: Desk,
    account: str | None = None,
    password: str | None = None,
    phone: str | None = None,
    nickname: str | None = None,
) -> UUID:
    """Enter a person by account, by phone, or both, and give the id; a password needs an account.

    Raises what `add_user` raises.
    """
    desk.refuse_reader()
    if account is None and (phone is None or password is not None):
        raise RequestInvalid(errors={"account": ["Give an account, or a phone alone."]})
    return add_user(desk.tenant_slug, account, password, phone, nickname, desk.actor)


@decided_again_when_lost
def set_user_status(desk: Desk, user_id: UUID, status: str) -> None:
    """Disable a user, which ends every session of theirs, or make them active again.

    Raises UserUnknown, or UserMerged for one who is no longer anybody.
    """
    desk.refuse_reader()
    with transaction() as db:
        user = _lock(db, desk, user_id)
        told = audit.before_and_after(user, {"status": status})
        user.status = status
        if status != "active":
            db.execute(ending("user_disabled", *sessions_of_user(desk.tenant_id, user_id)))
        _record(db, desk, "user.changed", user_id, **told)


@decided_again_when_lost
def end_user_sessions(desk: Desk, user_id: UUID) -> int:
    """End every session of a user, and return their number; raise UserUnknown or UserMerged."""
    desk.refuse_reader()
    with transaction() as db:
        _lock(db, desk, user_id)
        theirs = sessions_of_user(desk.tenant_id, user_id)
        count = end_sessions(db, "ended_by_operator", *theirs)
        told = {"before": {"living": count}, "after": {"living": 0}}
        _record(db, desk, "sessions.all_ended", user_id, **told)
    return count


@decided_again_when_lost
def unbind_identity(desk: Desk, user_id: UUID, social_account_id: UUID) -> None:
    """Free a WeChat identity of a user; sessions that stand on it end. Raises IdentityUnknown."""
    desk.refuse_reader()
    its = (SocialAccount.tenant_id == desk.tenant_id, SocialAccount.user_id == user_id)
    with transaction() as db:
        one = select(SocialAccount).where(*its, SocialAccount.id == social_account_id)
        account = db.scalar(one.with_for_update())
        if account is None:
            raise IdentityUnknown
        told = audit.before_and_after(account, {"user_id": None})
        told["before"]["user_id"] = str(user_id)
        release(db, account)
        _record(db, desk, "social_account.unbound", social_account_id, **told)


def set_user_password(desk: Desk, user_id: UUID, password: str) -> None:
    """Set a user's password; every session of theirs ends.

    Raises what `set_password_of` raises.
    """
    desk.refuse_reader()
    set_password_of(desk.actor, desk.tenant_id, User.id == user_id, password)


@decided_again_when_lost
def release_phone(desk: Desk, user_id: UUID) -> None:
    """Take a user's number away, if there is one; raise UserUnknown or UserMerged."""
    desk.refuse_reader()
    with transaction() as db:
        _lock(db, desk, user_id)
        phone = _find_phone(db, desk, user_id)
        if phone is not None:
            told = {"before": {"phone": "set"}, "after": {"phone": None}}
            db.delete(phone)
            _record(db, desk, "phone.released", user_id, **told)


@decided_again_when_lost
def merge_users(desk: Desk, user_id: UUID, into_id: UUID) -> None:
    """Merge a user into another of the tenant: identities move, and the number if they have none.

    What they logged in with by account stays with the closed user, for the undo. Raises
    RequestInvalid for one and the same, UserUnknown, UserMerged, UserDisabled, BothHavePhones.
    """
    desk.refuse_reader()
    if user_id == into_id:
        raise RequestInvalid(errors={"into_id": ["A user is not merged into themself."]})
    with transaction() as db:
        _lock_identities(db, desk, user_id)
        for one in sorted((user_id, into_id)):
            if _lock(db, desk, one).status != "active":
                raise UserDisabled
        phone = _find_phone(db, desk, user_id)
        if phone and _find_phone(db, desk, into_id):
            raise BothHavePhones
        merge = close_into(db, desk.tenant_id, user_id, into_id)
        if phone:
            phone.user_id, merge.phone_id = into_id, phone.id
        before = {"status": "active", "phone": "set" if phone else None}
        after = {"status": "merged", "merged_into_id": str(into_id), "moved": merge.moved}
        _record(db, desk, "user.merged", user_id, before=before, after=after, into=into_id)


def undo(desk: Desk, user_id: UUID) -> None:
    """Undo the merge of a user.

    Raises UserUnknown, NotMerged, MergeTooOld or MergedIdentitiesGone.
    """
    desk.refuse_reader()
    undo_merge(desk.tenant_slug, user_id, desk.actor)


def _lock(db: Session, desk: Desk, user_id: UUID) -> User:
    its = (User.tenant_id == desk.tenant_id, User.id == user_id)
    user = db.scalar(select(User).where(*its).with_for_update())
    if user is None:
        raise UserUnknown
    if user.status == "merged":
        raise UserMerged
    return user


def _lock_identities(db: Session, desk: Desk, user_id: UUID) -> None:
    """Lock identities before their users, in the order of every login."""
    its = (SocialAccount.tenant_id == desk.tenant_id, SocialAccount.user_id == user_id)
    db.execute(select(SocialAccount.id).where(*its).order_by(SocialAccount.id).with_for_update())


def _find_phone(db: Session, desk: Desk, user_id: UUID) -> Phone | None:
    its = (Phone.tenant_id == desk.tenant_id, Phone.user_id == user_id)
    phone: Phone | None = db.scalar(select(Phone).where(*its).with_for_update())
    return phone


def _record(db: Session, desk: Desk, action: str, subject: UUID, **details: object) -> None:
    audit.record(db, desk.tenant_id, desk.actor, action, subject, **details)
