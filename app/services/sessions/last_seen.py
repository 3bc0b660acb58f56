"""Last use of sessions: recorded in memory at authentication, written in batches."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import groupby
from typing import cast
from uuid import UUID

import structlog
from flask import Flask, current_app

from app.clock import now
from app.services.database.transactions import autocommit
from app.services.runtime import background
from app.services.runtime.per_process import OncePerProcess
from app.services.sessions.sessions import LOGIN_LIFETIME

log = structlog.get_logger()

EVERY_SECONDS = 5
# Uses of a session within this time are recorded once.
NOTED_EVERY = timedelta(minutes=1)
AT_ONCE = 1000
MOST_UNWRITTEN = 100_000

# Write the uses of sessions of one tenant. Extends bound sessions only. A session with replaced
# tokens is not updated. `seen_at` never decreases, because another worker's clock may be behind.
# Locked rows are skipped: the transaction with the lock uses, replaces or ends the session.
WRITE = """
UPDATE login_sessions AS s
SET seen_at = greatest(s.seen_at, used.seen_at),
    expires_at = CASE WHEN s.user_id IS NULL THEN s.expires_at
                 ELSE greatest(s.expires_at, used.expires_at) END
FROM (
    SELECT login_sessions.id, told.seen_at, told.expires_at
    FROM unnest(
        %(hashes)s::bytea[], %(moments)s::timestamptz[], %(expiries)s::timestamptz[]
    ) AS told (token_hash, seen_at, expires_at)
    JOIN login_sessions USING (token_hash)
    WHERE login_sessions.tenant_id = %(tenant_id)s AND login_sessions.ended_at IS NULL
    FOR NO KEY UPDATE OF login_sessions SKIP LOCKED
) AS used
WHERE s.tenant_id = %(tenant_id)s AND s.id = used.id
"""

Use = tuple[UUID, bytes]


class LastSeen:
    """Session uses that this process has recorded and not yet written."""

    def __init__(self) -> None:
        # Set in processes that write in batches. Without it, each use is written immediately.
        self.begin_writing: Callable[[], None] | None = None
        self._once = OncePerProcess(self._begin)
        # The times of the last uses by tenant and token hash.
        self._moments: dict[Use, datetime] = {}

    def _begin(self) -> None:
        self._moments = {}
        if self.begin_writing is not None:
            self.begin_writing()

    @property
    def has_begun(self) -> bool:
        """Return whether this process has recorded a use."""
        return self._once.has_begun

    def note(self, tenant_id: UUID, token_hash: bytes) -> None:
        """Record a use of a session. Uses of more than `MOST_UNWRITTEN` sessions are dropped."""
        self._once()
        if len(self._moments) < MOST_UNWRITTEN:
            self._moments[tenant_id, token_hash] = now()
        if self.begin_writing is None:
            self.write()

    def write(self) -> bool:
        """Write the recorded uses. Return whether that succeeded. If not, the next call retries."""
        moments, self._moments = self._moments, {}
        waiting = sorted(moments.items())
        try:
            while waiting:
                _write(waiting[:AT_ONCE])
                del waiting[:AT_ONCE]
        except Exception as error:
            log.warning("last_seen_not_written", error=type(error).__name__, kept=len(waiting))
            unwritten = [*waiting, *self._moments.items()]
            self._moments = dict(unwritten[-MOST_UNWRITTEN:])
            return False
        return True


def _write(uses: list[tuple[Use, datetime]]) -> None:
    """Write uses that are sorted by tenant, with one statement per tenant in one round trip."""
    with autocommit() as db, db.pipeline():
        for tenant_id, of_tenant in groupby(uses, key=_tenant_of):
            moments = {token_hash: moment for (_, token_hash), moment in of_tenant}
            values = {
                "tenant_id": tenant_id,
                "hashes": list(moments),
                "moments": list(moments.values()),
                "expiries": [moment + LOGIN_LIFETIME for moment in moments.values()],
            }
            db.execute(WRITE, values)


def _tenant_of(use: tuple[Use, datetime]) -> UUID:
    (tenant_id, _), _ = use
    return tenant_id


def last_seen() -> LastSeen:
    """Return the `LastSeen` of the running app."""
    return cast(LastSeen, current_app.extensions["last_seen"])


def write_regularly(app: Flask) -> None:
    """Start a writer in each process at its first recorded use. The writer also runs at exit."""
    uses: LastSeen = app.extensions["last_seen"]
    background.write_regularly(app, "session-uses", uses, EVERY_SECONDS, uses.write)
