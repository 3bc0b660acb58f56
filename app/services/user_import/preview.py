"""Previews of imports.

A preview without bad rows is stored encrypted, so that any worker can confirm it.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, cast, delete, false, func, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import ImportInterrupted, UserFileImported
from app.keyring import SealBroken, keyring
from app.models import Operator, UserImport
from app.models.columns import new_id
from app.services import audit
from app.services.database.transactions import transaction
from app.services.user_import.files import UserFile
from app.services.user_import.password_checks import find_weak_passwords
from app.services.user_import.rows import BadCell, NewPerson
from app.services.user_import.validation import find_taken, in_order, read_rows
from app.services.users.phone_numbers import PhoneNumber, number_index
from app.text_cleaning import account_name

PREVIEW_LIFETIME = timedelta(hours=1)
# The number of leading rows that a preview shows. It also shows the last one.
FIRST_ROWS = 10
# The name shown for an import by the command line, which has no operator.
COMMAND = "flask users import"


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A row in the form that is stored, without its password."""

    row: int
    account: str | None = field(repr=False)
    phone: str | None = field(repr=False)
    nickname: str | None = field(repr=False)
    has_password: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """The result of a preview. Without an `import_id` it cannot be confirmed.

    `good` is the number of rows without errors. `sample` contains the first ten and the last of
    them. `imported_at` and `imported_by` describe an earlier import of the same file whose users no
    longer exist. `imported_by` is None for an import by a command.
    """

    rows: int
    good: int
    bad: Sequence[BadCell]
    sample: Sequence[PreviewRow]
    columns: tuple[str, ...]
    ignored: tuple[str, ...]
    skipped: int
    imported_at: datetime | None
    imported_by: str | None
    import_id: UUID | None = None


def check_users(tenant_id: UUID, file: UserFile) -> Preview:
    """Return a preview without storing it.

    Raises ImportPasswordsTooMany or UserFileImported.
    """
    return _check(tenant_id, file)[0]


def preview_import(actor: audit.Actor, tenant_id: UUID, file: UserFile) -> Preview:
    """Return a preview. If all rows are good, store it for an hour.

    The actor's earlier previews in the tenant are deleted. Raises ImportPasswordsTooMany or
    UserFileImported.
    """
    preview, people = _check(tenant_id, file)
    kept = UserImport(
        id=new_id(),
        tenant_id=tenant_id,
        operator_id=actor.id,
        file_index=_file_index(tenant_id, file),
        state="previewed",
        row_count=len(people),
        expires_at=now() + PREVIEW_LIFETIME,
    )
    kept.people = _serialized(people)
    with transaction() as db:
        _clean_up(db, actor, tenant_id)
        if preview.bad:
            return preview
        db.add(kept)
    return replace(preview, import_id=kept.id)


def _check(tenant_id: UUID, file: UserFile) -> tuple[Preview, Sequence[NewPerson]]:
    read = read_rows(file.people)
    weak = find_weak_passwords(tenant_id, read)
    with transaction() as db:
        taken = find_taken(db, tenant_id, read.people)
        earlier = db.execute(_last_import(tenant_id, _file_index(tenant_id, file))).one_or_none()
    imported_at, imported_by = earlier or (None, None)
    if imported_at and taken:
        raise _imported_before(imported_at, imported_by)
    bad = in_order([*read.bad, *weak, *taken])
    good = _good(read.people, bad)
    preview = Preview(
        rows=len(read.people),
        good=len(good),
        bad=bad,
        sample=[_shown(one) for one in [*good[:FIRST_ROWS], *good[FIRST_ROWS:][-1:]]],
        columns=file.columns,
        ignored=file.ignored,
        skipped=file.skipped,
        imported_at=imported_at,
        imported_by=imported_by,
    )
    return preview, read.people


def _good(people: Sequence[NewPerson], bad: Sequence[BadCell]) -> Sequence[NewPerson]:
    bad_rows = {one.row for one in bad}
    return [one for one in people if one.row not in bad_rows]


def _shown(person: NewPerson) -> PreviewRow:
    phone = person.phone.e164 if person.phone else None
    has_password = person.password is not None
    return PreviewRow(person.row, person.account, phone, person.nickname, has_password)


