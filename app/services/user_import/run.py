"""Import of the users of a preview: all or none, and only once.

Passwords are hashed and phone numbers encrypted first. This takes long, so its progress is stored.
Then all users are written in one short transaction.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import Thread
from uuid import UUID

import structlog
from flask import Flask, current_app
from sqlalchemy import ColumnElement, Update, select, update
from sqlalchemy.exc import DBAPIError

from app.clock import now
from app.errors import Failure, ImportConfirmed, ImportInterrupted, ImportUnknown, UsersRefused
from app.models import UserImport
from app.services import audit
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.user_import.preview import users_of
from app.services.user_import.rows import BadCell, NewPerson
from app.services.user_import.validation import find_taken
from app.services.user_import.writing import ReadyPerson, make_ready, write_users

# How often a running import stores its progress, and after what time without it the import fails.
NOTED_EVERY, GIVEN_UP_AFTER = timedelta(milliseconds=300), timedelta(minutes=2)
# The most bad rows that UsersRefused lists. A preview lists all of them.
MOST_TOLD = 1_000

Told = Callable[[int], object]
# The index of the file, and the people in it.
Claimed = tuple[bytes, Sequence[NewPerson]]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Imported:
    """A finished import."""

    import_id: UUID
    people: int


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of an import: previewed, running, done, or failed with the failure's code.

    `rows_done` rows are ready to be written. The users exist only in the state done.
    """

    state: str
    rows_done: int
    rows: int
    failure: str | None


def confirm_import(
    actor: audit.Actor, tenant_id: UUID, import_id: UUID, told: Told | None = None
) -> Imported:
    """Import the users of the actor's own preview. `told` is called with the number of ready rows.

    Raises ImportUnknown, or ImportConfirmed if the import was started before. Raises UsersRefused
    if rows became invalid since the preview. The import then fails, and no user is imported.
    """
    return _run(actor, tenant_id, import_id, _claim(actor, tenant_id, import_id), told)


def begin_import(actor: audit.Actor, tenant_id: UUID, import_id: UUID) -> None:
    """Run `confirm_import` in the background. `import_progress` returns its progress.

    If the worker process ends before the import does, the import fails after `GIVEN_UP_AFTER`.
    Raises ImportUnknown or ImportConfirmed.
    """
    claimed = _claim(actor, tenant_id, import_id)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def run() -> None:
        # A greenlet inherits the log context of the request that started it.
        structlog.contextvars.clear_contextvars()
        with app.app_context(), _logged():
            _run(actor, tenant_id, import_id, claimed)

    with _failing(tenant_id, import_id):
        Thread(target=run, name="people-import", daemon=True).start()


def import_progress(actor: audit.Actor, tenant_id: UUID, import_id: UUID) -> Progress:
    """Return the progress of one of the actor's imports. Raise ImportUnknown."""
    with transaction() as db:
        one = db.scalar(select(UserImport).where(_own(actor, tenant_id, import_id)))
        if one is None or _is_expired(one, "previewed"):
            raise ImportUnknown
        if _is_expired(one, "running"):
            return Progress("failed", one.rows_done, one.row_count, ImportInterrupted.code)
        return Progress(one.state, one.rows_done, one.row_count, one.failure)


def _own(actor: audit.Actor, tenant_id: UUID, import_id: UUID) -> ColumnElement[bool]:
    own = UserImport.operator_id.is_not_distinct_from(actor.id)
    return _one(tenant_id, import_id) & own


def _one(tenant_id: UUID, import_id: UUID) -> ColumnElement[bool]:
    return (UserImport.tenant_id == tenant_id) & (UserImport.id == import_id)


def _is_expired(one: UserImport, state: str) -> bool:
    return one.state == state and one.expires_at < now()


