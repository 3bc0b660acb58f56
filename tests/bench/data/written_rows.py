"""Rows of tenants, apps and people in the text format of COPY: one tab-separated line per row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from app.keyring import KeyRing
from tests.bench.data.people import (
    ALL_APPS,
    FIRST_CREATED_MS,
    TENANTS,
    Person,
    session_key_of,
    tenant_id,
)

NULL = r"\N"
DEVICE = "iPhone MicroMessenger/8.0.49 NetType/WIFI"
PHONES_PER_TEN = 3
VALID_FOR = timedelta(days=2)
REFRESHED_FOR = timedelta(days=30)
# Long enough that the next request of a session updates the column seen_at.
UNSEEN_FOR = timedelta(hours=1)

Columns = dict[str, tuple[str, ...]]
Lines = dict[str, list[str]]

COLUMNS: Columns = {
    "users": ("id", "tenant_id", "nickname", "last_login_at", "last_login_ip", "created_at"),
    "social_accounts": (
        *("id", "tenant_id", "appid", "openid", "unionid", "user_id"),
        *("nickname", "last_login_at", "created_at"),
    ),
    "session_keys": (
        *("id", "tenant_id", "social_account_id", "key_index", "session_key_sealed", "asked_at"),
    ),
    "phones": (
        *("id", "tenant_id", "user_id", "number_index", "number_sealed", "country_code"),
        "verified_at",
    ),
    "login_sessions": (
        *("id", "tenant_id", "appid", "social_account_id", "names_tenant", "user_id", "token_hash"),
        *("expires_at", "refresh_family_hash", "refresh_hash", "refresh_expires_at", "was_bound"),
        *("device", "ip", "created_at", "seen_at"),
    ),
}
OF_TENANTS: Columns = {
    "tenants": ("id", "slug", "name"),
    "wechat_apps": ("appid", "tenant_id", "name", "registration", "secret_sealed"),
}


def line(*values: object) -> str:
    """Return the line of a row. No value may contain a character that COPY escapes."""
    return "\t".join([NULL if value is None else str(value) for value in values]) + "\n"


def binary(value: bytes) -> str:
    """Return bytes in the hex format of bytea."""
    return rf"\\x{value.hex()}"


def moment_of(milliseconds: int) -> str:
    """Return the ISO 8601 timestamp of a Unix time in milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


@dataclass(frozen=True)
class Writer:
    """Builds rows with times relative to `now`, encrypted with the key ring of the service."""

    ring: KeyRing
    now: datetime

    def tenants(self) -> Lines:
        """Return the rows of all tenants and apps by table."""
        tenants = [line(tenant_id(n), f"bench-{n}", f"Tenant {n}") for n in range(TENANTS)]
        apps = []
        for app in ALL_APPS:
            sealed = self.ring.seal(app.secret, f"wechat_apps.secret_sealed:{app.appid}")
            apps.append(line(app.appid, app.tenant_id, app.appid, app.registration, sealed))
        return {"tenants": tenants, "wechat_apps": apps}

    def people(self, people: Iterable[Person]) -> Lines:
        """Return the rows of users by table.

        Each user has a WeChat identity and two sessions, and three of ten have a phone number.
        """
        lines: Lines = {table: [] for table in COLUMNS}
        for person in people:
            created_at = moment_of(person.created_ms)
            user = (person.user_id, person.tenant_id, f"微信用户{person.number}", created_at)
            lines["users"].append(line(*user, "192.0.2.1", created_at))
            lines["social_accounts"].append(self._account(person, person.user_id))
            lines["session_keys"].append(self._key(person, created_at))
            if person.number % 10 < PHONES_PER_TEN:
                lines["phones"].append(self._phone(person, created_at))
            lines["login_sessions"] += [self._session(person, 0), self._session(person, 1)]
        return lines

    def unlinked(self, people: Sequence[Person]) -> Lines:
        """Return the rows of people without a user by table. Each person has one session."""
        moment = self.now.isoformat()
        return {
            "social_accounts": [self._account(person, None) for person in people],
            "session_keys": [self._key(person, moment) for person in people],
            "login_sessions": [self._unbound_session(person) for person in people],
        }

    def _account(self, person: Person, user_id: str | None) -> str:
        created_at = moment_of(person.created_ms)
        ids = (person.account_id, person.tenant_id, person.appid, person.openid, person.unionid)
        return line(*ids, user_id, None, created_at, created_at)

    def _key(self, person: Person, asked_at: str) -> str:
        key = session_key_of(person.openid)
        index = self.ring.blind_index(key, f"session_keys:{person.account_id}")
        sealed = self.ring.seal(key, f"session_keys.session_key_sealed:{person.account_id}")
        ids = (person.key_id, person.tenant_id, person.account_id)
        return line(*ids, binary(index), sealed, asked_at)

    def _phone(self, person: Person, created_at: str) -> str:
        index = self.ring.blind_index(person.phone, f"phones:{person.tenant_id}")
        sealed = self.ring.seal(person.phone, f"phones.number_sealed:{person.phone_id}")
        ids = (person.phone_id, person.tenant_id, person.user_id)
        return line(*ids, binary(index), sealed, 86, created_at)

    def _session(self, person: Person, which: int) -> str:
        token_hash = sha256(person.token(which).encode()).digest()
        refresh = person.refresh_token(which)
        until, unseen = self.now + REFRESHED_FOR, self.now - UNSEEN_FOR
        return line(
            *(person.session_id(which), person.tenant_id, person.appid, person.account_id, True),
            *(person.user_id, binary(token_hash), self.now + VALID_FOR),
            *(
                binary(refresh.family_hash),
                binary(refresh.rotating_hash),
                until,
                True,
                DEVICE,
                "192.0.2.1",
            ),
            *(moment_of(FIRST_CREATED_MS), unseen),
        )

    def _unbound_session(self, person: Person) -> str:
        token_hash = sha256(person.token(0).encode()).digest()
        return line(
            *(person.session_id(0), person.tenant_id, person.appid, person.account_id, True),
            *(None, binary(token_hash), self.now + VALID_FOR, None, None, None, False),
            *(DEVICE, "192.0.2.1", self.now, self.now),
        )
