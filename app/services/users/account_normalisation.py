"""Normalisation of stored accounts, for migration 0015 and `flask users normalise-accounts`.

Two accounts of a tenant may have the same canonical spelling. Then one user gets it. The account of
the other user collides: it keeps its spelling, and `flask users normalise-accounts` lists it, until
an operator changes the account with `flask users set-account`. Until then that user cannot log in
with account and password.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from sqlalchemy import Connection, delete, select, text
from sqlalchemy.exc import IntegrityError

from app.models import PasswordTry, Tenant
from app.services.apps.tenants import get_tenant
from app.services.database.transactions import transaction
from app.services.passwords.login_throttling import attempts_of_accounts
from app.text_cleaning import account_name

BATCH = 1_000
# Uses the unique index of accounts, so that users without an account are not read.
READ = text(
    "SELECT id, account FROM users WHERE tenant_id = :tenant_id AND account > :after"
    " ORDER BY account LIMIT :batch"
)
RENAME = text(
    "UPDATE users SET account = :canonical"
    " WHERE tenant_id = :tenant_id AND id = :user_id AND account = :stored"
)
FIND_HOLDERS = text(
    "SELECT account, id FROM users WHERE tenant_id = :tenant_id AND account = ANY(:accounts)"
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Spelling:
    """A user's account as it is stored, and its canonical spelling."""

    tenant_id: UUID
    user_id: UUID
    stored: str = field(repr=False)
    canonical: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Collision:
    """An account that is not rewritten, because the user `holder_id` has the canonical spelling.

    `holder_id` is None if the account consists of invisible characters only.
    """

    spelling: Spelling
    holder_id: UUID | None


@dataclass(frozen=True, slots=True)
class Normalisation:
    """The number of rewritten accounts, and the accounts that were not rewritten."""

    renamed: int
    collisions: Sequence[Collision]


def normalise_accounts(tenant_slug: str | None = None) -> Normalisation:
    """Rewrite the accounts of one tenant, or of all tenants, in one transaction per batch.

    Can run while users log in, and can be repeated at any time. Raises TenantUnknown.
    """
    with transaction() as db:
        tenants = [get_tenant(db, tenant_slug).id] if tenant_slug else _tenant_ids(db.connection())
    return _normalise(tenants, _own_transaction)


def normalise_accounts_on(connection: Connection, end_batch: Callable[[], None]) -> Normalisation:
    """Rewrite the accounts of all tenants on a connection. Calls `end_batch` after each batch."""

    @contextmanager
    def batch() -> Iterator[Connection]:
        yield connection
        end_batch()

    return _normalise(_tenant_ids(connection), batch)


@contextmanager
def _own_transaction() -> Iterator[Connection]:
    with transaction() as db:
        yield db.connection()


def _normalise(
    tenants: Sequence[UUID], connect: Callable[[], AbstractContextManager[Connection]]
) -> Normalisation:
    renamed = 0
    collisions: list[Collision] = []
    for tenant_id in tenants:
        after: str | None = ""
        while after is not None:
            with connect() as connection:
                batch, after = _normalise_batch(connection, tenant_id, after)
            renamed += batch.renamed
            collisions += batch.collisions
    for one in collisions:
        _log(one)
    log.info("accounts_normalised", renamed=renamed, collisions=len(collisions))
    return Normalisation(renamed, collisions)


def _tenant_ids(connection: Connection) -> Sequence[UUID]:
    return connection.scalars(select(Tenant.id).order_by(Tenant.id)).all()


def _log(collision: Collision) -> None:
    """Log the ids of the users, but not the account, which may be a phone number."""
    log.warning(
        "account_collides",
        tenant_id=str(collision.spelling.tenant_id),
        user_id=str(collision.spelling.user_id),
        holder_id=collision.holder_id and str(collision.holder_id),
    )


def _normalise_batch(
    connection: Connection, tenant_id: UUID, after: str
) -> tuple[Normalisation, str | None]:
    """Rewrite the first batch of accounts that sort after `after`.

    Returns the result and the last account of the batch, which is None if no accounts follow.
    """
    page = {"tenant_id": tenant_id, "after": after, "batch": BATCH}
    rows = connection.execute(READ, page).all()
    spellings = [
        Spelling(tenant_id, row.id, row.account, account_name(row.account)) for row in rows
    ]
    wrong = [one for one in spellings if one.canonical != one.stored]
    renamed = _rename(connection, tenant_id, wrong) if wrong else set()
    _delete_attempts(connection, tenant_id, [one for one in wrong if one.user_id in renamed])
    kept = [one for one in wrong if one.user_id not in renamed]
    holders = _find_holders(connection, tenant_id, kept) if kept else {}
    collisions = [Collision(one, holders.get(one.canonical)) for one in kept]
    last = rows[-1].account if len(rows) == BATCH else None
    return Normalisation(len(renamed), collisions), last


def _rename(connection: Connection, tenant_id: UUID, wrong: Sequence[Spelling]) -> set[UUID]:
    """Rewrite the accounts with a free canonical spelling, and return the ids of their users.

    If several accounts of the batch have the same canonical spelling, the oldest user gets it.
    """
    taken = set(_find_holders(connection, tenant_id, wrong)) | {""}
    firsts: dict[str, Spelling] = {}
    for one in sorted(wrong, key=lambda one: one.user_id):
        if one.canonical not in taken:
            firsts.setdefault(one.canonical, one)
    free = list(firsts.values())
    if not free or _write(connection, free):
        return {one.user_id for one in free}
    # Another transaction has just taken one of the spellings.
    return {one.user_id for one in free if _write(connection, [one])}


def _write(connection: Connection, free: Sequence[Spelling]) -> bool:
    values = [
        {
            "tenant_id": one.tenant_id,
            "user_id": one.user_id,
            "stored": one.stored,
            "canonical": one.canonical,
        }
        for one in free
    ]
    try:
        with connection.begin_nested():
            connection.execute(RENAME, values)
    except IntegrityError:
        return False
    return True


def _delete_attempts(connection: Connection, tenant_id: UUID, old: Sequence[Spelling]) -> None:
    """Delete the login attempts and known devices that are stored under the old spellings.

    Erasure finds them by the user's current account only.
    """
    if old:
        tried = attempts_of_accounts(tenant_id, [one.stored for one in old])
        connection.execute(delete(PasswordTry).where(tried))


def _find_holders(
    connection: Connection, tenant_id: UUID, spellings: Sequence[Spelling]
) -> Mapping[str, UUID]:
    accounts = [one.canonical for one in spellings]
    found = connection.execute(FIND_HOLDERS, {"tenant_id": tenant_id, "accounts": accounts})
    return {row.account: row.id for row in found}
