"""The people of the bench: everything about one follows from their number.

So nobody keeps ten million tokens to be able to show one of them.
"""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from random import Random

TENANTS, APPS = 1_000, 2_000
BEGAN_MS = 1_704_067_200_000  # when the first person came: the first day of 2024
SECONDS_BETWEEN = 6
LOGGED_IN_MS = BEGAN_MS + 700 * 86_400_000
LOGINS_WITHIN_MS = 30 * 86_400_000
# The strangers' numbers begin where nobody's do, so that the two never meet.
FIRST_STRANGER = 500_000_000
VARIANTS = "89ab"


def uuid7(milliseconds: int, random: bytes) -> str:
    """Spell a UUIDv7 of a moment and ten bytes."""
    when, rest = f"{milliseconds:012x}", random[:10].hex()
    variant = VARIANTS[random[9] & 3]
    return f"{when[:8]}-{when[8:]}-7{rest[:3]}-{variant}{rest[3:6]}-{rest[6:18]}"


@dataclass(frozen=True)
class App:
    """A mini-program; every tenant has two."""

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
        """Say when its strangers become users: half of the apps at once, half by phone."""
        return "on_phone" if self.number % 2 else "on_login"


def tenant_id(number: int) -> str:
    """Give the id of a tenant."""
    return uuid7(BEGAN_MS - TENANTS + number, blake2b(b"tenant %d" % number).digest())


def is_on_open_platform(appid: str) -> bool:
    """Say whether WeChat gives unionids to an app: to half of those of either registration."""
    return int(appid[-4:], 16) % 4 < 2


def unionid_of(openid: str) -> str:
    """Give the unionid of whoever has an openid: here everybody has one."""
    return "u" + openid[1:]


def session_key_of(openid: str) -> str:
    """Give the session_key that WeChat has for an openid, the same at each login."""
    return b64encode(blake2b(openid.encode(), digest_size=16).digest()).decode()


ALL_APPS = tuple(App(number) for number in range(APPS))
APPIDS = tuple(app.appid for app in ALL_APPS)
TENANT_IDS = tuple(app.tenant_id for app in ALL_APPS)


class Person:
    """Somebody with one WeChat identity and two sessions."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.random = blake2b(b"person %d" % number).digest()
        # Some apps are large and most are small: the cube gives the largest 8 % of all people.
        place = int.from_bytes(self.random[60:64], "big") / 2**32
        self.app = int(APPS * place**3)
        self.openid = "o" + urlsafe_b64encode(self.random[40:60]).decode().rstrip("=")
        self.user_id = uuid7(self.came_ms, self.random)
        self.account_id = uuid7(self.came_ms, self.random[10:])

    @property
    def came_ms(self) -> int:
        return BEGAN_MS + self.number * SECONDS_BETWEEN * 1000

    @property
    def appid(self) -> str:
        return APPIDS[self.app]

    @property
    def tenant_id(self) -> str:
        return TENANT_IDS[self.app]

    @property
    def key_id(self) -> str:
        return uuid7(self.came_ms, self.random[20:])

    @property
    def phone_id(self) -> str:
        return uuid7(self.came_ms + 60_000, self.random[5:])

    @property
    def phone(self) -> str:
        return f"+8613{self.number:09d}"

    @property
    def unionid(self) -> str | None:
        return unionid_of(self.openid) if is_on_open_platform(self.appid) else None

    def session_id(self, which: int) -> str:
        """Give the id of the first session, or of the second."""
        random = self.random[30 + 5 * which :]
        ago = int.from_bytes(random[:5], "big") % LOGINS_WITHIN_MS
        return uuid7(LOGGED_IN_MS + ago, random)

    def token(self, which: int) -> str:
        """Give the login token of a session."""
        secret = sha256(b"token %d of %d" % (which, self.number)).digest()
        return "wxp_" + urlsafe_b64encode(secret).decode().rstrip("=")


class Stranger(Person):
    """Somebody who has logged in and is nobody's user yet, in an app that waits for a phone."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.app |= 1

    @property
    def came_ms(self) -> int:
        return LOGGED_IN_MS + LOGINS_WITHIN_MS + (self.number - FIRST_STRANGER)

    @property
    def phone(self) -> str:
        return f"+8615{self.number:09d}"


def sample(users: int, wanted: int) -> Sequence[Person]:
    """Draw people uniformly from the first so many, the same ones each time."""
    numbers = Random(7).sample(range(users), min(users, wanted))
    return [Person(number) for number in numbers]
