"""SQLSTATE and constraint of a database error. Neither contains a value of a row."""

import psycopg

# PostgreSQL's error messages at its connection limit. Connection errors have no SQLSTATE.
AT_CONNECTION_LIMIT = ("too many clients", "too many connections", "remaining connection slots")


def is_at_connection_limit(error: BaseException) -> bool:
    """Return whether PostgreSQL rejected the connection because of its connection limit."""
    return any(text in str(error) for text in AT_CONNECTION_LIMIT)


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
    facts = {"sqlstate": state, "constraint": origin.diag.constraint_name}
    return {name: fact for name, fact in facts.items() if fact is not None}
