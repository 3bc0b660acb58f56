"""Export of a tenant's users as CSV, recorded in the audit log before the first byte is sent.

The columns and their values are those that an import reads (columns.py).
"""

import csv
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import StringIO
from uuid import UUID

from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.orm import Session

from app.models import Phone, User
from app.services import audit
from app.services.database.stale_reads import CaughtUpReads
from app.services.database.transactions import transaction
from app.services.user_import.columns import EXPORTED_COLUMNS
from app.services.user_import.escapes import escaped
from app.services.users.phone_numbers import masked
from app.text_cleaning import account_name, clean_name

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """The users to export. `query` is a prefix of the account or nickname."""

    query: str = ""
    status: str | None = None
    full_phones: bool = False


def export_users(actor: audit.Actor, tenant_id: UUID, wanted: Wanted) -> Iterator[bytes]:
    """Return the pieces of a CSV file. Each is read from the database when it is requested.

    The audit event is committed before this returns. The users are read from the replica once it
    has all of them, otherwise from the primary. No connection is held between two pieces. Each
    piece needs the app context, so a view passes them through `stream_with_context`.
    """
    matching = _conditions(tenant_id, wanted)
    with transaction() as db:
        count = db.scalar(select(func.count()).select_from(User).where(*matching)) or 0
        last = db.scalar(select(User.id).where(*matching).order_by(User.id.desc()).limit(1))
        # Not the search text, which may name a person and would remain after their erasure.
        filtered = "yes" if wanted.query else "no"
        columns = ",".join(EXPORTED_COLUMNS)
        details = {"people": count, "columns": columns, "filtered": filtered}
        details |= {"status": wanted.status or "", "full_phones": wanted.full_phones}
        audit.record(db, tenant_id, actor, "users.exported", tenant_id, **details)
    # Users added later are not exported, because the count in the audit event excludes them.
    if last is None:
        return iter([_header()])
    return _pieces([*matching, User.id <= last], wanted, CaughtUpReads())


def _conditions(tenant_id: UUID, wanted: Wanted) -> Sequence[ColumnElement[bool]]:
    conditions = [User.tenant_id == tenant_id]
    if wanted.status is not None:
        conditions.append(User.status == wanted.status)
    if wanted.query:
        begins = (
            (User.account, account_name(wanted.query)),
            (User.nickname, clean_name(wanted.query)),
        )
        # An empty prefix, left of invisible characters, would match every text.
        named = [column.startswith(text, autoescape=True) for column, text in begins if text]
        conditions.append(or_(false(), *named))
    return conditions


def _pieces(
    matching: Sequence[ColumnElement[bool]], wanted: Wanted, reads: CaughtUpReads
) -> Iterator[bytes]:
    yield _header()
    after: UUID | None = None
    while people := reads.read(partial(_read_batch, matching, after)):
        yield _csv([_cells(user, phone, wanted.full_phones) for user, phone in people])
        after = people[-1][0].id


def _read_batch(
    matching: Sequence[ColumnElement[bool]], after: UUID | None, db: Session
) -> Sequence[tuple[User, Phone | None]]:
    its = (Phone.tenant_id == User.tenant_id) & (Phone.user_id == User.id)
    rows = select(User, Phone).outerjoin(Phone, its).where(*matching).order_by(User.id).limit(BATCH)
    found = db.execute(rows if after is None else rows.where(User.id > after))
    return [(user, phone) for user, phone in found]


def _cells(user: User, phone: Phone | None, full_phones: bool) -> Sequence[str]:
    number = (phone and phone.number) or ""
    return (
        user.account or "",
        number if full_phones or not number else masked(number),
        user.nickname or "",
        user.status,
        user.created_at.isoformat(timespec="seconds"),
        user.last_login_at.isoformat(timespec="seconds") if user.last_login_at else "",
    )


def _header() -> bytes:
    """Return the header row, after a byte order mark, by which Excel detects UTF-8."""
    return BOM_UTF8 + _csv([EXPORTED_COLUMNS])


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = StringIO()
    csv.writer(text).writerows([escaped(cell) for cell in row] for row in rows)
    return text.getvalue().encode()