def _imported_before(imported_at: datetime, imported_by: str | None) -> UserFileImported:
    when = imported_at.isoformat(timespec="seconds")
    told = {"imported_at": when, "imported_by": imported_by}
    values = {"when": f"{imported_at:%Y-%m-%d %H:%M} UTC", "who": imported_by or COMMAND}
    return UserFileImported(errors=told, values=values)


def _last_import(tenant_id: UUID, file_index: bytes) -> Select[datetime | None, str | None]:
    """Select the time of the file's last import, and the operator's e-mail address or id."""
    same = (UserImport.tenant_id == tenant_id, UserImport.file_index == file_index)
    who = func.coalesce(Operator.email, cast(UserImport.operator_id, Text))
    rows = select(UserImport.imported_at, who).where(*same)
    by_whom = rows.outerjoin(Operator, Operator.id == UserImport.operator_id)
    done = by_whom.where(UserImport.state == "done")
    return done.order_by(UserImport.imported_at.desc()).limit(1)


def _file_index(tenant_id: UUID, file: UserFile) -> bytes:
    return keyring().blind_index(file.digest, f"people_imports:{tenant_id}")


def _clean_up(db: Session, actor: audit.Actor, tenant_id: UUID) -> None:
    """Delete the actor's previews and the expired ones, and fail imports of ended processes.

    Locked rows are skipped: another transaction is changing them.
    """
    # Commands have no operator id, and several may run at the same time.
    by_actor = false() if actor.id is None else UserImport.operator_id == actor.id
    expired = UserImport.expires_at < now()
    previewed = (UserImport.state == "previewed") & (by_actor | expired)
    running = (UserImport.state == "running") & expired
    of_tenant = UserImport.tenant_id == tenant_id
    db.execute(delete(UserImport).where(of_tenant, _is_free(of_tenant, previewed)))
    given_up = update(UserImport).where(of_tenant, _is_free(of_tenant, running))
    db.execute(given_up.values(state="failed", failure=ImportInterrupted.code, people_sealed=None))


def _is_free(*wanted: ColumnElement[bool]) -> ColumnElement[bool]:
    return UserImport.id.in_(select(UserImport.id).where(*wanted).with_for_update(skip_locked=True))


def forget_imported_users(
    db: Session, tenant_id: UUID, accounts: Collection[str], number_indexes: Collection[bytes]
) -> None:
    """Drop the tenant's pending imports that contain an account or number of an erased person.

    Previews are deleted and running imports are cancelled, because the rest of the file would not
    be the file that was checked. A preview that cannot be decrypted cannot be confirmed, so it is
    also deleted. Locks every pending import of the tenant.
    """
    pending = (UserImport.tenant_id == tenant_id, UserImport.people_sealed.is_not(None))
    wanted = select(UserImport).where(*pending).order_by(UserImport.id).with_for_update()
    for one in db.scalars(wanted):
        if not _holds_any(one, accounts, number_indexes):
            continue
        if one.state == "previewed":
            db.delete(one)
        else:
            one.state, one.failure, one.people = "failed", ImportInterrupted.code, None
    db.flush()


def _holds_any(
    kept: UserImport, accounts: Collection[str], number_indexes: Collection[bytes]
) -> bool:
    try:
        people = users_of(kept)
    except SealBroken:
        return True
    return any(
        one.account in accounts
        or (one.phone is not None and number_index(kept.tenant_id, one.phone) in number_indexes)
        for one in people
    )


def _serialized(people: Sequence[NewPerson]) -> str:
    """Serialize the checked people for storage. `users_of` is the inverse."""
    kept = [
        [
            one.row,
            one.account,
            one.phone and one.phone.e164,
            one.phone and one.phone.country_code,
            one.nickname,
            one.password,
        ]
        for one in people
    ]
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def users_of(kept: UserImport) -> Sequence[NewPerson]:
    """Return the people of a stored preview."""
    return [
        NewPerson(
            row,
            # The preview may have been stored by a release with another rule for accounts.
            account and account_name(account),
            PhoneNumber(e164, code) if e164 else None,
            nickname,
            password,
        )
        for row, account, e164, code, nickname, password in json.loads(kept.people or "[]")
    ]
