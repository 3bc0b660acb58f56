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
    """Return the smallest id that `new_id` can return at this time or later."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


Id = Annotated[UUID, mapped_column(primary_key=True, default=new_id)]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
# A counter, incremented by UPDATE statements.
Sum = Annotated[int, mapped_column(server_default="0")]
Made = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]


def one_of(column: str, *values: str) -> CheckConstraint:
    """Return a check constraint that limits a text column to these values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class Sealed:
    """An encrypted text attribute. The column `<name>_sealed` holds the ciphertext.

    `row` names the attributes that identify the row. Their values are part of the associated data
    of the ciphertext: they must be set before the text, and must never change afterwards.
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
        return sealed and keyring().open(sealed, self._location_of(instance))

    def __set__(self, instance: Any, text: str | None) -> None:
        sealed = None if text is None else keyring().seal(text, self._location_of(instance))
        setattr(instance, self.column, sealed)

    def seal(self, text: str, owner: Any, **row: object) -> str:
        """Return the ciphertext of `text` for a row that is not loaded.

        `owner` is the model, and `row` holds the values of the attributes in `self.row`.
        """
        return keyring().seal(text, self._location(owner, [row[name] for name in self.row]))

    def open(self, sealed: str, owner: Any, **row: object) -> str:
        """Decrypt the ciphertext of a row that is not loaded. Parameters as for `seal`."""
        return keyring().open(sealed, self._location(owner, [row[name] for name in self.row]))

    def reseal(self, sealed: str, owner: Any, row: Sequence[object]) -> str:
        """Re-encrypt a ciphertext of a row of `owner` with the first key. Raise SealBroken."""
        location = self._location(owner, row)
        return keyring().seal(keyring().open(sealed, location), location)

    def _location_of(self, instance: Any) -> str:
        return self._location(instance, [getattr(instance, name) for name in self.row])

    def _location(self, owner: Any, row: Sequence[object]) -> str:
        if None in row:
            raise ValueError(f"set {self.row} before {self.column}")
        return f"{owner.__tablename__}.{self.column}:{'|'.join(map(str, row))}"
