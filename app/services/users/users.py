"""Users: reading, registering and changing them, and adding them as an operator."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import AccountExists, PhoneTaken, TokenInvalid, UserDisabled
from app.errors.sqlstates import violated_constraint
from app.models import Phone, User
from app.models.columns import new_id
from app.services import audit
from app.services.apps.tenants import get_tenant
from app.services.database.stale_reads import CaughtUpReads
from app.services.database.transactions import transaction
from app.services.passwords.hashing import hash_in_turn
from app.services.passwords.hashing_queue import Lane
from app.services.passwords.strength import require_user_password
from app.services.users.phone_numbers import PhoneNumber, number_index, phone_number
from app.text_cleaning import account_name


@dataclass(frozen=True, slots=True)
class Profile:
    """A user as shown to the user. `phone` is the unmasked number in E.164."""

    id: UUID
    tenant_id: UUID
    account: str | None
    nickname: str | None
    avatar_url: str | None
    gender: int
    level: int
    status: str
    created_at: datetime
    phone: str | None = field(repr=False)
    phone_country_code: int | None
    erase_after: datetime | None = None


# The columns of a user that a profile shows. `/v1/me` is cached until one of them changes: the
# trigger `tell_of_update` on `users` must compare each of them (test_profile_columns.py).
PROFILE_COLUMNS = (
    *("id", "tenant_id", "account", "nickname", "avatar_url", "gender", "level", "status"),
    *("created_at", "erase_after"),
)


def get_profile(db: Session, tenant_id: UUID, user_id: UUID) -> Profile:
    """Return the profile of a user, read with one query in the caller's transaction.

    Raises TokenInvalid if the user was erased during the request.
    """
    one = _profiles(tenant_id).where(User.id == user_id)
    row = db.execute(one).one_or_none()
    if row is None:
        raise TokenInvalid
    return profile_from_row(row)


def profile_from_row(row: Sequence[Any]) -> Profile:
    """Build a profile from a row.

    The row contains the id, encrypted number and country code of the phone, then the user's
    `PROFILE_COLUMNS`.
    """
    phone_id, number_sealed, country_code, *user = row
    number = number_sealed and Phone.number.open(number_sealed, Phone, id=phone_id)
    return Profile(
        **dict(zip(PROFILE_COLUMNS, user, strict=True)),
        phone=number,
        phone_country_code=country_code,
    )


def profile_of_newcomer(tenant_id: UUID, user_id: UUID, created_at: datetime) -> Profile:
    """Return the profile of a user whom a login registers, with the defaults of the columns."""
    return Profile(
        id=user_id,
        tenant_id=tenant_id,
        account=None,
        nickname=None,
        avatar_url=None,
        gender=0,
        level=0,
        status="active",
        created_at=created_at,
        phone=None,
        phone_country_code=None,
    )


def users_with_phones(tenant_id: UUID, *columns: Any) -> Select[Any]:
    """Return a SELECT of columns of the tenant's users, outer-joined with their phones."""
    its = (Phone.tenant_id == User.tenant_id) & (Phone.user_id == User.id)
    selected = select(*columns).select_from(User).outerjoin(Phone, its)
    return selected.where(User.tenant_id == tenant_id)


def _profiles(tenant_id: UUID) -> Select[Any]:
    columns = (getattr(User, name) for name in PROFILE_COLUMNS)
    phone = (Phone.id, Phone.number_sealed, Phone.country_code)
    return users_with_phones(tenant_id, *phone, *columns)


def show_user(tenant_id: UUID, user_id: UUID) -> Profile:
    """Return the profile of a user. Opens a transaction. Raises TokenInvalid like `get_profile`."""
    with transaction() as db:
        return get_profile(db, tenant_id, user_id)


def change_user(
    tenant_id: UUID,
    user_id: UUID,
    *,
    nickname: str | None = None,
    avatar_url: str | None = None,
    gender: int | None = None,
) -> Profile:
    """Change the fields that users may change themselves. None leaves a field unchanged."""
    with transaction() as db:
        user = get_user(db, tenant_id, user_id, lock=True)
        if nickname is not None:
            user.nickname = nickname
        if avatar_url is not None:
            user.avatar_url = avatar_url
        if gender is not None:
            user.gender = gender
        return get_profile(db, tenant_id, user_id)


