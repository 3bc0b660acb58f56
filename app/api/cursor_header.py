"""Response header with the cursor of the next page, for lists returned as JSON arrays."""

from typing import Any

from app.schemas.descriptions import examples
from app.services.database.paging import Page

NEXT_CURSOR = "X-Next-Cursor"
NEXT_CURSOR_HEADER = {
    NEXT_CURSOR: {
        "description": "The `cursor` parameter for the next page. Absent on the last page.",
        "example": examples.CURSOR,
        "schema": {"type": "string"},
    }
}


def next_cursor_header(page: Page[Any]) -> dict[str, str]:
    """Return the X-Next-Cursor header, or an empty dict for the last page."""
    return {NEXT_CURSOR: page.next_cursor} if page.next_cursor else {}
