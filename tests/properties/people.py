"""Users, WeChat identities and sessions of the model.

The model implements the rules of the service a second time, for comparison.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fixtures.personas import App

Body = dict[str, Any]

LOGIN_LIFETIME = timedelta(hours=2)
REFRESH_LIFETIME = timedelta(days=30)
SESSION_KEY_LIFETIME = timedelta(days=30)  # of the WeChat simulator
SEEN_EVERY = timedelta(minutes=1)

LOGGED_OUT, REVOKED = "session_ended", "session_revoked"


class Clock:
    """The clock of the service. The time changes only when a test moves the clock."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def now(self) -> datetime:
        """Return the current time of the clock."""
        return self.moment

    def pass_(self, seconds: float) -> None:
        """Move the clock forward by seconds."""
        self.moment += timedelta(seconds=seconds)


class Refused(Exception):
    """Raised by the model for a request that the service must refuse with one of the error codes.

    The service must change no row unless `changes` is set.
    """

    def __init__(self, *codes: str, changes: bool = False) -> None:
        super().__init__(*codes)
        self.codes, self.changes = codes, changes


@dataclass(eq=False)
class User:
    """A user of a tenant."""

    tenant: str
    id: str
    account: str | None = None
    phone: str | None = None
    disabled: bool = False
    merge: "Merge | None" = None

    @property
    def status(self) -> str:
        if self.merge:
            return "merged"
        return "disabled" if self.disabled else "active"


@dataclass(eq=False)
class Merge:
    """The merge of a bare user into another user.

    `moved` is the number of identities that were moved.
    """

    into: User
    moved: int
    at: datetime


@dataclass(eq=False)
class Identity:
    """A person's WeChat identity in one app.

    `joins` means that a login may link the identity to a user by unionid. `key_since` is the time
    of the login that returned the current session_key.
    """

    person: str
    app: App
    openid: str | None = None
    has_unionid: bool = False
    joins: bool = True
    user: User | None = None
    merge: Merge | None = None
    key_since: datetime | None = None

    def __repr__(self) -> str:
        return f"{self.person}@{self.app.appid}"

    @property
    def person_key(self) -> object:
        """A value that is equal for all identities known to belong to one person by unionid."""
        return (self.app.tenant, self.person) if self.has_unionid else self

    def knows_key(self, now: datetime) -> bool:
        """Return whether the service has a session_key that is current and not expired."""
        return self.key_since is not None and now - self.key_since < SESSION_KEY_LIFETIME

    @contextmanager
    def seen_by_login(self, now: datetime, has_unionid: bool) -> Iterator[None]:
        """Record the unionid at the start of the block, and the session_key at its end.

        If the block raises Refused, neither is recorded.
        """
        before = self.has_unionid
        self.has_unionid = before or has_unionid
        try:
            yield
        except Refused:
            self.has_unionid = before
            raise
        self.key_since = now


@dataclass(eq=False)
class Session:
    """A login session with its current and all earlier tokens. Only the newest token is valid.

    `ended` is the error code for the tokens of an ended session. `family_begins` is the index of
    the first refresh token since the session was last linked to a user.
    """

    app: App
    device: str
    opened_at: datetime
    identity: Identity | None
    code: str | None = None
    user: User | None = None
    id: str | None = None
    ended: str | None = None
    tokens: list[str] = field(default_factory=list)
    refresh_tokens: list[str] = field(default_factory=list)
    family_begins: int = 0
    refreshed_at: datetime | None = None

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Print the identity or account of the session, without tokens."""
        person_key = self.identity or f"{self.user and self.user.account}@{self.app.appid}"
        printer.text(f"<session of {person_key}>")

    @property
    def family(self) -> list[str]:
        """The refresh tokens since the session was last linked to a user, newest last."""
        return self.refresh_tokens[self.family_begins :]

    def set_tokens(self, body: Body, user: User | None, now: datetime) -> None:
        """Add the tokens in the response to a login or link, and invalidate earlier ones."""
        self.family_begins, self.refreshed_at = len(self.refresh_tokens), None
        self.user = user
        assert (body["refresh_token"] is None) is (user is None)
        self.add_tokens(body, now)

    def add_tokens(self, body: Body, now: datetime) -> None:
        """Add the tokens in a response, and begin their lifetimes."""
        assert body["token"] not in self.tokens
        assert body["refresh_token"] not in self.refresh_tokens
        self.tokens.append(body["token"])
        self.refresh_tokens += filter(None, [body["refresh_token"]])
        self.seen_at, self.expires_at = now, now + LOGIN_LIFETIME
        self.refresh_until = now + REFRESH_LIFETIME

    def end(self, code: str) -> None:
        """End the session with an error code for its tokens. An ended session keeps its code."""
        self.ended = self.ended or code

    def use(self, token: str, now: datetime, even_expired: bool = False) -> None:
        """Authenticate a request with a login token, and extend the lifetime of the session.

        `even_expired` accepts an expired session.
        """
        self.refuse(token)
        if now < self.expires_at:
            self.mark_seen(now)
        elif not even_expired:
            raise Refused("session_expired")

    def refuse(self, token: str) -> None:
        """Raise Refused unless the token is the newest of an active session with an active user.

        A session without a user is accepted.
        """
        self.refuse_old(token)
        self.refuse_disabled()

    def refuse_old(self, token: str) -> None:
        """Raise Refused unless the token is the newest of an active session."""
        if token not in self.tokens[-2:]:
            raise Refused("token_invalid")
        if self.ended:
            raise Refused(self.ended)
        if token != self.tokens[-1]:
            raise Refused("session_replaced")

    def mark_seen(self, now: datetime) -> None:
        """Extend the lifetime of the session, at most once a minute.

        The lifetime of a session without a user is not extended.
        """
        if now - self.seen_at >= SEEN_EVERY:
            self.seen_at = now
            self.expires_at = now + LOGIN_LIFETIME if self.user else self.expires_at

    def refuse_disabled(self) -> None:
        """Raise Refused if the user is disabled."""
        if self.user and self.user.status != "active":
            raise Refused("user_disabled")

    def is_listed_for(self, user: User | None, now: datetime) -> bool:
        """Return whether the list of the user's sessions contains the session."""
        return not self.ended and self.user is user and now < self.refresh_until
