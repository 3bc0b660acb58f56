"""What can be known of people without the service: users, WeChat identities, login sessions.

The service's rules are told here a second time, in other words, so that the two can differ.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fixtures.personas import App

Said = dict[str, Any]

LOGIN_LIFETIME = timedelta(hours=2)
REFRESH_LIFETIME = timedelta(days=30)
SESSION_KEY_LIFETIME = timedelta(days=30)  # the simulated WeChat's
SEEN_EVERY = timedelta(minutes=1)

BY_ITSELF, FROM_ELSEWHERE = "session_ended", "session_revoked"


class Clock:
    """The service's time, which stands still until somebody moves it."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def now(self) -> datetime:
        """Give the present moment."""
        return self.moment

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.moment += timedelta(seconds=seconds)


class Refused(Exception):
    """What the service must answer, by code, and then it has changed nothing."""

    def __init__(self, *codes: str, changes: bool = False) -> None:
        super().__init__(*codes)
        self.codes, self.changes = codes, changes


@dataclass(eq=False)
class User:
    """A person of a tenant."""

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
    """A bare user that went into another, with so many identities."""

    into: User
    moved: int
    at: datetime


@dataclass(eq=False)
class Identity:
    """A person's WeChat identity in one app, once the service has met it."""

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
    def whose(self) -> object:
        """Say whose it is as far as WeChat tells: without a unionid it is nobody else's."""
        return (self.app.tenant, self.person) if self.has_unionid else self

    def knows_key(self, now: datetime) -> bool:
        """Tell whether the service has the session_key that WeChat encrypts with now."""
        return self.key_since is not None and now - self.key_since < SESSION_KEY_LIFETIME

    @contextmanager
    def met(self, now: datetime, has_unionid: bool) -> Iterator[None]:
        """Take WeChat's word about the identity, and the session_key; a refused login does not."""
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
    """A login session, with all tokens it ever had; only the newest may answer."""

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
        """Be told of as whose it is; hypothesis would print every token."""
        whose = self.identity or f"{self.user and self.user.account}@{self.app.appid}"
        printer.text(f"<session of {whose}>")

    @property
    def family(self) -> list[str]:
        """The refresh tokens since the session was last bound, newest last."""
        return self.refresh_tokens[self.family_begins :]

    def begin(self, said: Said, user: User | None, now: datetime) -> None:
        """Take the first tokens, or those of a binding: no refresh token from before counts."""
        self.family_begins, self.refreshed_at = len(self.refresh_tokens), None
        self.user = user
        assert (said["refresh_token"] is None) is (user is None)
        self.take(said, now)

    def take(self, said: Said, now: datetime) -> None:
        """Take new tokens."""
        assert said["token"] not in self.tokens
        assert said["refresh_token"] not in self.refresh_tokens
        self.tokens.append(said["token"])
        self.refresh_tokens += filter(None, [said["refresh_token"]])
        self.seen_at, self.expires_at = now, now + LOGIN_LIFETIME
        self.refresh_until = now + REFRESH_LIFETIME

    def end(self, code: str) -> None:
        """End, unless it has ended before."""
        self.ended = self.ended or code

    def use(self, token: str, now: datetime, even_expired: bool = False) -> None:
        """Come with a token: refused, or seen and, if bound, prolonged."""
        self.refuse(token)
        if now < self.expires_at:
            self.be_seen(now)
        elif not even_expired:
            raise Refused("session_expired")

    def refuse(self, token: str) -> None:
        """Refuse all tokens but the newest, and that too of an end or a disabled user."""
        self.refuse_old(token)
        self.refuse_disabled()

    def refuse_old(self, token: str) -> None:
        """Refuse all tokens but the newest, and that too of a session that has ended."""
        if token not in self.tokens[-2:]:
            raise Refused("token_invalid")
        if self.ended:
            raise Refused(self.ended)
        if token != self.tokens[-1]:
            raise Refused("session_replaced")

    def be_seen(self, now: datetime) -> None:
        """Slide on, at most once a minute; an unbound session has its two hours and no more."""
        if now - self.seen_at >= SEEN_EVERY:
            self.seen_at = now
            self.expires_at = now + LOGIN_LIFETIME if self.user else self.expires_at

    def refuse_disabled(self) -> None:
        """Refuse for a user who is switched off."""
        if self.user and self.user.status != "active":
            raise Refused("user_disabled")

    def is_listed_for(self, user: User | None, now: datetime) -> bool:
        """Tell whether a user is, or by a refresh can be, logged in by it."""
        return not self.ended and self.user is user and now < self.refresh_until
