"""Throttling of wrong passwords: by account and address, by account, and by address.

All counts decay. Repeated failures for one account from one address cause delays of minutes. An
account under attack, or the address of a school, is shared by several clients: its delays are
seconds, but a persistent attacker can use up the attempts. Therefore a device that has recently
entered the right password from its address is delayed only by its own failures. Existing and
unknown accounts are treated alike.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import TooManyTries
from app.keyring import keyring
from app.models import PasswordTry
from app.services.principals import Device

SWEPT_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Limit:
    """The number of free attempts and the longest delay after them. The delay doubles each time.

    The count decays by one attempt per `forgets_every`. Times are in seconds.
    """

    free: int
    forgets_every: int
    longest: int

    def delay_after(self, level: float) -> timedelta:
        """Return the delay before the next attempt when `level` attempts are counted."""
        if level <= self.free:
            return timedelta(0)
        return timedelta(seconds=min(self.longest, 2 ** min(level - self.free - 1, 30)))


# One persistent address (14 attempts, then one every 5 minutes) stays below the account's free
# attempts, which decay as fast: no single address locks the owner out.
ACCOUNT_AT_ADDRESS = Limit(free=5, forgets_every=900, longest=300)
ACCOUNT = Limit(free=20, forgets_every=300, longest=30)
ADDRESS = Limit(free=100, forgets_every=10, longest=5)


# How long other clients' failures do not delay a device, at the address of its last login.
KNOWN_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Try:
    """An attempt that counts as failed until it is taken back."""

    account_keys: tuple[bytes, ...]
    address_key: bytes
    address_held_until: datetime
    known_key: bytes
    place_keys: tuple[bytes, ...]
    account_key: bytes


def count_try(
    db: Session, tenant_id: UUID, account: str, device: Device, from_everywhere: Limit = ACCOUNT
) -> Try:
    """Count an attempt before its password is checked, so that concurrent attempts all count.

    Raises TooManyTries with the seconds to wait. The attempt is not counted then.
    """
    known_key = _known_key(tenant_id, account, device)
    limits = _limits(tenant_id, account, device, from_everywhere)
    account_at_address, of_account, of_address = limits
    if _is_known(db, known_key):
        limits = {known_key: ACCOUNT_AT_ADDRESS}
    account_keys = {key: of_account for key in limits if key != of_address}
    counts = _lock_counts(db, sorted(limits), account_keys)
    moment = now()
    held_until = max(count.held_until for count in counts.values())
    if held_until > moment:
        raise TooManyTries(retry_after=ceil((held_until - moment).total_seconds()))
    for key, limit in limits.items():
        _count(counts[key], limit, moment)
    held = counts[of_address].held_until if of_address in counts else moment
    places = _place_keys(tenant_id, account, device)
    return Try((account_at_address, of_account), of_address, held, known_key, places, of_account)


def take_back(db: Session, tried: Try) -> None:
    """Reset the counts of the account after a right password, and mark the device as known.

    The count of the address is reduced by this attempt only: a client's own password must not
    allow more guesses at other accounts.
    """
    keys = (*tried.account_keys, tried.address_key)
    ours = select(PasswordTry).where(PasswordTry.key.in_(keys)).order_by(PasswordTry.key)
    for count in db.scalars(ours.with_for_update()):
        if count.key in tried.account_keys:
            db.delete(count)
            continue
        count.level = max(0.0, count.level - 1)
        # A later attempt has set its own wait, which stays.
        if count.held_until == tried.address_held_until:
            count.held_until = min(count.held_until, count.counted_at)
    _know(db, tried)


def is_known_place(db: Session, tenant_id: UUID, account: str, device: Device) -> bool:
    """Return whether the account has logged in from this device or from this address.

    It decides how long an attempt waits for its turn, and nothing else: other devices can have the
    same User-Agent or address.
    """
    return _is_known(db, *_place_keys(tenant_id, account, device))


def _is_known(db: Session, *keys: bytes) -> bool:
    known = select(PasswordTry.key).where(
        PasswordTry.key.in_(keys), PasswordTry.forgotten_at > now()
    )
    return db.scalar(known.limit(1)) is not None


def _know(db: Session, tried: Try) -> None:
    moment = now()
    clear = {"level": 0, "counted_at": moment, "held_until": moment}
    values = clear | {"forgotten_at": moment + KNOWN_FOR, "account_key": tried.account_key}
    known = sorted({tried.known_key, *tried.place_keys})
    fresh = insert(PasswordTry).values([{"key": key, **values} for key in known])
    db.execute(fresh.on_conflict_do_update(constraint="pk_password_tries", set_=values))


def forget_account(db: Session, tenant_id: UUID, account: str) -> None:
    """Delete the count of attempts at an account that covers all addresses."""
    db.execute(delete(PasswordTry).where(PasswordTry.key == account_key(tenant_id, account)))


def attempts_of_accounts(tenant_id: UUID, accounts: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition for the rows of accounts: counts and known devices."""
    return PasswordTry.account_key.in_([account_key(tenant_id, one) for one in accounts])


