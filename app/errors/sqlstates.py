"""SQLSTATE and constraint of a database error. Neither contains a value of a row."""

import re

import psycopg

# The name of a constraint in a message. All constraints follow this naming convention.
CONSTRAINT = re.compile(r"\b(?:ck|fk|pk|uq)_\w+")
# The number of a shard, which Citus appends to constraint names.
SHARD = re.compile(r"_\d{6,}$")
# PostgreSQL's error messages at its connection limit. Connection errors have no SQLSTATE.
AT_CONNECTION_LIMIT = ("too many clients", "too many connections", "remaining connection slots")


def is_at_connection_limit(error: BaseException) -> bool:
    """Return whether PostgreSQL rejected the connection because of its connection limit."""
    return any(text in str(error) for text in AT_CONNECTION_LIMIT)


def violated_constraint(error: BaseException | None) -> str | None:
    """Return the name of the constraint that a statement violated, or None for other errors.

    `error` is an exception of psycopg, or one of SQLAlchemy that wraps it. With Citus, an error of
    a worker has the name only in its message, and the number of the shard is removed from it.
    """
    origin = getattr(error, "orig", None) or error
    if not isinstance(origin, psycopg.Error):
        return None
    name = origin.diag.constraint_name
    if name is None and isinstance(origin, psycopg.IntegrityError):
        found = CONSTRAINT.search(origin.diag.message_primary or "")
        name = found and found[0]
    return name and SHARD.sub("", name)


def database_facts(error: BaseException | None) -> dict[str, str]:
    """Return `sqlstate` and `constraint` of a database error, or nothing for other errors.

    `error` is an exception of psycopg, or one of SQLAlchemy that wraps it.
    """
    origin = getattr(error, "orig", None) or error
    if not isinstance(origin, psycopg.Error):
        return {}
    state = origin.sqlstate
    if state is None and is_at_connection_limit(origin):
        state = psycopg.errors.TooManyConnections.sqlstate
    facts = {"sqlstate": state, "constraint": violated_constraint(origin)}
    return {name: fact for name, fact in facts.items() if fact is not None}
