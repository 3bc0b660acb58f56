"""The session limit of an app: the number of active sessions that a user may have in the app."""

from typing import Literal

from sqlalchemy.orm import Mapped, mapped_column

# A number, "off" for no limit, or None for the default.
SessionLimit = int | Literal["off"] | None
DEFAULT_SESSION_LIMIT = 50


def read_session_limit(max_sessions: int | None, *, unlimited: bool) -> SessionLimit:
    """Return the session limit for the values of the two columns of `HasSessionLimit`."""
    return "off" if max_sessions is None and unlimited else max_sessions


class HasSessionLimit:
    """The two columns that hold a session limit. `session_limit` reads and writes both."""

    max_sessions: Mapped[int | None] = mapped_column("session_limit")
    unlimited_sessions: Mapped[bool] = mapped_column(server_default="false")

    @property
    def session_limit(self) -> SessionLimit:
        """The session limit that an operator set: a number, "off", or None for the default."""
        return read_session_limit(self.max_sessions, unlimited=self.unlimited_sessions)

    @session_limit.setter
    def session_limit(self, limit: SessionLimit) -> None:
        self.max_sessions = None if limit == "off" else limit
        self.unlimited_sessions = limit == "off"

    @property
    def effective_session_limit(self) -> int | None:
        """The number of active sessions that a user may have in the app. None means no limit."""
        limit = self.session_limit
        return None if limit == "off" else limit or DEFAULT_SESSION_LIMIT
