"""The header with the cursor of the next page, for lists that are JSON arrays."""

from typing import Any

from app.services.database.paging import Page

NEXT_CURSOR = "X-Next-Cursor"
NEXT_CURSOR_HEADER = {
    NEXT_CURSOR: {
        "description": "What `cursor` asks the next page with; absent on the last page",
        "schema": {"type": "string"},
    }
}


def next_cursor_header(page: Page[Any]) -> dict[str, str]:
    """Return the header that names the next page, or none after the last."""
    return {NEXT_CURSOR: page.next_cursor} if page.next_cursor else {}
