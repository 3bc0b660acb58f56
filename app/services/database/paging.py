"""Pages of long lists: by a cursor that says where the last one ended, or by their number."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.errors import CursorInvalid
from app.keyring import keyring

T = TypeVar("T")

LONGEST_PAGE = 200
PROOF_BYTES = 16


@dataclass(frozen=True, slots=True)
class CursorPage:
    """The page to read, by the cursor of the previous one. Rows are counted only if asked for."""

    cursor: str | None = None
    limit: int = 50
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page, and the cursor of the next; None on the last."""

    items: Sequence[T]
    next_cursor: str | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A query with its sort keys, its direction, and a name that its cursors are bound to."""

    rows: Select[*tuple[Any, ...]]
    by: InstrumentedAttribute[Any] | ColumnElement[Any]
    name: str = field(repr=False)
    is_ascending: bool = False

    def after(self, position: str) -> ColumnElement[bool]:
        """Select what comes after a position."""
        last = self.by.type.python_type(position)
        return cast(ColumnElement[bool], self.by > last if self.is_ascending else self.by < last)

    @property
    def order(self) -> ColumnElement[Any]:
        """Return the order: of ids, which are in the order of time, the newest is first."""
        return self.by.asc() if self.is_ascending else self.by.desc()


def read_page(
    db: Session, listing: Listing, cursor_page: CursorPage, shown: Callable[..., T], *beside: Any
) -> Page[T]:
    """Return a page. Raises CursorInvalid.

    Rows that are inserted or deleted between two pages do not shift the others. `shown` receives
    the columns of each row and the arguments in `beside`.
    """
    rows, limit = listing.rows, max(1, min(cursor_page.limit, LONGEST_PAGE))
    if cursor_page.cursor is not None:
        rows = rows.where(listing.after(_position(listing.name, cursor_page.cursor)))
    wanted = rows.add_columns(listing.by.label("position"))
    found = db.execute(wanted.order_by(listing.order).limit(limit + 1)).all()
    is_last = len(found) <= limit
    return Page(
        [shown(*row[:-1], *beside) for row in found[:limit]],
        None if is_last else _cursor(listing.name, str(found[limit - 1].position)),
        _count(db, listing) if cursor_page.counted else None,
    )


@dataclass(frozen=True, slots=True)
class OffsetPage:
    """A page by its number, from 0, and the sort order. The default is newest first."""

    number: int = 0
    by: str | None = None
    is_descending: bool = False
    size: int = 50


@dataclass(frozen=True, slots=True)
class OffsetListing:
    """A list in numbered pages: its rows, their key, which it has, and what may order them."""

    rows: Select[*tuple[Any, ...]]
    key: InstrumentedAttribute[Any]
    wanted: Sequence[ColumnElement[bool]]
    orders: Mapping[str, InstrumentedAttribute[Any]]

    def order(self, offset_page: OffsetPage) -> Sequence[ColumnElement[Any]]:
        """Return the order; by its key, rows that are else alike keep theirs from page to page."""
        column = self.orders.get(offset_page.by or "")
        if column is None:
            return [self.key.desc()]
        if offset_page.is_descending:
            return [column.desc().nulls_last(), self.key.desc()]
        return [column.asc().nulls_first(), self.key.asc()]


def read_offset_page(
    db: Session, listing: OffsetListing, offset_page: OffsetPage, shown: Callable[..., T]
) -> Page[T]:
    """Read a numbered page, the last for a number beyond it, and count all rows.

    Its keys are found first: what stands beside the rows is joined to those of one page only.
    """
    counting = select(func.count()).select_from(listing.key.class_).where(*listing.wanted)
    count = db.scalars(counting).one()
    number = max(0, min(offset_page.number, (count - 1) // offset_page.size))
    wanted = select(listing.key).where(*listing.wanted).order_by(*listing.order(offset_page))
    keys = db.scalars(wanted.limit(offset_page.size).offset(number * offset_page.size)).all()
    rows = db.execute(listing.rows.where(listing.key.in_(keys)))
    found = {getattr(row[0], listing.key.key): row for row in rows}
    return Page([shown(*found[key]) for key in keys if key in found], None, count)


def _count(db: Session, listing: Listing) -> int:
    ids = listing.rows.with_only_columns(listing.by).order_by(None)
    return db.scalars(select(func.count()).select_from(ids.subquery())).one()


def _cursor(name: str, position: str) -> str:
    raw = _proof(name, position) + position.encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _position(name: str, cursor: str) -> str:
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        position = raw[PROOF_BYTES:].decode()
    except ValueError:
        raise CursorInvalid from None
    if not hmac.compare_digest(raw[:PROOF_BYTES], _proof(name, position)):
        raise CursorInvalid
    return position


def _proof(name: str, position: str) -> bytes:
    """Tie a position to its list: the cursor of a neighbour, or of another search, has no place."""
    return keyring().blind_index(position, f"cursor:{name}")[:PROOF_BYTES]
