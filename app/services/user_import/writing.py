"""Creation of many users: hashing and encryption first, then the rows of one transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.clock import now
from app.models import Phone, User
from app.models.columns import new_id
from app.services.passwords.hashing import hash_password
from app.services.user_import.rows import NewPerson
from app.services.user_import.validation import with_pauses
from app.services.users.phone_numbers import number_index

IMPORTED_USER_COLUMNS = ("id", "account", "nickname", "password_hash")
PHONE_COLUMNS = ("id", "user_id", "number_index", "number_sealed", "country_code")


@dataclass(frozen=True, slots=True)
class ReadyPerson:
    """A person and the rows to insert, with values in the order of the columns above."""

    person: NewPerson
    user: tuple[UUID, str | None, str | None, str | None] = field(repr=False)
    phone: tuple[UUID, UUID, bytes, str, int] | None = field(repr=False)


def make_ready(tenant_id: UUID, people: Sequence[NewPerson]) -> Iterator[ReadyPerson]:
    """Yield each person with hashed password and encrypted number. Does not use the database."""
    for person in with_pauses(people):
        user_id = new_id()
        password_hash = person.password and hash_password(person.password)
        user = (user_id, person.account, person.nickname, password_hash)
        yield ReadyPerson(person, user, _phone(tenant_id, user_id, person))


def _phone(
    tenant_id: UUID, user_id: UUID, person: NewPerson
) -> tuple[UUID, UUID, bytes, str, int] | None:
    if person.phone is None:
        return None
    phone_id = new_id()
    sealed = Phone.number.seal(person.phone.e164, Phone, id=phone_id)
    index = number_index(tenant_id, person.phone)
    return phone_id, user_id, index, sealed, person.phone.country_code


def write_users(db: Session, tenant_id: UUID, ready: Sequence[ReadyPerson]) -> None:
    """Insert users and phones in the caller's transaction.

    The rows are sorted, so that two imports of the same users cannot deadlock. Raises
    IntegrityError if an account or a number was taken since the validation.
    """
    users = sorted((one.user for one in ready), key=lambda user: (user[1] or "", user[0]))
    phones = sorted((one.phone for one in ready if one.phone), key=lambda phone: phone[2])
    _insert(db, User, IMPORTED_USER_COLUMNS, users, tenant_id=tenant_id)
    _insert(db, Phone, PHONE_COLUMNS, phones, tenant_id=tenant_id, verified_at=now())


def _insert(
    db: Session,
    model: type[User] | type[Phone],
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    **same: Any,
) -> None:
    """Insert rows with one pipelined statement per row. `same` holds the values of all rows.

    Citus runs INSERT ... SELECT as a two-phase transaction. PostgreSQL does not prepare a
    transaction that sends notifications, as an inserted phone number does.
    """
    if rows:
        values = [dict(zip(columns, row, strict=True)) | same for row in rows]
        db.execute(insert(model), values)
