"""Cache of authenticated sessions by token hash.

Each session is packed into bytes, because a process caches many sessions: 0.28 kB each, a third of
the size of Python objects, and the garbage collector does not traverse them.
"""

import time
from struct import Struct
from threading import Lock
from typing import NamedTuple
from uuid import UUID

from app.services.cache.invalidation import InvalidationLog
from app.services.principals import Principal
from app.services.runtime.bounded import keep_latest

# The ids of session, user and social account (NO_ID if there is none), the app's index in `_homes`,
# and the three times of `Life`.
PACKED = Struct("=16s16s16sIddd")
NO_ID = bytes(16)


class Life(NamedTuple):
    """Times of a cached session by `time.monotonic`: database query, expiry and last use."""

    read_at: float
    expires_at: float
    used_at: float


class Home(NamedTuple):
    """The app and the tenant of a session, stored once for all sessions of the app."""

    appid: str
    tenant_id: UUID
    tenant_slug: str


class SessionCache:
    """Sessions that are bound to a user, by token hash.

    Unbound sessions are not cached: a session can keep its token when it is bound to a user, and
    the binding must take effect before the notification arrives. Above `most` sessions, the oldest
    are deleted.
    """

    def __init__(self, changes: InvalidationLog, most: int) -> None:
        self._changes = changes
        self._most = most
        self._packed: dict[bytes, bytes] = {}
        self._homes: list[Home] = []
        self._numbers: dict[Home, int] = {}
        self._numbering = Lock()
        self.hits = self.misses = 0

    def find(self, token_hash: bytes) -> tuple[Principal, Life] | None:
        """Return the session of a token hash, or None if it is missing, expired or invalid."""
        packed = self._packed.get(token_hash)
        if packed is None:
            self.misses += 1
            return None
        session, user, social_account, number, *life = PACKED.unpack(packed)
        home = self._homes[number]
        subjects = (session, user, home.tenant_id.bytes, app_subject(home.appid))
        if life[1] <= time.monotonic() or not self._changes.none_since(life[0], *subjects):
            self.misses += 1
            return None
        self.hits += 1
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
        """Store a session if it is bound to a user and the invalidation log is complete."""
        if principal.user_id is None or not self._changes.is_fresh:
            return
        packed = PACKED.pack(
            principal.session_id.bytes,
            principal.user_id.bytes,
            principal.social_account_id.bytes if principal.social_account_id else NO_ID,
            self._number(Home(principal.appid, principal.tenant_id, principal.tenant_slug)),
            *life,
        )
        keep_latest(self._packed, principal.token_hash, packed, self._most)

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
    """Return the subject of an app in notifications. The prefix prevents confusion with a UUID."""
    return f"app:{appid}"
