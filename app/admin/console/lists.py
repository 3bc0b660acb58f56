"""Lists of the console: page, page size, sort order and filters in the query string."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flask import flash, request, url_for

from app.errors import Failure
from app.problems import failure_of, message_on_page
from app.services.database.paging import OffsetPage, Page
from app.text_cleaning import clean_name

T = TypeVar("T")
SIZES = (25, 50, 100)
USUAL_SIZE = 50
LAST_PAGE = 1_000_000


@dataclass(frozen=True, slots=True)
class ListFilter:
    """A filter above a list: name of the query parameter, label, and options of a select."""

    name: str
    label: str
    options: Sequence[tuple[str, str]] = ()
    kind: str = "search"

    @property
    def value(self) -> str:
        """The value in the query string, as the operator entered it."""
        return request.args.get(self.name, "")


@dataclass(frozen=True, slots=True)
class ShownList(Generic[T]):
    """The items of one page of a list, and what its links, filters and headings need."""

    items: Sequence[T]
    count: int
    offset_page: OffsetPage
    filters: Sequence[ListFilter]

    @property
    def sizes(self) -> Sequence[int]:
        """The page sizes to choose from."""
        return SIZES

    @property
    def page(self) -> int:
        """The number of the page, from 1."""
        return min(self.offset_page.number, self.last_page - 1) + 1

    @property
    def last_page(self) -> int:
        """The number of the last page, at least 1."""
        return max(1, -(-self.count // self.offset_page.size))

    @property
    def first_row(self) -> int:
        """The number of the first item on the page, from 1."""
        return (self.page - 1) * self.offset_page.size + 1

    @property
    def is_filtered(self) -> bool:
        """Whether a filter is set."""
        return any(one.value for one in self.filters)

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """Return the query parameters of this list with changes. None removes a parameter."""
        known = {
            **{one.name: one.value for one in self.filters},
            "sort": self.offset_page.by,
            "desc": "1" if self.offset_page.is_descending else None,
            "size": self.offset_page.size if self.offset_page.size != USUAL_SIZE else None,
            "page": self.page if self.page > 1 else None,
        }
        return {name: value for name, value in (known | changes).items() if value}

    def address(self, **changes: Any) -> str:
        """Return the URL of this list with changed query parameters."""
        return url_for(request.endpoint or "", **self.arguments(**changes))

    def sort_address(self, column: str) -> str:
        """Return the URL of this list by a column, in the other direction if it is sorted by it."""
        is_by_column = self.offset_page.by == column
        descending = "1" if is_by_column and not self.offset_page.is_descending else None
        return self.address(sort=column, desc=descending, page=None)

    def direction(self, column: str) -> str:
        """Return the direction by which the list is sorted by a column, for `aria-sort`."""
        if self.offset_page.by != column:
            return "none"
        return "descending" if self.offset_page.is_descending else "ascending"


def read_list(
    find: Callable[[OffsetPage], Page[T]],
    filters: Sequence[ListFilter] = (),
    sortable: Sequence[str] = (),
) -> ShownList[T]:
    """Return the requested page of a list. An invalid filter results in a message and no rows."""
    offset_page = _requested_page(sortable)
    try:
        found = find(offset_page)
    except Failure as failure:
        flash(message_on_page(failure_of(failure)), "error")
        found = Page([], None, 0)
    return ShownList(found.items, found.count or 0, offset_page, filters)


def _requested_page(sortable: Sequence[str]) -> OffsetPage:
    by = request.args.get("sort")
    size = request.args.get("size", type=int)
    return OffsetPage(
        number=min(max(request.args.get("page", 1, type=int), 1), LAST_PAGE) - 1,
        by=by if by in sortable else None,
        is_descending=by in sortable and request.args.get("desc") == "1",
        size=size if size in SIZES else USUAL_SIZE,
    )


def filter_value(name: str) -> str | None:
    """Return the cleaned value of a filter in the query string, or None if it is empty."""
    return clean_name(request.args.get(name) or "") or None
