"""Whether the tenant tables are distributed over the nodes of a Citus cluster.

Citus runs an INSERT … SELECT inside a statement as a two-phase transaction, and PostgreSQL cannot
prepare a transaction that has sent a notification. The fast paths contain such inserts, so they are
only used on a single server.
"""

from typing import Any, cast

import psycopg
from flask import current_app

from app.services.database.citus_nodes import has_citus

IS_DISTRIBUTED = "SELECT count(*) > 0 FROM pg_dist_partition WHERE partmethod = 'h'"


class Distribution:
    """Whether the database is distributed. Read once per process."""

    def __init__(self) -> None:
        self._is_distributed: bool | None = None

    def read(self, db: "psycopg.Connection[Any]") -> bool:
        """Return whether the tenant tables are distributed. The first call queries the database."""
        if self._is_distributed is None:
            self._is_distributed = has_citus(db) and _has_distributed_tables(db)
        return self._is_distributed


def is_distributed(db: "psycopg.Connection[Any]") -> bool:
    """Return whether the tenant tables are distributed."""
    return cast(Distribution, current_app.extensions["distribution"]).read(db)


def _has_distributed_tables(db: "psycopg.Connection[Any]") -> bool:
    return db.execute(IS_DISTRIBUTED).fetchone() == (True,)
