"""Failed sign-ins, codes and step-ups of operators: log them, and write them to the audit log.

A request only queues its failure. A background thread looks up the operator and writes the row, so
neither a response nor its time reveals whether an e-mail address belongs to an operator. Token
buckets limit the rows that an attack can write.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, cast
from uuid import UUID

import structlog
from flask import Flask, current_app
from sqlalchemy import select

from app.clock import now
from app.errors import (
    OneTimeCodeNeeded,
    OneTimeCodeWrong,
    PasswordWrong,
    SignInWrong,
    TooManyTries,
)
from app.keyring import keyring
from app.models import Operator
from app.services import audit
from app.services.database.transactions import transaction
from app.services.runtime import background
from app.services.runtime.per_process import OncePerProcess

log = structlog.get_logger()

SIGN_IN_FAILED = "operator.sign_in_failed"
STEP_UP_FAILED = "operator.step_up_failed"
CODE_FAILED = "operator.code_failed"
NOTED = (SignInWrong, PasswordWrong, OneTimeCodeNeeded, OneTimeCodeWrong, TooManyTries)

EVERY_SECONDS = 1
# More failures than a process can produce in EVERY_SECONDS. Beyond it, the oldest are dropped.
MOST_WAITING = 10_000


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """A queued failure. `who` is an e-mail address, or the operator's id if it is known."""

    action: str
    reason: str
    who: str | UUID = field(repr=False)
    address: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """An event of the audit log."""

    actor: audit.Actor
    action: str
    subject: str
    details: Mapping[str, Any]


class TokenBucket:
    """Allow `burst` rows, then one row per interval. Count the suppressed rows."""

    def __init__(self, burst: int, interval: timedelta) -> None:
        self.burst, self.interval = burst, interval
        self._tokens, self._counted_at = float(burst), now()
        self._suppressed = 0

    def take(self, moment: datetime) -> int | None:
        """Return the number of rows suppressed before this one, or None to suppress this one."""
        gained = max(0.0, (moment - self._counted_at) / self.interval)
        self._tokens, self._counted_at = min(self.burst, self._tokens + gained), moment
        if self._tokens < 1:
            self._suppressed += 1
            return None
        self._tokens -= 1
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed


class OperatorFailures:
    """The queued failures of this process."""

    def __init__(self) -> None:
        # Set if a thread writes the failures. Otherwise `note` writes each one immediately.
        self.begin_writing: Callable[[], None] | None = None
        self._once = OncePerProcess(self._begin)
        self._clear()

    def _clear(self) -> None:
        self._waiting: deque[FailedAttempt] = deque(maxlen=MOST_WAITING)
        self._rows: deque[Row] = deque(maxlen=MOST_WAITING)
        self._writing = Lock()
        # Two buckets, so that attempts with unknown addresses do not hide an attack on an operator.
        self.known = TokenBucket(100, timedelta(seconds=10))
        self.unknown = TokenBucket(30, timedelta(minutes=1))

    def _begin(self) -> None:
        self._clear()
        if self.begin_writing is not None:
            self.begin_writing()

    @property
    def has_begun(self) -> bool:
        """Return whether this process has queued a failure."""
        return self._once.has_begun

    def note(self, attempt: FailedAttempt) -> None:
        """Queue a failure. The caller has no open transaction."""
        self._once()
        self._waiting.append(attempt)
        if self.begin_writing is None:
            self.write()

    def write(self) -> bool:
        """Log and write the queued failures. Return whether that succeeded. If not, retry later."""
        with self._writing:
            try:
                self._look_up()
                self._write_rows()
            except Exception as error:
                kept = len(self._waiting) + len(self._rows)
                log.warning("operator_failures_not_written", error=type(error).__name__, kept=kept)
                return False
        return True

    def _look_up(self) -> None:
        """Find the operators of the queued failures, log each failure, and create audit rows.

        Token buckets limit the number of rows. If the search fails, all failures stay queued.
        """
        attempts = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            known = _operator_ids({one.who for one in attempts if isinstance(one.who, str)})
        except Exception:
            self._waiting.extendleft(reversed(attempts))
            raise
        for attempt in attempts:
            who = attempt.who
            operator_id = who if isinstance(who, UUID) else known.get(who)
            subject = str(operator_id or _email_subject(str(who)))
            _log(attempt, operator_id, subject)
            bucket = self.known if operator_id else self.unknown
            suppressed = bucket.take(now())
            if suppressed is not None:
                self._rows.append(_row(attempt, operator_id, subject, suppressed))

    def _write_rows(self) -> None:
        if not self._rows:
            return
        with transaction() as db:
            for row in self._rows:
                audit.record(db, None, row.actor, row.action, row.subject, **row.details)
        self._rows.clear()


def _operator_ids(emails: set[str]) -> Mapping[str, UUID]:
    if not emails:
        return {}
    with transaction() as db:
        found = db.execute(select(Operator.email, Operator.id).where(Operator.email.in_(emails)))
        return {row.email: row.id for row in found}


def _email_subject(email: str) -> str:
    """Return a keyed hash of an e-mail address, which the audit log stores instead of it."""
    return f"email:{keyring().blind_index(email, 'operators:email').hex()[:32]}"


def _log(attempt: FailedAttempt, operator_id: UUID | None, subject: str) -> None:
    log.warning(
        attempt.action.replace(".", "_"),
        reason=attempt.reason,
        operator=str(operator_id) if operator_id else None,
        subject=subject,
        address=attempt.address,
        request_id=attempt.request_id,
    )


def _row(attempt: FailedAttempt, operator_id: UUID | None, subject: str, suppressed: int) -> Row:
    kind = "operator" if operator_id else "system"
    details: dict[str, Any] = {"reason": attempt.reason}
    if suppressed:
        details["suppressed"] = suppressed
    actor = audit.Actor(kind, operator_id, attempt.address)
    return Row(actor, attempt.action, subject, details)


@contextmanager
def noting(action: str, who: str | UUID, address: str | None) -> Iterator[None]:
    """Record the failure if the block raises one of `NOTED`."""
    try:
        yield
    except NOTED as failure:
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        attempt = FailedAttempt(action, failure.code, who, address, request_id)
        operator_failures().note(attempt)
        raise


def operator_failures() -> OperatorFailures:
    """Return the queued failures of the current app."""
    return cast(OperatorFailures, current_app.extensions["operator_failures"])


def write_regularly(app: Flask) -> None:
    """Start the writer thread with the first failure of each process. It also writes at exit."""
    failures: OperatorFailures = app.extensions["operator_failures"]
    background.write_regularly(app, "operator-failures", failures, EVERY_SECONDS, failures.write)
