"""The people of the benchmark. Every property of a person is computed from the person's number.

Therefore, login tokens are known without storing them.
"""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from random import Random
from uuid import UUID

from app.services.sessions.tokens import LOGIN_PREFIX, ROTATING_BYTES, RefreshToken

TENANTS, APPS = 1_000, 2_000
FIRST_CREATED_MS = 1_704_067_200_000  # creation time of the first person: 2024-01-01
SECONDS_BETWEEN = 6
LOGGED_IN_MS = FIRST_CREATED_MS + 700 * 86_400_000
LOGINS_WITHIN_MS = 30 * 86_400_000
# People who are added during the benchmark have higher numbers than those added before.
FIRST_ADDED = 400_000_000
FIRST_UNLINKED = 500_000_000
VARIANTS = "89ab"


def uuid7(milliseconds: int, random: bytes) -> str:
    """Return the UUIDv7 of a Unix time and ten random bytes."""
    when, rest = f"{milliseconds:012x}", random[:10].hex()
    variant = VARIANTS[random[9] & 3]
    return f"{when[:8]}-{when[8:]}-7{rest[:3]}-{variant}{rest[3:6]}-{rest[6:18]}"


@dataclass(frozen=True)
class App:
    """A mini-program. Every tenant has two mini-programs."""

    number: int

    @property
    def appid(self) -> str:
        return f"wx{0xBE9C000000000000 + self.number:016x}"

    @property
    def secret(self) -> str:
        return blake2b(self.appid.encode(), digest_size=16).hexdigest()

    @property
    def tenant_id(self) -> str:
        return tenant_id(self.number // 2)

    @property
    def registration(self) -> str:
        """The registration policy: half of the apps register users at login, half by phone."""
        return "on_phone" if self.number % 2 else "on_login"


def tenant_id(number: int) -> str:
    """Return the id of the tenant with a number."""
    return uuid7(FIRST_CREATED_MS - TENANTS + number, blake2b(b"tenant %d" % number).digest())


def is_on_open_platform(appid: str) -> bool:
    """Return whether WeChat returns unionids to an app.

    This holds for half of the apps with each registration policy.
    """
    return int(appid[-4:], 16) % 4 < 2


def unionid_of(openid: str) -> str:
    """Return the unionid that belongs to an openid."""
    return "u" + openid[1:]


def session_key_of(openid: str) -> str:
    """Return the session_key of an openid. Every login returns the same session_key."""
    return b64encode(blake2b(openid.encode(), digest_size=16).digest()).decode()


ALL_APPS = tuple(App(number) for number in range(APPS))
APPIDS = tuple(app.appid for app in ALL_APPS)
TENANT_IDS = tuple(app.tenant_id for app in ALL_APPS)


def as_base64url(secret: bytes) -> str:
    """Return bytes in base64url without padding."""
    return urlsafe_b64encode(secret).decode().rstrip("=")


class Person:
    """A person with one WeChat identity and two sessions."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.random = blake2b(b"person %d" % number).digest()
        # A few apps are large and most are small: by the cube, 8 % of the people use the largest.
        share = int.from_bytes(self.random[60:64], "big") / 2**32
        self.app = int(APPS * share**3)
        self.openid = "o" + urlsafe_b64encode(self.random[40:60]).decode().rstrip("=")
        self.user_id = uuid7(self.created_ms, self.random)
        self.account_id = uuid7(self.created_ms, self.random[10:])

    @property
    def created_ms(self) -> int:
        return FIRST_CREATED_MS + self.number * SECONDS_BETWEEN * 1000

    @property
    def appid(self) -> str:
        return APPIDS[self.app]

    @property
    def tenant_id(self) -> str:
        return TENANT_IDS[self.app]

    @property
    def key_id(self) -> str:
        return uuid7(self.created_ms, self.random[20:])

    @property
    def phone_id(self) -> str:
        return uuid7(self.created_ms + 60_000, self.random[5:])

    @property
    def phone(self) -> str:
        return f"+8613{self.number:09d}"

    @property
    def unionid(self) -> str | None:
        return unionid_of(self.openid) if is_on_open_platform(self.appid) else None

    def session_id(self, which: int) -> str:
        """Return the id of the first session (0) or the second session (1)."""
        random = self.random[30 + 5 * which :]
        ago = int.from_bytes(random[:5], "big") % LOGINS_WITHIN_MS
        return uuid7(LOGGED_IN_MS + ago, random)

    def token(self, which: int) -> str:
        """Return the login token of the first session (0) or the second session (1)."""
        secret = UUID(self.tenant_id).bytes + self._secret(b"token", which)
        return LOGIN_PREFIX + as_base64url(secret)

    def refresh_token(self, which: int) -> RefreshToken:
        """Return the refresh token of the first session (0) or the second session (1)."""
        family = as_base64url(self._secret(b"family", which))
        rotating = as_base64url(self._secret(b"rotating", which)[:ROTATING_BYTES])
        return RefreshToken(family, rotating, UUID(self.tenant_id))

    def _secret(self, what: bytes, which: int) -> bytes:
        return sha256(b"%s %d of %d" % (what, which, self.number)).digest()


class AddedPerson(Person):
    """A person with a user and two sessions, added during the benchmark."""

    @property
    def created_ms(self) -> int:
        return LOGGED_IN_MS + LOGINS_WITHIN_MS + (self.number - FIRST_ADDED)


class UnlinkedPerson(Person):
    """A person with a session but no user, in an app that registers users by phone."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.app |= 1

    @property
    def created_ms(self) -> int:
        return LOGGED_IN_MS + LOGINS_WITHIN_MS + (self.number - FIRST_UNLINKED)

    @property
    def phone(self) -> str:
        return f"+8615{self.number:09d}"


def sample(users: int, wanted: int) -> Sequence[Person]:
    """Return a random sample of the first `users` people. Every run returns the same sample."""
    numbers = Random(7).sample(range(users), min(users, wanted))
    return [Person(number) for number in numbers]
