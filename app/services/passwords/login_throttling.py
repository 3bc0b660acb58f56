"""Throttling of wrong passwords, counted by account and IP address, by account, and by IP address.

All counts decay over time. Repeated failures for one account from one IP address cause delays of
minutes. The counts by account and by IP address can include the failures of other clients, so these
counts cause delays of seconds only. A persistent attacker could still use up all attempts.
Therefore a device that has recently logged in to the account from the same IP address is delayed
only by its own failures. Throttling does not reveal whether an account exists.
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
    """How a count of failed attempts delays the next attempt.

    The first `free` attempts cause no delay. The delay then doubles from 1 second up to `longest`
    seconds. The count decreases by one every `forgets_every` seconds.
    """

    free: int
    forgets_every: int
    longest: int

    def delay_after(self, level: float) -> timedelta:
        """Return the delay before the next attempt when the count is `level`."""
        if level <= self.free:
            return timedelta(0)
        return timedelta(seconds=min(self.longest, 2 ** min(level - self.free - 1, 30)))


# A persistent attacker at one IP address makes 14 attempts, then one every 5 minutes. The account's
# count decreases as fast and stays below its 20 free attempts: one address cannot delay the owner.
ACCOUNT_AT_ADDRESS = Limit(free=5, forgets_every=900, longest=300)
ACCOUNT = Limit(free=20, forgets_every=300, longest=30)
ADDRESS = Limit(free=100, forgets_every=10, longest=5)


# How long after its last login a device at that IP address is a known device.
KNOWN_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Try:
    """A counted attempt. It counts as failed until `record_success` is called.

    All keys are blind indexes, as in PasswordTry.
    """

    account_keys: tuple[bytes, ...]
    address_key: bytes
    address_held_until: datetime
    known_key: bytes
    device_and_address_keys: tuple[bytes, ...]
    account_key: bytes


def count_try(
    db: Session, tenant_id: UUID, account: str, device: Device, from_everywhere: Limit = ACCOUNT
) -> Try:
    """Count an attempt. Call it before the password check, so that concurrent attempts all count.

    `from_everywhere` is the limit on attempts at the account from all IP addresses together. Raises
    TooManyTries, with the seconds to wait, without counting the attempt.
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
    places = _device_and_address_keys(tenant_id, account, device)
    return Try((account_at_address, of_account), of_address, held, known_key, places, of_account)


def record_success(db: Session, tried: Try) -> None:
    """Delete the counts of the account after a right password, and mark the device as known.

    The count of the IP address is reduced only by this attempt. Otherwise an attacker could reset
    it by logging in to an own account, and guess the passwords of other accounts.
    """
    keys = (*tried.account_keys, tried.address_key)
    ours = select(PasswordTry).where(PasswordTry.key.in_(keys)).order_by(PasswordTry.key)
    for count in db.scalars(ours.with_for_update()):
        if count.key in tried.account_keys:
            db.delete(count)
            continue
        count.level = max(0.0, count.level - 1)
        # Keep a delay that a later attempt has set.
        if count.held_until == tried.address_held_until:
            count.held_until = min(count.held_until, count.counted_at)
    _mark_as_known(db, tried)


def is_known_device_or_address(db: Session, tenant_id: UUID, account: str, device: Device) -> bool:
    """Return whether the account has recently logged in from this device or from this IP address.

    Use the result only to choose the lane of `HashingQueue`: other devices can have the same
    User-Agent or IP address.
    """
    return _is_known(db, *_device_and_address_keys(tenant_id, account, device))


def _is_known(db: Session, *keys: bytes) -> bool:
    known = select(PasswordTry.key).where(
        PasswordTry.key.in_(keys), PasswordTry.forgotten_at > now()
    )
    return db.scalar(known.limit(1)) is not None


def _mark_as_known(db: Session, tried: Try) -> None:
    moment = now()
    clear = {"level": 0, "counted_at": moment, "held_until": moment}
    values = clear | {"forgotten_at": moment + KNOWN_FOR, "account_key": tried.account_key}
    known = sorted({tried.known_key, *tried.device_and_address_keys})
    fresh = insert(PasswordTry).values([{"key": key, **values} for key in known])
    db.execute(fresh.on_conflict_do_update(constraint="pk_password_tries", set_=values))


def forget_account(db: Session, tenant_id: UUID, account: str) -> None:
    """Delete the count of an account's failed attempts from all IP addresses together."""
    db.execute(delete(PasswordTry).where(PasswordTry.key == account_key(tenant_id, account)))


def attempts_of_accounts(tenant_id: UUID, accounts: Iterable[str]) -> ColumnElement[bool]:
    """Return the SQL condition for all rows of the accounts: counts and known devices."""
    return PasswordTry.account_key.in_([account_key(tenant_id, one) for one in accounts])


def sweep(db: Session) -> None:
    """Delete up to 20 expired rows, which is more than one attempt adds."""
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


def _device_and_address_keys(tenant_id: UUID, account: str, device: Device) -> tuple[bytes, bytes]:
    """Return the blind indexes of account with User-Agent, and of account with IP address."""
    scope = f"places:{tenant_id}"
    return (
        keyring().blind_index(repr(("device", device.model, account)), scope),
        keyring().blind_index(repr(("address", device.network, account)), scope),
    )


def account_key(tenant_id: UUID, account: str) -> bytes:
    """Return the blind index of an account, which all rows of the account have in common."""
    return keyring().blind_index(f"\0{account}", f"tries:{tenant_id}")


def _lock_counts(
    db: Session, keys: Sequence[bytes], account_keys: Mapping[bytes, bytes]
) -> dict[bytes, PasswordTry]:
    """Return the rows of `keys`, locked. Insert missing rows with a count of zero.

    Rows are locked in the order of `keys`, to rule out deadlocks.
    """
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
