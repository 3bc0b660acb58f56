"""Changes of a tenant's users. Each is refused to tenant viewers, and audited."""

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
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.sessions.queries import sessions_of_user
from app.services.sessions.sessions import end_sessions, end_sessions_statement
from app.services.social_accounts.account_linking import close_into, detach_account
from app.services.tenant_admin.tenant_scope import TenantScope
from app.services.users.merges import undo_merge
from app.services.users.password_changes import set_password_of
from app.services.users.users import add_user


def create_user(
    scope: TenantScope,
    account: str | None = None,
    password: str | None = None,
    phone: str | None = None,
    nickname: str | None = None,
) -> UUID:
    """Add a user with an account, a phone, or both, and return the id.

    Raises RequestInvalid for a password without an account, or what `add_user` raises.
    """
    scope.refuse_reader()
    if account is None and (phone is None or password is not None):
        raise RequestInvalid(errors={"account": ["Give an account, or a phone alone."]})
    return add_user(scope.tenant_slug, account, password, phone, nickname, scope.actor)


@retry_on_conflict
def set_user_status(scope: TenantScope, user_id: UUID, status: str) -> None:
    """Disable a user and end all their sessions, or enable the user again.

    Raises UserUnknown, or UserMerged for a user who was merged into another.
    """
    scope.refuse_reader()
    with transaction() as db:
        user = _lock(db, scope, user_id)
        told = audit.before_and_after(user, {"status": status})
        user.status = status
        if status != "active":
            db.execute(
                end_sessions_statement("user_disabled", *sessions_of_user(scope.tenant_id, user_id))
            )
        _record(db, scope, "user.changed", user_id, **told)


@retry_on_conflict
def end_user_sessions(scope: TenantScope, user_id: UUID) -> int:
    """End every session of a user, and return their number. Raise UserUnknown or UserMerged."""
    scope.refuse_reader()
    with transaction() as db:
        _lock(db, scope, user_id)
        theirs = sessions_of_user(scope.tenant_id, user_id)
        count = end_sessions(db, "ended_by_operator", *theirs)
        told = {"before": {"living": count}, "after": {"living": 0}}
        _record(db, scope, "sessions.all_ended", user_id, **told)
    return count


@retry_on_conflict
def unbind_identity(scope: TenantScope, user_id: UUID, social_account_id: UUID) -> None:
    """Unbind a WeChat identity from a user. Its sessions end. Raises IdentityUnknown."""
    scope.refuse_reader()
    its = (SocialAccount.tenant_id == scope.tenant_id, SocialAccount.user_id == user_id)
    with transaction() as db:
        one = select(SocialAccount).where(*its, SocialAccount.id == social_account_id)
        account = db.scalar(one.with_for_update())
        if account is None:
            raise IdentityUnknown
        told = audit.before_and_after(account, {"user_id": None})
        told["before"]["user_id"] = str(user_id)
        detach_account(db, account)
        _record(db, scope, "social_account.unbound", social_account_id, **told)


def set_user_password(scope: TenantScope, user_id: UUID, password: str) -> None:
    """Set a user's password, and end all their sessions.

    Raises what `set_password_of` raises.
    """
    scope.refuse_reader()
    set_password_of(scope.actor, scope.tenant_id, User.id == user_id, password)


@retry_on_conflict
def release_phone(scope: TenantScope, user_id: UUID) -> None:
    """Delete a user's phone number, if there is one. Raise UserUnknown or UserMerged."""
    scope.refuse_reader()
    with transaction() as db:
        _lock(db, scope, user_id)
        phone = _find_phone(db, scope, user_id)
        if phone is not None:
            told = {"before": {"phone": "set"}, "after": {"phone": None}}
            db.delete(phone)
            _record(db, scope, "phone.released", user_id, **told)


@retry_on_conflict
def merge_users(scope: TenantScope, user_id: UUID, into_id: UUID) -> None:
    """Merge a user into another user of the tenant. Identities and phone number move.

    The account and password stay with the merged user, so that `undo` can restore it. Raises
    RequestInvalid if both are the same user, UserUnknown, UserMerged, UserDisabled or
    BothHavePhones.
    """
    scope.refuse_reader()
    if user_id == into_id:
        raise RequestInvalid(errors={"into_id": ["A user is not merged into themself."]})
    with transaction() as db:
        _lock_identities(db, scope, user_id)
        for one in sorted((user_id, into_id)):
            if _lock(db, scope, one).status != "active":
                raise UserDisabled
        phone = _find_phone(db, scope, user_id)
        if phone and _find_phone(db, scope, into_id):
            raise BothHavePhones
        merge = close_into(db, scope.tenant_id, user_id, into_id)
        if phone:
            phone.user_id, merge.phone_id = into_id, phone.id
        before = {"status": "active", "phone": "set" if phone else None}
        after = {"status": "merged", "merged_into_id": str(into_id), "moved": merge.moved}
        _record(db, scope, "user.merged", user_id, before=before, after=after, into=into_id)


def undo(scope: TenantScope, user_id: UUID) -> None:
    """Undo the merge of a user.

    Raises UserUnknown, NotMerged, MergeTooOld or MergedIdentitiesGone.
    """
    scope.refuse_reader()
    undo_merge(scope.tenant_slug, user_id, scope.actor)


def _lock(db: Session, scope: TenantScope, user_id: UUID) -> User:
    its = (User.tenant_id == scope.tenant_id, User.id == user_id)
    user = db.scalar(select(User).where(*its).with_for_update())
    if user is None:
        raise UserUnknown
    if user.status == "merged":
        raise UserMerged
    return user


def _lock_identities(db: Session, scope: TenantScope, user_id: UUID) -> None:
    """Lock identities before their users, in the order that logins use."""
    its = (SocialAccount.tenant_id == scope.tenant_id, SocialAccount.user_id == user_id)
    db.execute(select(SocialAccount.id).where(*its).order_by(SocialAccount.id).with_for_update())


def _find_phone(db: Session, scope: TenantScope, user_id: UUID) -> Phone | None:
    its = (Phone.tenant_id == scope.tenant_id, Phone.user_id == user_id)
    phone: Phone | None = db.scalar(select(Phone).where(*its).with_for_update())
    return phone


def _record(db: Session, scope: TenantScope, action: str, subject: UUID, **details: object) -> None:
    audit.record(db, scope.tenant_id, scope.actor, action, subject, **details)
