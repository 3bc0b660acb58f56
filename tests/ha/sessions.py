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

    Times are those of `time.monotonic`. `is_active` is false as soon as a logout or a refresh is
    sent. A refresh, which `is_refreshing` notes, replaces the token.
    """

    token: str = field(repr=False)
    opened_at: float
    user_id: str = ""
    refresh_token: str = field(default="", repr=False)
    appid: str = ""
    is_active: bool = True
    ended_at: float | None = None
    is_refreshing: bool = False


class Sessions:
    """All acknowledged sessions of a test. Safe for threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._active: list[Session] = []
        self._ended: list[Session] = []
        # A dict keeps the order.
        self._all: dict[Session, None] = {}

    def add(self, token: str, user_id: str = "", refresh_token: str = "", appid: str = "") -> None:
        """Add a login that the service has just acknowledged."""
        session = Session(token, time.monotonic(), user_id, refresh_token, appid)
        with self._lock:
            self._active.append(session)
            self._all[session] = None

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

    def take_to_refresh(self) -> Session | None:
        """Return an active session with a refresh token. It is not active any more."""
        session = self.take_to_end()
        if session is not None:
            session.is_refreshing = True
        return session

    def note_ended(self, session: Session) -> None:
        """Note that the service has just acknowledged the logout of a session."""
        session.ended_at = time.monotonic()
        with self._lock:
            self._ended.append(session)

    def forget(self, session: Session, *, refuse_after: float | None = None) -> None:
        """Forget a session whose tokens were replaced. It was taken from the active ones.

        Its token must be refused after a number of seconds, unless that is None.
        """
        with self._lock:
            del self._all[session]
            if refuse_after is not None:
                session.ended_at = time.monotonic() + refuse_after
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
