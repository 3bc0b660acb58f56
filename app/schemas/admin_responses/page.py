"""A page of a list."""

from marshmallow import fields

from app.schemas.responses import Response


class PageResponse(Response):
    """A page of a list."""

    next_cursor = fields.String(
        allow_none=True, metadata={"description": "For the next page; null on the last"}
    )
    count = fields.Integer(allow_none=True, metadata={"description": "Of all, if asked for"})