def get_user(db: Session, tenant_id: UUID, user_id: UUID, *, lock: bool = False) -> User:
    """Return a user, read in the caller's transaction. Raises TokenInvalid like `get_profile`."""
    one = _one(tenant_id, user_id)
    user: User | None = db.scalar(one.with_for_update() if lock else one)
    if user is None:
        raise TokenInvalid
    return user


def _one(tenant_id: UUID, user_id: UUID) -> Select[User]:
    return select(User).where(User.tenant_id == tenant_id, User.id == user_id)


def find_phone_owner(db: Session, tenant_id: UUID, number: PhoneNumber) -> UUID | None:
    """Return the id of the tenant's user with a phone number, or None. Locks the phone row."""
    index = number_index(tenant_id, number)
    owned = select(Phone.user_id).where(Phone.tenant_id == tenant_id, Phone.number_index == index)
    return db.scalar(owned.with_for_update())


def register(
    db: Session,
    tenant_id: UUID,
    *,
    account: str | None = None,
    password_hash: str | None = None,
    nickname: str | None = None,
    avatar_url: str | None = None,
) -> User:
    """Insert a user in the caller's transaction and return it."""
    user = User(
        id=new_id(),
        tenant_id=tenant_id,
        account=account,
        password_hash=password_hash,
        nickname=nickname,
        avatar_url=avatar_url,
    )
    db.add(user)
    db.flush()
    return user


def give_phone(db: Session, tenant_id: UUID, user_id: UUID, number: PhoneNumber) -> None:
    """Store a verified phone number for a user in the caller's transaction.

    The user's former number is deleted. Raises IntegrityError (uq_phones_tenant_id_number_index) if
    another user has the number.
    """
    had = db.scalar(select(Phone).where(Phone.tenant_id == tenant_id, Phone.user_id == user_id))
    if had is not None:
        db.delete(had)
        db.flush()
    phone = Phone(
        id=new_id(),
        tenant_id=tenant_id,
        user_id=user_id,
        number_index=number_index(tenant_id, number),
        country_code=number.country_code,
        verified_at=now(),
    )
    phone.number = number.e164
    db.add(phone)
    db.flush()


def add_user(
    tenant_slug: str,
    account: str | None,
    password: str | None,
    phone: str | None,
    nickname: str | None = None,
    actor: audit.Actor = audit.OPERATOR,
) -> UUID:
    """Add a user with an account, a phone number, or both. Return the user's id.

    Raises TenantUnknown, AccountExists, PhoneTaken, PasswordTooShort, PasswordTooWeak or the
    exceptions of `phone_number`, and then adds nothing.
    """
    number = phone_number(phone) if phone else None
    name = account and account_name(account)
    known = (name, nickname, number.e164 if number else None)
    password_hash = password and _hash_strong_password(tenant_slug, password, known)
    try:
        with transaction() as db:
            tenant = get_tenant(db, tenant_slug)
            user = register(
                db, tenant.id, account=name, password_hash=password_hash, nickname=nickname
            )
            if number:
                give_phone(db, tenant.id, user.id, number)
            # The fields that were set, without values: audit events are kept after an erasure.
            given = {"account": name, "password": password, "phone": number, "nickname": nickname}
            after = {what: "set" for what, fact in given.items() if fact}
            audit.record(db, tenant.id, actor, "user.added", user.id, after=after)
            return user.id
    except IntegrityError as error:
        raise REFUSALS.get(violated_constraint(error) or "", error) from None


def _hash_strong_password(tenant_slug: str, password: str, known: Sequence[str | None]) -> str:
    with transaction() as db:
        tenant = get_tenant(db, tenant_slug)
    require_user_password(password, (*known, tenant.name, tenant.slug))
    return hash_in_turn(password, Lane.KNOWN, tenant.id)


REFUSALS: dict[str, type[Exception]] = {
    "uq_users_tenant_id_account": AccountExists,
    "uq_phones_tenant_id_number_index": PhoneTaken,
}


def list_users(tenant_slug: str) -> Sequence[Profile]:
    """Return the profiles of all users of a tenant, oldest first. Raises TenantUnknown."""

    def read(db: Session) -> Sequence[Profile]:
        ordered = _profiles(get_tenant(db, tenant_slug).id).order_by(User.id)
        return [profile_from_row(row) for row in db.execute(ordered)]

    return CaughtUpReads().read(read)


def refuse_inactive(user: User) -> None:
    """Raise UserDisabled unless the user is active."""
    if user.status != "active":
        raise UserDisabled
