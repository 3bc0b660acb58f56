"""Field types shared by request schemas of the admin API."""

import re
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.schemas.fields import is_encodable
from app.schemas.loading import RequestSchema, T
from app.schemas.shapes import LONGEST_SLUG, SLUG

# Long enough for a recovery code with a space between any two characters.
LONGEST_CODE = 64
STATUS = validate.OneOf(["active", "disabled"])
USER_STATUS = validate.OneOf(["active", "disabled", "merged"])


def pattern_of(shape: re.Pattern[str]) -> dict[str, str]:
    """Return the pattern for OpenAPI, which has the syntax of JavaScript."""
    return {"pattern": f"^({shape.pattern})$"}


class Shaped(fields.String):
    """A string that must match a pattern from its first to its last character."""

    def __init__(self, shape: re.Pattern[str], **kwargs: Any) -> None:
        kwargs["metadata"] = kwargs.get("metadata", {}) | pattern_of(shape)
        super().__init__(validate=validate.Regexp(rf"(?:{shape.pattern})\Z"), **kwargs)


class Slug(fields.String):
    """A tenant slug, validated by pattern and length."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["metadata"] = kwargs.get("metadata", {}) | pattern_of(SLUG)
        shape = validate.Regexp(rf"(?:{SLUG.pattern})\Z")
        super().__init__(validate=[shape, validate.Length(max=LONGEST_SLUG)], **kwargs)


class Code(fields.String):
    """A one-time code or recovery code. Spaces and hyphens are accepted."""

    def __init__(self, **kwargs: Any) -> None:
        longest = validate.Length(1, LONGEST_CODE)
        super().__init__(validate=[is_encodable, longest], load_only=True, **kwargs)


class ChangeRequest(RequestSchema[T]):
    """A request that must contain at least one field."""

    @validates_schema
    def changes_something(self, data: dict[str, Any], **_: Any) -> None:
        """Raise ValidationError if the request contains no field."""
        if not data:
            raise ValidationError("Send at least one field to change.")
