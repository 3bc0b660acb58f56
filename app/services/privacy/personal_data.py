"""Personal data: the rows of each table that belong to a person. Export and erasure use it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Uuid,
    and_,
    cast,
    exists,
    false,
    or_,
    select,
    union,
)
from sqlalchemy.orm import Session, aliased

from app.keyring import keyring
from app.models import (
    AuditEvent,
    CodeExchange,
    LoginSession,
    Merge,
    Phone,
    SessionKey,
    SocialAccount,
    User,
    WeChatApp,
    WeChatPush,
)
from app.models.wechat_app import original_appid
from app.services.passwords.login_throttling import attempts_of_accounts
from app.services.users.merges import with_merged


@dataclass(frozen=True, slots=True)
class PersonalData:
    """A user, the users merged into it, and their WeChat identities. Each property is a condition.

    `user_ids` is empty if only identities are selected. `of_visitor` is true if the identities
    belong to no user. Data that a user created through such an identity before it was unbound then
    stays with that user.
    """

    tenant_id: UUID
    user_ids: Sequence[UUID]
    accounts: Sequence[SocialAccount]
    of_visitor: bool = False

    @property
    def account_ids(self) -> list[UUID]:
        return [account.id for account in self.accounts]

    @property
    def users(self) -> ColumnElement[bool]:
        return and_(User.tenant_id == self.tenant_id, User.id.in_(self.user_ids))

    @property
    def phones(self) -> ColumnElement[bool]:
        return and_(Phone.tenant_id == self.tenant_id, Phone.user_id.in_(self.user_ids))

    @property
    def identities(self) -> ColumnElement[bool]:
        these = SocialAccount.id.in_(self.account_ids)
        return and_(SocialAccount.tenant_id == self.tenant_id, these)

    @property
    def sessions(self) -> ColumnElement[bool]:
        theirs = LoginSession.user_id.in_(self.user_ids)
        stands_on_theirs: ColumnElement[bool] = LoginSession.social_account_id.in_(self.account_ids)
        if self.of_visitor:
            stands_on_theirs &= LoginSession.user_id.is_(None)
        return and_(LoginSession.tenant_id == self.tenant_id, or_(theirs, stands_on_theirs))

    @property
    def sessions_of_others(self) -> ColumnElement[bool]:
        """The sessions of users through an identity that was unbound from them later."""
        stood_on_theirs = LoginSession.social_account_id.in_(self.account_ids)
        return and_(LoginSession.tenant_id == self.tenant_id, stood_on_theirs, ~self.sessions)

    @property
    def session_keys(self) -> ColumnElement[bool]:
        theirs = SessionKey.social_account_id.in_(self.account_ids)
        return and_(SessionKey.tenant_id == self.tenant_id, theirs)

    @property
    def code_exchanges(self) -> ColumnElement[bool]:
        theirs = CodeExchange.session_id.in_(select(LoginSession.id).where(self.sessions))
        return and_(CodeExchange.tenant_id == self.tenant_id, theirs)

    @property
    def merges(self) -> ColumnElement[bool]:
        either = or_(Merge.user_id.in_(self.user_ids), Merge.merged_user_id.in_(self.user_ids))
        return and_(Merge.tenant_id == self.tenant_id, either)

    @property
    def events(self) -> ColumnElement[bool]:
        subjects = [str(one) for one in (*self.user_ids, *self.account_ids)]
        theirs = or_(AuditEvent.actor_id.in_(self.user_ids), AuditEvent.subject.in_(subjects))
        if self.of_visitor:
            theirs &= AuditEvent.actor_id.is_(None)
        return and_(AuditEvent.tenant_id == self.tenant_id, theirs)

    @property
    def pushes(self) -> ColumnElement[bool]:
        indexes: dict[str, list[bytes]] = defaultdict(list)
        for one in self.accounts:
            indexes[one.appid].append(person_index(one.appid, one.openid))
        about = [
            and_(_is_push_of(appid), WeChatPush.person_index.in_(people))
            for appid, people in indexes.items()
        ]
        return and_(WeChatPush.tenant_id == self.tenant_id, or_(false(), *about))


def attempts_of(db: Session, held: PersonalData) -> ColumnElement[bool]:
    """Select the login attempts and known devices of the user's accounts."""
    names = db.scalars(select(User.account).where(held.users, User.account.is_not(None))).all()
    return attempts_of_accounts(held.tenant_id, [name or "" for name in names])


def _is_push_of(key: str) -> ColumnElement[bool]:
    """Return the condition for pushes of the app with this key.

    During a release of an app, its identities may already have the new key while its pushes still
    have the old one. An appid that is verified again is a different app.
    """
    appid = original_appid(key)
    if appid == key:
        return WeChatPush.appid == key
    is_being_released = exists().where(
        WeChatApp.tenant_id == WeChatPush.tenant_id,
        WeChatApp.appid == appid,
        WeChatApp.released_at.is_not(None),
    )
    return or_(WeChatPush.appid == key, and_(WeChatPush.appid == appid, is_being_released))


def person_index(appid: str, openid: str) -> bytes:
    """Return the blind index of a person, for finding the pushes about them."""
    return keyring().blind_index(openid, f"wechat_pushes.person:{original_appid(appid)}")


def find_personal_data(
    db: Session, tenant_id: UUID, user_id: UUID, *, lock: bool = False
) -> PersonalData:
    """Find the personal data of a user. With `lock`, lock the identities in the order of their ids.

    Identities without a user are included if they were unbound from the user according to the
    audit log, or have a unionid of the user.
    """
    user_ids = db.scalars(with_merged(tenant_id, user_id)).all()
    # Checked again on the locked rows: while this waited, another user may have bound one of them.
    is_free = or_(SocialAccount.user_id == user_id, SocialAccount.user_id.is_(None))
    wanted = select(SocialAccount).where(
        SocialAccount.tenant_id == tenant_id,
        SocialAccount.id.in_(_identities_of(tenant_id, user_id, user_ids)),
        is_free,
    )
    wanted = wanted.order_by(SocialAccount.id).execution_options(populate_existing=True)
    accounts = db.scalars(wanted.with_for_update() if lock else wanted).all()
    return PersonalData(tenant_id, user_ids, accounts)


def _identities_of(
    tenant_id: UUID, user_id: UUID, user_ids: Sequence[UUID]
) -> CompoundSelect[UUID]:
    ids = select(SocialAccount.id).where(SocialAccount.tenant_id == tenant_id)
    own = aliased(SocialAccount)
    people = select(own.unionid).where(own.tenant_id == tenant_id, own.user_id == user_id)
    unbound = select(cast(AuditEvent.subject, Uuid)).where(
        AuditEvent.tenant_id == tenant_id,
        AuditEvent.actor_id.in_(user_ids),
        AuditEvent.action == "social_account.unbound",
    )
    return union(
        ids.where(SocialAccount.user_id == user_id),
        ids.where(SocialAccount.unionid.in_(people)),
        ids.where(SocialAccount.id.in_(unbound)),
    )


def lock_personal_data(db: Session, tenant_id: UUID, user_id: UUID) -> PersonalData:
    """Find and lock the personal data of a user.

    Locks in the order that logins use: identities, phone, users. Reads the data again afterwards,
    because a login that held a lock may have added rows.
    """
    held = find_personal_data(db, tenant_id, user_id, lock=True)
    db.execute(select(Phone.id).where(held.phones).with_for_update())
    db.execute(select(User.id).where(held.users).order_by(User.id).with_for_update())
    return find_personal_data(db, tenant_id, user_id, lock=True)
