"""Pagination: by a cursor that holds the last position of the previous page, or by page number."""

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
SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True)
class CursorPage:
    """The page that a client requests by cursor. All rows are counted only if `counted`."""

    cursor: str | None = None
    limit: int = 50
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of items. `next_cursor` is None on the last page."""

    items: Sequence[T]
    next_cursor: str | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A query, its sort key `by` and direction, and the name that its cursors are bound to."""

    rows: Select[*tuple[Any, ...]]
    by: InstrumentedAttribute[Any] | ColumnElement[Any]
    name: str = field(repr=False)
    is_ascending: bool = False

    def after(self, position: str) -> ColumnElement[bool]:
        """Return the SQL condition for the rows after a position."""
        last = self.by.type.python_type(position)
        return cast(ColumnElement[bool], self.by > last if self.is_ascending else self.by < last)

    @property
    def order(self) -> ColumnElement[Any]:
        """Return the ORDER BY expression. Descending ids put the newest row first."""
        return self.by.asc() if self.is_ascending else self.by.desc()


def read_page(
    db: Session, listing: Listing, cursor_page: CursorPage, shown: Callable[..., T], *beside: Any
) -> Page[T]:
    """Return the requested page. Raises CursorInvalid.

    Rows that are inserted or deleted between two requests do not shift later pages. `shown` gets
    the columns of each row and the arguments in `beside`, and returns the item.
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
    """The page that a client requests by number, from 0, and the sort order (newest row first)."""

    number: int = 0
    by: str | None = None
    is_descending: bool = False
    size: int = 50

    def number_within(self, count: int) -> int:
        """Return the number of this page, or of the last one if `count` rows have fewer pages."""
        return max(0, min(self.number, (count - 1) // self.size))


@dataclass(frozen=True, slots=True)
class OffsetListing:
    """A query for numbered pages, its key column, its conditions, and its sort columns by name."""

    rows: Select[*tuple[Any, ...]]
    key: InstrumentedAttribute[Any]
    wanted: Sequence[ColumnElement[bool]]
    orders: Mapping[str, InstrumentedAttribute[Any]]

    def order(self, offset_page: OffsetPage) -> Sequence[ColumnElement[Any]]:
        """Return the ORDER BY expressions. The key comes last, so that the order is unambiguous."""
        column = self.orders.get(offset_page.by or "")
        if column is None:
            return [self.key.desc()]
        if offset_page.is_descending:
            return [column.desc().nulls_last(), self.key.desc()]
        return [column.asc().nulls_first(), self.key.asc()]


def read_offset_page(
    db: Session, listing: OffsetListing, offset_page: OffsetPage, shown: Callable[..., T]
) -> Page[T]:
    """Return a numbered page and the count of all rows. Too high a number returns the last page.

    Finds the keys of the page first, so that the joins in `listing.rows` run for one page only.
    """
    counting = select(func.count()).select_from(listing.key.class_).where(*listing.wanted)
    count = db.scalars(counting).one()
    number = offset_page.number_within(count)
    wanted = select(listing.key).where(*listing.wanted).order_by(*listing.order(offset_page))
    keys = db.scalars(wanted.limit(offset_page.size).offset(number * offset_page.size)).all()
    rows = db.execute(listing.rows.where(listing.key.in_(keys)))
    found = {getattr(row[0], listing.key.key): row for row in rows}
    return Page([shown(*found[key]) for key in keys if key in found], None, count)


def _count(db: Session, listing: Listing) -> int:
    ids = listing.rows.with_only_columns(listing.by).order_by(None)
    return db.scalars(select(func.count()).select_from(ids.subquery())).one()


def _cursor(name: str, position: str) -> str:
    raw = _signature(name, position) + position.encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _position(name: str, cursor: str) -> str:
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        position = raw[SIGNATURE_BYTES:].decode()
    except ValueError:
        raise CursorInvalid from None
    if not hmac.compare_digest(raw[:SIGNATURE_BYTES], _signature(name, position)):
        raise CursorInvalid
    return position


def _signature(name: str, position: str) -> bytes:
    """Return the signature of a cursor, so that a cursor of another list or tenant is rejected."""
    return keyring().blind_index(position, f"cursor:{name}")[:SIGNATURE_BYTES]
