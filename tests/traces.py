"""Traces of a person: found in every column of every table, decrypted, and in every log."""

import io
import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from app.models.sealed_columns import sealed_columns
from config.development import var_folder
from tests.cast import Reader
from tests.tables import Row, Tables, read_tables

Place = tuple[str, str]


def phone_spellings(national: str, country_code: str = "86") -> set[str]:
    """Spell a number in full and masked, with its country code and without."""
    masked = f"{national[:-8]}****{national[-4:]}"
    spaced = f"{national[:3]} {national[3:7]} {national[7:]}"
    return {national, f"+{country_code}{national}", masked, f"+{country_code}{masked}", spaced}


def read_in_the_clear(app: Flask, rows: Reader) -> Tables:
    """Read every row of every table; what is encrypted stands decrypted beside its ciphertext."""
    tables = read_tables(rows)
    with app.app_context():
        for one in sealed_columns():
            for row in tables[one.model.__tablename__].values():
                sealed = row[one.sealed.column]
                if sealed is not None:
                    bound_to = {name: row[name] for name in one.sealed.row}
                    row[f"{one.sealed.column} opened"] = one.sealed.open(
                        sealed, one.model, **bound_to
                    )
    return tables


def places_of(tables: Tables, trace: str) -> set[Place]:
    """Say in which columns a trace stands, whole or in something longer, in whatever case."""
    return {
        (table, column)
        for table, content in tables.items()
        for row in content.values()
        for column, text in _texts(row)
        if trace.casefold() in text.casefold()
    }


def _texts(row: Row) -> Iterator[tuple[str, str]]:
    """Spell each value; bytes both in hex, for indexes and hashes, and as the text they may be."""
    for column, value in row.items():
        if isinstance(value, bytes | memoryview):
            yield column, bytes(value).hex()
            yield column, bytes(value).decode(errors="replace")
        elif isinstance(value, dict | list):
            yield column, json.dumps(value, ensure_ascii=False)
        elif value is not None:
            yield column, _unescaped(str(value))


def _unescaped(text: str) -> str:
    """Undo the escapes of a JSON text inside a column, beside the text as it is."""
    try:
        return text + json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return text


@dataclass
class Logs:
    """What the service and PostgreSQL have logged since the test began."""

    service: io.StringIO
    postgres: Path
    begun_at: int

    def read(self) -> dict[str, str]:
        """Return the text of each log."""
        with self.postgres.open("rb") as log:
            log.seek(self.begun_at)
            database = log.read().decode(errors="replace")
        return {"service": self.service.getvalue(), "postgres": database}

    def seen(self, traces: Iterable[str]) -> set[tuple[str, str]]:
        """Say which traces stand in which log, as they are or escaped."""
        return {
            (log, trace)
            for log, text in self.read().items()
            for trace in traces
            if any(one in text for one in _escaped(trace))
        }


def _escaped(trace: str) -> set[str]:
    return {trace, json.dumps(trace)[1:-1], quote(trace), quote(trace, safe=""), ascii(trace)[1:-1]}


@contextmanager
def logs_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[Logs]:
    """Collect what is logged inside, by everything but the simulated WeChat's web server."""
    stream = io.StringIO()
    (ours,) = (one for one in logging.getLogger().handlers if type(one) is logging.StreamHandler)
    with monkeypatch.context() as patch:
        patch.setattr(ours, "stream", stream)
        patch.setattr(logging.getLogger("werkzeug"), "disabled", True)
        postgres = var_folder(dict(os.environ)) / "postgres.log"
        yield Logs(stream, postgres, postgres.stat().st_size)


def found(app: Flask, rows: Reader, traces: dict[str, str]) -> dict[str, Any]:
    """Say of each kind of trace where it stands."""
    tables = read_in_the_clear(app, rows)
    places: dict[str, Any] = {}
    for trace, kind in traces.items():
        places.setdefault(kind, set()).update(places_of(tables, trace))
    return places
