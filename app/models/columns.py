"""Column types: ids, times, and columns that are encrypted at rest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, overload
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, func
from sqlalchemy.orm import mapped_column
from uuid_utils.compat import uuid7

from app.keyring import keyring


def new_id() -> UUID:
    """Return a UUIDv7, which sorts by creation time."""
    return uuid7()


def first_id_of(moment: datetime) -> UUID:
    """Return the smallest id that can be created at a time or later."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


Id = Annotated[UUID, mapped_column(primary_key=True, default=new_id)]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
# Counters add to it.
Sum = Annotated[int, mapped_column(server_default="0")]
Made = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]


def one_of(column: str, *values: str) -> CheckConstraint:
    """Constrain a text column to a few values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class Sealed:
    """A text attribute. Its column, `<name>_sealed`, holds the ciphertext.

    `row` names the attributes that identify the row; they must be set before the text is, and
    must never change afterwards, for they are bound into the ciphertext.
    """

    def __init__(self, *row: str) -> None:
        self.row = row

    def __set_name__(self, owner: type, name: str) -> None:
        self.column = f"{name}_sealed"

    @overload
    def __get__(self, instance: None, owner: type) -> "Sealed": ...
    @overload
    def __get__(self, instance: object, owner: type) -> str | None: ...
    def __get__(self, instance: Any, owner: type) -> "Sealed | str | None":
        if instance is None:
            return self
        sealed = getattr(instance, self.column)
        return sealed and keyring().open(sealed, self._place_of(instance))

    def __set__(self, instance: Any, text: str | None) -> None:
        sealed = None if text is None else keyring().seal(text, self._place_of(instance))
        setattr(instance, self.column, sealed)

    def seal(self, text: str, owner: Any, **row: object) -> str:
        """Return the ciphertext for a row of `owner` that is not loaded."""
        return keyring().seal(text, self._place(owner, [row[name] for name in self.row]))

    def open(self, sealed: str, owner: Any, **row: object) -> str:
        """Decrypt a value of a row of `owner` that is not loaded."""
        return keyring().open(sealed, self._place(owner, [row[name] for name in self.row]))

    def reseal(self, sealed: str, owner: Any, row: Sequence[object]) -> str:
        """Re-encrypt the value in a row of `owner` with the first key. Raises SealBroken."""
        place = self._place(owner, row)
        return keyring().seal(keyring().open(sealed, place), place)

    def _place_of(self, instance: Any) -> str:
        return self._place(instance, [getattr(instance, name) for name in self.row])

    def _place(self, owner: Any, row: Sequence[object]) -> str:
        if None in row:
            raise ValueError(f"set {self.row} before {self.column}")
        return f"{owner.__tablename__}.{self.column}:{'|'.join(map(str, row))}"
