"""The people of the benchmark. Every property of a person is computed from a number.

So tokens need not be stored.
"""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from random import Random

TENANTS, APPS = 1_000, 2_000
FIRST_CREATED_MS = 1_704_067_200_000  # creation of the first person: the first day of 2024
SECONDS_BETWEEN = 6
LOGGED_IN_MS = FIRST_CREATED_MS + 700 * 86_400_000
LOGINS_WITHIN_MS = 30 * 86_400_000
# Strangers have numbers beyond those of users, so the two ranges do not overlap.
FIRST_STRANGER = 500_000_000
VARIANTS = "89ab"


def uuid7(milliseconds: int, random: bytes) -> str:
    """Return a UUIDv7 of a time and ten bytes."""
    when, rest = f"{milliseconds:012x}", random[:10].hex()
    variant = VARIANTS[random[9] & 3]
    return f"{when[:8]}-{when[8:]}-7{rest[:3]}-{variant}{rest[3:6]}-{rest[6:18]}"


@dataclass(frozen=True)
class App:
    """A mini-program. Every tenant has two."""

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
        """Half of the apps register at login, half by phone."""
        return "on_phone" if self.number % 2 else "on_login"


def tenant_id(number: int) -> str:
    """Return the id of a tenant."""
    return uuid7(FIRST_CREATED_MS - TENANTS + number, blake2b(b"tenant %d" % number).digest())


def is_on_open_platform(appid: str) -> bool:
    """Return whether WeChat returns unionids to an app: half of the apps of either registration."""
    return int(appid[-4:], 16) % 4 < 2


def unionid_of(openid: str) -> str:
    """Return the unionid of an openid."""
    return "u" + openid[1:]


def session_key_of(openid: str) -> str:
    """Return the session_key of an openid. It is the same at each login."""
    return b64encode(blake2b(openid.encode(), digest_size=16).digest()).decode()


ALL_APPS = tuple(App(number) for number in range(APPS))
APPIDS = tuple(app.appid for app in ALL_APPS)
TENANT_IDS = tuple(app.tenant_id for app in ALL_APPS)


class Person:
    """A person with one WeChat identity and two sessions."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.random = blake2b(b"person %d" % number).digest()
        # Some apps are large and most are small. The cube gives the largest app 8 % of the people.
        place = int.from_bytes(self.random[60:64], "big") / 2**32
        self.app = int(APPS * place**3)
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
        """Return the id of the first or the second session."""
        random = self.random[30 + 5 * which :]
        ago = int.from_bytes(random[:5], "big") % LOGINS_WITHIN_MS
        return uuid7(LOGGED_IN_MS + ago, random)

    def token(self, which: int) -> str:
        """Return the login token of a session."""
        secret = sha256(b"token %d of %d" % (which, self.number)).digest()
        return "wxp_" + urlsafe_b64encode(secret).decode().rstrip("=")


class Stranger(Person):
    """A person with a session and without a user, in an app that registers by phone."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.app |= 1

    @property
    def created_ms(self) -> int:
        return LOGGED_IN_MS + LOGINS_WITHIN_MS + (self.number - FIRST_STRANGER)

    @property
    def phone(self) -> str:
        return f"+8615{self.number:09d}"


def sample(users: int, wanted: int) -> Sequence[Person]:
    """Draw people uniformly from the first `users`, the same in each run."""
    numbers = Random(7).sample(range(users), min(users, wanted))
    return [Person(number) for number in numbers]
