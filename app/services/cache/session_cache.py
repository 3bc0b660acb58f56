"""Verified sessions, remembered by the hash of their token.

Packed into bytes, for there are many: 0.25 kB each, a third of what it takes as objects, and
nothing that the garbage collector looks through.
"""

import time
from struct import Struct
from threading import Lock
from typing import NamedTuple
from uuid import UUID

from app.services.cache.invalidation import InvalidationLog
from app.services.principals import Principal
from app.services.runtime.bounded import keep_latest

MOST_SESSIONS = 65_536
# The session, its user and its social account, of zeros if there is none; the number of its app;
# and, by this process's monotonic clock, when it was read, expires, and was last known to be used.
PACKED = Struct("=16s16s16sIddd")
NO_ID = bytes(16)


class Life(NamedTuple):
    """When a session was asked for, expires and was last used, by `time.monotonic`."""

    read_at: float
    expires_at: float
    used_at: float


class Home(NamedTuple):
    """What all sessions of an app have in common."""

    appid: str
    tenant_id: UUID
    tenant_slug: str


class SessionCache:
    """Bound sessions by the hash of their token.

    Unbound sessions are not cached: one may keep its token when it is bound, and the binding must
    hold before its notification arrives.
    """

    def __init__(self, changes: InvalidationLog) -> None:
        self._changes = changes
        self._packed: dict[bytes, bytes] = {}
        self._homes: list[Home] = []
        self._numbers: dict[Home, int] = {}
        self._numbering = Lock()

    def find(self, token_hash: bytes) -> tuple[Principal, Life] | None:
        """Return the session of a token hash, or None if it is missing, expired or invalid."""
        packed = self._packed.get(token_hash)
        if packed is None:
            return None
        session, user, social_account, number, *life = PACKED.unpack(packed)
        home = self._homes[number]
        subjects = (session, user, home.tenant_id.bytes, app_subject(home.appid))
        if life[1] <= time.monotonic() or not self._changes.none_since(life[0], *subjects):
            return None
        principal = Principal(
            UUID(bytes=session),
            home.tenant_id,
            home.tenant_slug,
            home.appid,
            None if social_account == NO_ID else UUID(bytes=social_account),
            UUID(bytes=user),
            token_hash,
        )
        return principal, Life(*life)

    def keep(self, principal: Principal, life: Life) -> None:
        """Remember a good session of a user, if changes of it are heard."""
        if principal.user_id is None or not self._changes.is_fresh:
            return
        packed = PACKED.pack(
            principal.session_id.bytes,
            principal.user_id.bytes,
            principal.social_account_id.bytes if principal.social_account_id else NO_ID,
            self._number(Home(principal.appid, principal.tenant_id, principal.tenant_slug)),
            *life,
        )
        keep_latest(self._packed, principal.token_hash, packed, MOST_SESSIONS)

    def _number(self, home: Home) -> int:
        number = self._numbers.get(home)
        if number is not None:
            return number
        with self._numbering:
            if home not in self._numbers:
                self._homes.append(home)
                self._numbers[home] = len(self._homes) - 1
            return self._numbers[home]


def app_subject(appid: str) -> str:
    """Name an app as the notices of its changes do; it might look like an id."""
    return f"app:{appid}"