def sweep(db: Session) -> None:
    """Delete some of the expired rows: more than an attempt adds."""
    old = (
        select(PasswordTry.key)
        .where(PasswordTry.forgotten_at < now())
        .order_by(PasswordTry.forgotten_at)
        .limit(SWEPT_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    keys = db.scalars(old).all()
    db.execute(delete(PasswordTry).where(PasswordTry.key.in_(keys)))


def _limits(
    tenant_id: UUID, account: str, device: Device, from_everywhere: Limit
) -> dict[bytes, Limit]:
    address = device.network
    at_address = keyring().blind_index(f"{address}\0{account}", f"tries:{tenant_id}")
    of_address = keyring().blind_index(address, "tries")
    return {
        at_address: ACCOUNT_AT_ADDRESS,
        account_key(tenant_id, account): from_everywhere,
        of_address: ADDRESS,
    }


def _known_key(tenant_id: UUID, account: str, device: Device) -> bytes:
    where = repr((device.network, device.model, account))
    return keyring().blind_index(where, f"known:{tenant_id}")


def _place_keys(tenant_id: UUID, account: str, device: Device) -> tuple[bytes, bytes]:
    """Return the blind indexes of the account's device and of its address."""
    scope = f"places:{tenant_id}"
    return (
        keyring().blind_index(repr(("device", device.model, account)), scope),
        keyring().blind_index(repr(("address", device.network, account)), scope),
    )


def account_key(tenant_id: UUID, account: str) -> bytes:
    """Return the blind index of an account. It finds all rows of the account."""
    return keyring().blind_index(f"\0{account}", f"tries:{tenant_id}")


def _lock_counts(
    db: Session, keys: Sequence[bytes], account_keys: Mapping[bytes, bytes]
) -> dict[bytes, PasswordTry]:
    """Return the counts, inserted if missing. Lock them in the order of `keys`: no deadlocks."""
    moment = now()
    zero = {"level": 0, "counted_at": moment, "held_until": moment, "forgotten_at": moment}
    rows = [{"key": key, "account_key": account_keys.get(key), **zero} for key in keys]
    fresh = insert(PasswordTry).values(rows)
    upsert = fresh.on_conflict_do_update(
        constraint="pk_password_tries", set_={"key": fresh.excluded.key}
    )
    return {count.key: count for count in db.scalars(upsert.returning(PasswordTry))}


def _count(count: PasswordTry, limit: Limit, moment: datetime) -> None:
    forgotten = max(0.0, (moment - count.counted_at).total_seconds()) / limit.forgets_every
    count.level = max(0.0, count.level - forgotten) + 1
    count.counted_at = moment
    if delay := limit.delay_after(count.level):
        count.held_until = moment + delay
    leaked_away = moment + timedelta(seconds=count.level * limit.forgets_every)
    count.forgotten_at = max(count.forgotten_at, count.held_until, leaked_away)
