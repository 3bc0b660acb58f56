"""The logins and logouts that the service has acknowledged."""

import random
import time
from dataclasses import dataclass, field
from threading import Lock

# Half of the checks use one of the latest sessions, which a failover would lose first.
LATEST = 20
# Seconds after which every worker must refuse a session that was ended.
INVALIDATION_SECONDS = 1.0


@dataclass(eq=False)
class Session:
    """An acknowledged login. `ended_at` is the time of its acknowledged logout.

    Times are those of `time.monotonic`. `is_active` is false as soon as a logout is sent.
    """

    token: str = field(repr=False)
    opened_at: float
    is_active: bool = True
    ended_at: float | None = None


class Sessions:
    """All acknowledged sessions of a test. Safe for threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._active: list[Session] = []
        self._ended: list[Session] = []
        self._all: list[Session] = []

    def add(self, token: str) -> None:
        """Add a login that the service has just acknowledged."""
        session = Session(token, time.monotonic())
        with self._lock:
            self._active.append(session)
            self._all.append(session)

    def any_active(self) -> Session | None:
        """Return an active session, or None if there is none."""
        with self._lock:
            return _choose(self._active)

    def take_to_end(self) -> Session | None:
        """Return an active session for a logout. It is not active any more."""
        with self._lock:
            if not self._active:
                return None
            session = self._active.pop(random.randrange(len(self._active)))
            session.is_active = False
            return session

    def note_ended(self, session: Session) -> None:
        """Note that the service has just acknowledged the logout of a session."""
        session.ended_at = time.monotonic()
        with self._lock:
            self._ended.append(session)

    def any_ended(self) -> Session | None:
        """Return a session that every worker must refuse by now, or None if there is none."""
        with self._lock:
            session = _choose(self._ended)
        if session is None or session.ended_at is None:
            return None
        return session if time.monotonic() - session.ended_at > INVALIDATION_SECONDS else None

    def acknowledged(self) -> list[Session]:
        """Return all sessions."""
        with self._lock:
            return list(self._all)

    def between(self, begun: float, ended: float) -> list[Session]:
        """Return the sessions that were acknowledged, or ended if they were, in a period."""
        return [
            session
            for session in self.acknowledged()
            if begun <= (session.ended_at or session.opened_at) < ended
        ]


def _choose(sessions: list[Session]) -> Session | None:
    if not sessions:
        return None
    return random.choice(sessions[-LATEST:] if random.random() < 0.5 else sessions)
