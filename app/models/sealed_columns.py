"""The encrypted columns of all models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Column, Table

from app.extensions import Model
from app.models.columns import Sealed
from app.models.distribution import is_tenant_table, key_within_tenant


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """An encrypted column, and the columns that identify a row in the associated data."""

    model: type[Model]
    sealed: Sealed

    @property
    def name(self) -> str:
        """The name `<table>.<column>`, for messages."""
        return f"{self.model.__tablename__}.{self.sealed.column}"

    @property
    def column(self) -> Column[str]:
        """The column with the ciphertext."""
        return self._columns(self.sealed.column)[0]

    @property
    def key(self) -> Column[Any]:
        """The primary key column other than `tenant_id`."""
        return key_within_tenant(self._table)

    @property
    def tenant_id(self) -> Column[UUID] | None:
        """The column of the tenant's id, or None if the table is not distributed by tenant."""
        return self._table.c.tenant_id if is_tenant_table(self._table) else None

    @property
    def bound_to(self) -> Sequence[Column[Any]]:
        """The columns that identify the row in the associated data of the ciphertext."""
        return self._columns(*self.sealed.row)

    @property
    def _table(self) -> Table:
        return cast(Table, self.model.__table__)

    def _columns(self, *names: str) -> Sequence[Column[Any]]:
        return [self._table.c[name] for name in names]


def sealed_columns() -> Sequence[SealedColumn]:
    """Return the encrypted columns of all models, ordered by table name."""
    models = sorted(
        (mapper.class_ for mapper in Model.registry.mappers), key=lambda model: model.__tablename__
    )
    return [
        SealedColumn(model, sealed)
        for model in models
        for sealed in vars(model).values()
        if isinstance(sealed, Sealed)
    ]
