"""Query parameters of the native API, and those that all lists share."""

from dataclasses import dataclass

from marshmallow import fields, validate

from app.schemas.descriptions import examples
from app.schemas.descriptions.about import about
from app.schemas.fields import Text
from app.schemas.loading import RequestSchema, T

LONGEST_CURSOR, LONGEST_PAGE, DEFAULT_PAGE = 400, 200, 50


@dataclass(frozen=True, slots=True)
class AudienceParams:
    """The slug of the only accepted tenant, or None to accept every tenant."""

    tenant: str | None = None


class AudienceQuery(RequestSchema[AudienceParams]):
    """The tenant that a login token must belong to. Without `tenant`, every tenant is accepted."""

    record = AudienceParams

    # The slug is not validated. An unknown slug rejects every token.
    tenant = fields.String(
        metadata=about(
            "The slug of the only accepted tenant. Tokens of other tenants get 403.", examples.SLUG
        )
    )


@dataclass(frozen=True, slots=True)
class CursorParams:
    """Cursor and size of a page. A cursor of None is the first page."""

    cursor: str | None = None
    limit: int = DEFAULT_PAGE


class CursorFields(RequestSchema[T]):
    """Query parameters shared by all cursor-paginated lists."""

    cursor = Text(
        LONGEST_CURSOR,
        metadata=about(
            "Position in the list, from the response with the previous page. Omit it for"
            " the first page.",
            examples.CURSOR,
        ),
    )
    limit = fields.Integer(
        validate=validate.Range(1, LONGEST_PAGE),
        metadata=about("Number of rows per page, 50 by default.", 50),
    )


class CursorQuery(CursorFields[CursorParams]):
    """Query parameters of a cursor-paginated list. Without `cursor`, the first page is returned."""

    record = CursorParams
