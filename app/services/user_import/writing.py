"""Creation of many users: hashing and encryption first, then three statements."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Column,
    FromClause,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    column,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from app.clock import now
from app.models import Phone, User
from app.models.columns import new_id
from app.services.passwords.hashing import hash_password
from app.services.user_import.rows import NewPerson
from app.services.user_import.validation import with_pauses
from app.services.users.phone_numbers import number_index

IMPORTED_USER_COLUMNS: dict[str, TypeEngine[Any]] = {
    "id": Uuid(),
    "account": Text(),
    "nickname": Text(),
    "password_hash": Text(),
}
PHONE_COLUMNS: dict[str, TypeEngine[Any]] = {
    "id": Uuid(),
    "user_id": Uuid(),
    "number_index": LargeBinary(),
    "number_sealed": Text(),
    "country_code": Integer(),
}


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
    types: dict[str, TypeEngine[Any]],
    rows: Sequence[tuple[Any, ...]],
    **same: Any,
) -> None:
    """Insert rows with one statement. `same` contains the values that all rows share."""
    if not rows:
        return
    given = _given(types, rows)
    told = [literal(value, model.__table__.c[name].type) for name, value in same.items()]
    db.execute(insert(model).from_select([*types, *same], select(*given.c, *told)))


def _given(types: dict[str, TypeEngine[Any]], rows: Sequence[tuple[Any, ...]]) -> FromClause:
    parts = zip(types.values(), zip(*rows, strict=True), strict=True)
    arrays = [literal([*values], ARRAY(kind)) for kind, values in parts]
    columns: list[Column[Any]] = [column(name, kind) for name, kind in types.items()]  # type: ignore[misc]
    return func.unnest(*arrays).table_valued(*columns).render_derived(name="given")