def _run(
    actor: audit.Actor,
    tenant_id: UUID,
    import_id: UUID,
    claimed: Claimed,
    told: Told | None = None,
) -> Imported:
    file_index, people = claimed
    with _failing(tenant_id, import_id):
        ready = _made_ready(tenant_id, import_id, people, told)
        _import(actor, tenant_id, import_id, file_index, ready)
    return Imported(import_id, len(people))


@contextmanager
def _logged() -> Iterator[None]:
    """Log the type of an error and suppress it, because its traceback may contain names."""
    try:
        yield
    except Exception as error:
        log.warning("user_import_failed", error=type(error).__name__)


def _claim(actor: audit.Actor, tenant_id: UUID, import_id: UUID) -> Claimed:
    """Mark the import as running. Only one of several concurrent confirmations succeeds."""
    with transaction() as db:
        wanted = select(UserImport).where(_own(actor, tenant_id, import_id))
        one = db.scalar(wanted.with_for_update())
        if one is None or _is_expired(one, "previewed"):
            raise ImportUnknown
        if one.state != "previewed":
            raise ImportConfirmed
        one.state, one.expires_at = "running", now() + GIVEN_UP_AFTER
    return one.file_index, users_of(one)


def _made_ready(
    tenant_id: UUID, import_id: UUID, people: Sequence[NewPerson], told: Told | None
) -> Sequence[ReadyPerson]:
    ready: list[ReadyPerson] = []
    noted_at = now()
    for one in make_ready(tenant_id, people):
        ready.append(one)
        if told is not None:
            told(len(ready))
        if now() - noted_at > NOTED_EVERY:
            noted_at = now()
            _store_progress(tenant_id, import_id, len(ready))
    _store_progress(tenant_id, import_id, len(ready))
    return ready


def _store_progress(tenant_id: UUID, import_id: UUID, rows_done: int) -> None:
    """Store the progress and extend the deadline. Raise ImportInterrupted if the import failed."""
    noted = _change(tenant_id, import_id)
    with transaction() as db:
        values = {"rows_done": rows_done, "expires_at": now() + GIVEN_UP_AFTER}
        if db.scalar(noted.values(values).returning(UserImport.id)) is None:
            raise ImportInterrupted


def _change(tenant_id: UUID, import_id: UUID) -> Update:
    return update(UserImport).where(_one(tenant_id, import_id), UserImport.state == "running")


@retry_on_conflict
def _import(
    actor: audit.Actor,
    tenant_id: UUID,
    import_id: UUID,
    file_index: bytes,
    ready: Sequence[ReadyPerson],
) -> None:
    """Write all users in one transaction. A retry detects accounts taken since."""
    done = _change(tenant_id, import_id).values(state="done", imported_at=now(), people_sealed=None)
    with transaction() as db:
        if db.scalar(done.returning(UserImport.id)) is None:
            raise ImportInterrupted
        if bad := find_taken(db, tenant_id, [one.person for one in ready]):
            raise _refusal(bad)
        write_users(db, tenant_id, ready)
        told = {"people": len(ready), "file": file_index.hex()}
        audit.record(db, tenant_id, actor, "users.imported", import_id, **told)


def _refusal(bad: Sequence[BadCell]) -> UsersRefused:
    rows = ", ".join(str(row) for row in sorted({one.row for one in bad})[:20])
    told = ("row", "column", "code", "earlier_row")
    cells = [{name: getattr(one, name) for name in told} for one in bad[:MOST_TOLD]]
    return UsersRefused(errors={"rows": cells}, about=rows)


@contextmanager
def _failing(tenant_id: UUID, import_id: UUID) -> Iterator[None]:
    """Store the failure code if the block raises."""
    try:
        yield
    except BaseException as error:
        code = error.code if isinstance(error, Failure) else ImportInterrupted.code
        values = {"state": "failed", "failure": code, "people_sealed": None}
        # If the database is unavailable, the import fails after `GIVEN_UP_AFTER`.
        with suppress(DBAPIError), transaction() as db:
            db.execute(_change(tenant_id, import_id).values(values))
        raise
