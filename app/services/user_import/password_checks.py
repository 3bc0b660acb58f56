"""Strength of the passwords in a file of users."""

import time
from collections.abc import Iterator, Sequence
from uuid import UUID

from app.errors import ImportPasswordsTooMany, TenantUnknown
from app.models import Tenant
from app.services.database.transactions import transaction
from app.services.passwords.strength import OF_USERS, find_weakness
from app.services.user_import.rows import BadCell, NewPerson
from app.services.user_import.validation import ReadUsers

# A thousand typical passwords take one to three seconds.
MOST_SECONDS = 30.0


def find_weak_passwords(tenant_id: UUID, read: ReadUsers) -> Sequence[BadCell]:
    """Return an error for each weak password. Skip passwords that already have an error.

    No connection is held during the check. Raises ImportPasswordsTooMany if it takes longer than
    MOST_SECONDS.
    """
    bad = {one.row for one in read.bad if one.column == "password"}
    checked = [one for one in read.people if one.password and one.row not in bad]
    return list(_weak(checked, _names(tenant_id))) if checked else []


def _names(tenant_id: UUID) -> tuple[str, str]:
    with transaction() as db:
        tenant = db.get(Tenant, tenant_id)
        if tenant is None:
            raise TenantUnknown
        return tenant.name, tenant.slug


def _weak(people: Sequence[NewPerson], names: tuple[str, str]) -> Iterator[BadCell]:
    began = time.monotonic()
    for one in people:
        number = one.phone.e164 if one.phone else None
        known = (one.account, one.nickname, number, *names)
        hints = find_weakness(one.password or "", OF_USERS, known)
        if hints:
            yield BadCell(one.row, "password", "password_too_weak", hints=hints)
        if time.monotonic() - began > MOST_SECONDS:
            raise ImportPasswordsTooMany
