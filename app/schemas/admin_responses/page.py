"""Base schema of paginated responses."""

from marshmallow import fields

from app.schemas.descriptions import examples
from app.schemas.descriptions.about import about
from app.schemas.responses import Response


class PageResponse(Response):
    """One page of a list. Subclasses add `items`."""

    next_cursor = fields.String(
        allow_none=True,
        metadata=about(
            "Send it as `cursor` to get the next page. Null on the last page.", examples.CURSOR
        ),
    )
    count = fields.Integer(
        allow_none=True,
        metadata=about(
            "Number of all matching rows if `count=true` was sent, otherwise null.", None
        ),
    )
