"""The readiness check: database, migrations and keys."""

from functools import cache
from threading import Event, Lock, Thread
from typing import cast

import psycopg
from alembic.script import ScriptDirectory
from flask import Flask, current_app
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from app.errors import DatabaseUnavailable, MigrationsMissing, ReleaseOutdated
from app.services.database.server_checks import (
    check_pooler_once,
    find_known_cause,
    refuse_read_only,
)
from app.services.database.transactions import transaction
from app.services.encryption.key_proofs import check_keys_once

# Load balancers mark a process as failed if it does not respond in time.
DEADLINE_SECONDS = 1.5
READ_SCHEMA = "SELECT version_num, compatible_since FROM alembic_version, schema_compatibility"


@cache
def newest_migration(directory: str) -> str:
    """Return the head revision of the migrations folder. The result is cached."""
    return cast(str, ScriptDirectory(directory).get_current_head())


class ReadinessCheck:
    """A check of the database that answers within `DEADLINE_SECONDS`.

    One check runs at a time. While it waits for the database, later requests wait for its result.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: _Run | None = None

    def run(self, app: Flask) -> None:
        """Raise what `check_readiness` raises."""
        with self._lock:
            if self._running is None or self._running.done.is_set():
                self._running = _Run(app)
                Thread(target=self._running.check, daemon=True).start()
            running = self._running
        if not running.done.wait(DEADLINE_SECONDS):
            raise DatabaseUnavailable("the readiness check is still waiting")
        if running.error is not None:
            raise running.error


class _Run:
    def __init__(self, app: Flask) -> None:
        self._app = app
        self.done = Event()
        self.error: Exception | None = None

    def check(self) -> None:
        try:
            with self._app.app_context():
                _check_database()
        except Exception as error:
            self.error = error
        finally:
            self.done.set()


def check_readiness() -> None:
    """Raise a failure if this process cannot serve requests.

    It is DatabaseUnavailable, DatabaseReadOnly, MigrationsMissing, ReleaseOutdated, or what
    `check_pooler` and `check_keys` raise.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    cast(ReadinessCheck, app.extensions["readiness"]).run(app)


def _check_database() -> None:
    try:
        with transaction() as db:
            refuse_read_only(db)
            schema = db.execute(text(READ_SCHEMA)).one_or_none()
        check_pooler_once()
    except ProgrammingError:
        raise MigrationsMissing("revision 0021 is not applied") from None
    except (SQLAlchemyError, psycopg.Error) as error:
        raise find_known_cause(error) or DatabaseUnavailable(type(error).__name__) from None
    if schema is None:
        raise MigrationsMissing("none is applied")
    _check_schema(schema.version_num, schema.compatible_since)
    check_keys_once()


def _check_schema(applied: str, compatible_since: str) -> None:
    """Raise MigrationsMissing or ReleaseOutdated if this release cannot use the schema.

    Revisions are numbers of four digits. The schema may be newer than this release, because an
    upgrade migrates the database before it restarts the processes. `compatible_since` is the oldest
    release, by its newest revision, that can use the schema.
    """
    own = newest_migration(current_app.extensions["migrate"].directory)
    if applied < own:
        raise MigrationsMissing(f"{applied} is applied, {own} is needed")
    if compatible_since > own:
        raise ReleaseOutdated(f"{applied} needs a release with {compatible_since}, this has {own}")
