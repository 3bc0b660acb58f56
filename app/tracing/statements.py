"""Spans of SQL statements: which tables, how long, and the SQLSTATE of an error.

The driver's cursor records them, because frequent requests bypass SQLAlchemy. The statement itself
is not recorded. Its summary has only SQL keywords and names of tables.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Self

import psycopg
from opentelemetry.trace import Span
from psycopg.abc import Params

from app.errors.sqlstates import database_facts
from app.extensions import db
from app.tracing.spans import Spans

ACCESS = re.compile(r"\b(INSERT\s+INTO|DELETE\s+FROM|UPDATE|FROM|JOIN|LOCK\s+TABLE)\s+(\w+)", re.I)
FIRST_WORD = re.compile(
    r"\s*(SELECT|SET|SHOW|WITH|NOTIFY|SAVEPOINT|RELEASE|ROLLBACK|BEGIN)\b", re.I
)
LONGEST_SUMMARY = 255


def traced_cursors(spans: Spans) -> type[psycopg.Cursor[Any]]:
    """Return the class of cursors that record each statement."""

    class TracedCursor(psycopg.Cursor[Any]):
        def execute(
            self,
            query: Any,
            params: Params | None = None,
            *,
            prepare: bool | None = None,
            binary: bool | None = None,
        ) -> Self:
            with spans.client_span(*_described(query)) as span, _sqlstate_in(span):
                return super().execute(query, params, prepare=prepare, binary=binary)

        def executemany(
            self, query: Any, params_seq: Iterable[Params], *, returning: bool = False
        ) -> None:
            with spans.client_span(*_described(query)) as span, _sqlstate_in(span):
                super().executemany(query, params_seq, returning=returning)

    return TracedCursor


@contextmanager
def _sqlstate_in(span: Span) -> Iterator[None]:
    """Add the SQLSTATE and the constraint of a failed statement to its span."""
    try:
        yield
    except psycopg.Error as error:
        names = {"sqlstate": "db.response.status_code", "constraint": "wxpass.db.constraint"}
        for name, value in database_facts(error).items():
            span.set_attribute(names[name], value)
        raise


def _described(query: object) -> tuple[str, dict[str, Any]]:
    """Return the name of a statement's span, and its attributes."""
    summary = summary_of(query) if isinstance(query, str) else "SQL"
    return summary, {"db.system.name": "postgresql", "db.query.summary": summary}


@lru_cache(maxsize=1024)
def summary_of(statement: str) -> str:
    """Return the tables that a statement uses, such as `SELECT users INSERT audit_events`."""
    tables = db.metadata.tables
    parts: dict[str, None] = {}
    for keywords, name in ACCESS.findall(statement):
        if name.lower() in tables:
            keyword = keywords.split()[0].upper()
            parts[f"{'SELECT' if keyword in ('FROM', 'JOIN') else keyword} {name.lower()}"] = None
    first = FIRST_WORD.match(statement)
    return " ".join(parts)[:LONGEST_SUMMARY] or (first[1].upper() if first else "SQL")
