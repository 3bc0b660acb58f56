"""Base schema of paginated responses."""

from marshmallow import fields

from app.schemas.responses import Response


class PageResponse(Response):
    """One page of a list. Subclasses add `items`."""

    next_cursor = fields.String(
        allow_none=True, metadata={"description": "Cursor of the next page; null on the last page"}
    )
    count = fields.Integer(
        allow_none=True,
        metadata={"description": "Number of all matching rows if `count=true` was sent"},
    )
