"""Validation of the rows of a file against the users of the tenant."""

import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ARRAY, LargeBinary, Text, any_, literal, select
from sqlalchemy.orm import Session

from app.errors import ImportPasswordsTooMany
from app.models import Phone, User
from app.services.user_import.files import PersonRow
from app.services.user_import.rows import BadCell, NewPerson, read_person
from app.services.users.phone_numbers import number_index

T = TypeVar("T")

# Hashing takes about 20 ms of CPU time for each password.
MOST_PASSWORDS = 1_000
# The number of rows between two pauses, about 4 ms of work, and the length of a pause. With a pause
# of zero, gevent would resume the greenlet before it checks its timers.
PAUSE_EVERY, PAUSE_SECONDS = 100, 0.001


@dataclass(frozen=True, slots=True)
class ReadUsers:
    """The users of a file, and the errors found without the database."""

    people: Sequence[NewPerson]
    bad: Sequence[BadCell]


def read_rows(rows: Sequence[PersonRow]) -> ReadUsers:
    """Validate every row without the database. Raises ImportPasswordsTooMany."""
    if sum(1 for row in rows if row.password) > MOST_PASSWORDS:
        raise ImportPasswordsTooMany
    people, bad = [], []
    for row in with_pauses(rows):
        person, wrong = read_person(row)
        people.append(person)
        bad += wrong
    bad += _repeated("account", [(one.row, one.account) for one in people])
    bad += _repeated("phone", [(one.row, one.phone) for one in people])
    return ReadUsers(people, bad)


def with_pauses(many: Iterable[T]) -> Iterator[T]:
    """Yield the items with pauses, in which the other requests of the worker run."""
    for count, one in enumerate(many):
        if count % PAUSE_EVERY == 0:
            time.sleep(PAUSE_SECONDS)
        yield one


def _repeated(column: str, values: Iterable[tuple[int, Hashable]]) -> Iterator[BadCell]:
    first: dict[Hashable, int] = {}
    for row, value in values:
        earlier = first.setdefault(value, row)
        if value is not None and earlier != row:
            yield BadCell(row, column, f"{column}_twice", earlier)


def find_taken(db: Session, tenant_id: UUID, people: Sequence[NewPerson]) -> Sequence[BadCell]:
    """Return an error for each account and phone that a user of the tenant already has."""
    indexes = {one.row: number_index(tenant_id, one.phone) for one in people if one.phone}
    accounts = {one.row: one.account for one in people if one.account}
    has_account = select(User.account).where(
        User.tenant_id == tenant_id,
        User.account == any_(literal([*accounts.values()], ARRAY(Text))),
    )
    has_phone = select(Phone.number_index).where(
        Phone.tenant_id == tenant_id,
        Phone.number_index == any_(literal([*indexes.values()], ARRAY(LargeBinary))),
    )
    taken, owned = {*db.scalars(has_account)}, {*db.scalars(has_phone)}
    of_accounts = (row for row, account in accounts.items() if account in taken)
    of_phones = (row for row, index in indexes.items() if index in owned)
    bad = [BadCell(row, "account", "account_taken") for row in of_accounts]
    return in_order(bad + [BadCell(row, "phone", "phone_taken") for row in of_phones])


def in_order(bad: Iterable[BadCell]) -> Sequence[BadCell]:
    """Return the errors in the order of the file."""
    return sorted(bad, key=lambda one: (one.row, one.column, one.code))
