"""Whether the tenant tables are distributed over the nodes of a Citus cluster.

Citus executes an INSERT … SELECT inside a statement as a transaction of two phases, and refuses to
prepare one in which a trigger has sent a notification. So the fast paths, whose statements contain
such inserts, are for a database on one server.
"""

from typing import Any, cast

import psycopg
from flask import current_app

HAS_CITUS = "SELECT to_regclass('pg_dist_partition') IS NOT NULL"
IS_DISTRIBUTED = "SELECT count(*) > 0 FROM pg_dist_partition WHERE partmethod = 'h'"


class Distribution:
    """Whether the database of this process is distributed. The conversion needs a restart."""

    def __init__(self) -> None:
        self.is_distributed: bool | None = None

    def ask(self, db: "psycopg.Connection[Any]") -> bool:
        """Return whether the tenant tables are distributed. The first call asks the database."""
        if self.is_distributed is None:
            self.is_distributed = _is_true(db, HAS_CITUS) and _is_true(db, IS_DISTRIBUTED)
        return self.is_distributed


def is_distributed(db: "psycopg.Connection[Any]") -> bool:
    """Return whether the tenant tables are distributed."""
    return cast(Distribution, current_app.extensions["distribution"]).ask(db)


def _is_true(db: "psycopg.Connection[Any]", query: str) -> bool:
    return db.execute(query, {}).fetchone() == (True,)
