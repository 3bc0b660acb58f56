"""Reads of several tenants, with one statement per tenant.

A statement reads tenant tables of one tenant only. In a distributed database, each tenant's rows
are on one node.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast
from uuid import UUID

import psycopg
from sqlalchemy import Select, Uuid, bindparam, select
from sqlalchemy.orm import Session

from app.models import Tenant
from app.services.database.transactions import lift_timeouts, transaction

# The parameter for the id of the tenant in the SELECT of `select_per_tenant`.
TENANT_ID = bindparam("tenant_id", None, type_=Uuid)

# The number of statements in a round trip. It limits the memory for their results.
AT_ONCE = 500
# The same for statements that may take long, or whose errors are isolated afterwards.
FEW_AT_ONCE = 50

Row = tuple[Any, ...]


def read_tenant_ids(db: Session) -> Sequence[UUID]:
    """Return the ids of all tenants."""
    return db.scalars(select(Tenant.id).order_by(Tenant.id)).all()


def read_per_tenant(
    db: Session, statement: str, tenants: Iterable[UUID], **values: object
) -> Iterator[tuple[UUID, Sequence[Row]]]:
    """Yield the rows that a statement returns for each tenant, in the order of `tenants`.

    `values` are parameters of the statement, in addition to `tenant_id`. Errors are psycopg's, not
    SQLAlchemy's.
    """
    parameters = ((tenant_id, values) for tenant_id in tenants)
    return read_per_tenant_with(db, statement, parameters)


def read_per_tenant_with(
    db: Session, statement: str, parameters: Iterable[tuple[UUID, Mapping[str, object]]]
) -> Iterator[tuple[UUID, Sequence[Row]]]:
    """Like `read_per_tenant`, with separate parameters for each tenant."""
    driver = cast("psycopg.Connection[Row]", db.connection().connection.driver_connection)
    remaining = iter(parameters)
    while batch := list(islice(remaining, AT_ONCE)):
        rows = [{**values, "tenant_id": tenant_id} for tenant_id, values in batch]
        # psycopg sends the statements as a pipeline, and prepares the first of them.
        with driver.cursor() as cursor:
            cursor.executemany(statement, rows, returning=True)
            for (tenant_id, _), result in zip(batch, cursor.results(), strict=True):
                yield tenant_id, result.fetchall()


def select_per_tenant(
    db: Session, statement: Select[*tuple[Any, ...]], tenants: Sequence[UUID]
) -> Iterator[tuple[UUID, Sequence[Row]]]:
    """Yield the rows that a SELECT with the parameter `TENANT_ID` finds for each tenant.

    Errors are psycopg's, not SQLAlchemy's.
    """
    compiled = statement.compile(
        dialect=db.get_bind().dialect, compile_kwargs={"render_postcompile": True}
    )
    for some in _groups(tenants):
        yield from read_per_tenant_with(db, str(compiled), ((one, compiled.params) for one in some))


def tenants_with_rows(
    statement: Select[*tuple[Any, ...]], tenants: Sequence[UUID]
) -> Iterator[UUID]:
    """Yield the tenants for which a SELECT with the parameter `TENANT_ID` finds rows.

    No transaction is open between two tenants. If a statement fails, all tenants of its round trip
    are yielded, so that the caller can isolate the error. Raises OperationalError if the connection
    is lost.
    """
    for some in _groups(tenants):
        yield from _with_rows(statement, some)


def _with_rows(statement: Select[*tuple[Any, ...]], tenants: Sequence[UUID]) -> Sequence[UUID]:
    with transaction() as db:
        lift_timeouts(db)
        try:
            return [one for one, rows in select_per_tenant(db, statement, tenants) if rows]
        except psycopg.Error:
            db.rollback()
            return tenants


def _groups(tenants: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    return (tenants[first : first + FEW_AT_ONCE] for first in range(0, len(tenants), FEW_AT_ONCE))
