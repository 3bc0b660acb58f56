"""Reads of several tenants, with one statement per tenant.

A statement reads tenant tables of one tenant only. In a distributed database, each tenant's rows
are on one node.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast
from uuid import UUID

import psycopg
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Tenant

# The statements of one round trip. Bounds the memory for their results.
AT_ONCE = 500

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
    told = ((tenant_id, values) for tenant_id in tenants)
    return read_per_tenant_with(db, statement, told)


def read_per_tenant_with(
    db: Session, statement: str, told: Iterable[tuple[UUID, Mapping[str, object]]]
) -> Iterator[tuple[UUID, Sequence[Row]]]:
    """Do the same with other parameters for each tenant."""
    driver = cast("psycopg.Connection[Row]", db.connection().connection.driver_connection)
    remaining = iter(told)
    while some := list(islice(remaining, AT_ONCE)):
        parameters = [{**values, "tenant_id": tenant_id} for tenant_id, values in some]
        # psycopg sends the statements as a pipeline, and prepares the first of them.
        with driver.cursor() as cursor:
            cursor.executemany(statement, parameters, returning=True)
            for (tenant_id, _), result in zip(some, cursor.results(), strict=True):
                yield tenant_id, result.fetchall()
