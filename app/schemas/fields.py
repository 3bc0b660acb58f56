"""Field types for text, e-mail addresses, picture URLs and limits."""

from collections.abc import Callable
from typing import Any
from unicodedata import category

from marshmallow import ValidationError, fields, validate

from app.schemas.shapes import HIGHEST_CALL_LIMIT, HIGHEST_SESSION_LIMIT
from app.text_cleaning import (
    account_name,
    clean_name,
    has_something_visible,
    turns_direction,
    without_invisible,
)

LONGEST_AVATAR_URL = 512
LONGEST_ACCOUNT = 64
LONGEST_EMAIL = 254  # RFC 5321


def is_encodable(text: str) -> None:
    """Raise ValidationError for lone surrogates, which UTF-8 cannot encode."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ValidationError("Lone surrogates are not allowed.")


def has_no_control_characters(text: str) -> None:
    """Raise ValidationError for control characters, such as NUL."""
    if any(category(char) == "Cc" for char in text):
        raise ValidationError("Control characters are not allowed.")


def is_not_blank(text: str) -> None:
    """Raise ValidationError for text that consists of white space only."""
    if text and not text.strip():
        raise ValidationError("Must not consist of spaces.")


class Text(fields.String):
    """Text of limited length without control characters and lone surrogates."""

    def __init__(self, longest: int, *, shortest: int = 1, **kwargs: Any) -> None:
        checks: list[Callable[[str], object]] = [is_encodable, has_no_control_characters]
        checks += [is_not_blank, validate.Length(shortest, longest)]
        super().__init__(validate=checks, **kwargs)


def is_visible(text: str) -> None:
    """Raise ValidationError for text that contains only invisible characters."""
    if text and not has_something_visible(text):
        raise ValidationError("Must have a visible character.")


def has_no_direction_controls(text: str) -> None:
    """Raise ValidationError for bidirectional embeddings, overrides and isolates."""
    if turns_direction(text):
        raise ValidationError("Bidirectional control characters are not allowed.")


class Label(Text):
    """The display name of a tenant or a mini-program, set by an operator."""

    def __init__(self, longest: int = 64, **kwargs: Any) -> None:
        super().__init__(longest, **kwargs)
        self.validators += [is_visible, has_no_direction_controls]


class Account(Text):
    """The account of a user, not normalised. `account_name` returns the canonical spelling.

    Invisible characters are removed. Users copy them unknowingly from chats and contacts.
    """

    def __init__(self, longest: int = LONGEST_ACCOUNT, **kwargs: Any) -> None:
        super().__init__(longest, **kwargs)
        self.validators.append(is_visible)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        return without_invisible(str(super()._deserialize(*args, **kwargs))).strip()


class NewAccount(Account):
    """The account of a new user in canonical spelling, to which the length limit applies."""

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        return account_name(super()._deserialize(*args, **kwargs))


class Name(Text):
    """A nickname, cleaned. A nickname without a visible character becomes empty."""

    def __init__(self, longest: int = 64, **kwargs: Any) -> None:
        super().__init__(longest, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        return clean_name(str(super()._deserialize(*args, **kwargs)))


class AvatarUrl(fields.URL):
    """The https URL of a picture."""

    def __init__(self, **kwargs: Any) -> None:
        checks: list[Callable[[str], object]] = [is_encodable, has_no_control_characters]
        checks.append(validate.Length(max=LONGEST_AVATAR_URL))
        super().__init__(schemes={"https"}, validate=checks, **kwargs)


class EmailAddress(fields.Email):
    """An e-mail address. Invisible characters are removed."""

    def __init__(self, **kwargs: Any) -> None:
        checks: list[Callable[[str], object]] = [is_encodable, has_no_control_characters]
        super().__init__(validate=[*checks, validate.Length(max=LONGEST_EMAIL)], **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        return without_invisible(str(super()._deserialize(*args, **kwargs))).strip()


class SessionLimit(fields.Field[int | str]):
    """Maximum number of a user's active sessions in an app. "off" is no limit, null means 50."""

    default_error_messages = {  # noqa: RUF012
        "invalid": f'A number from 1 to {HIGHEST_SESSION_LIMIT}, "off" for no limit,'
        " or null for the default of 50."
    }

    def __init__(self, **kwargs: Any) -> None:
        numbers = {"type": "integer", "minimum": 1, "maximum": HIGHEST_SESSION_LIMIT}
        described = {
            "anyOf": [numbers | {"nullable": True}, {"type": "string", "enum": ["off"]}],
            "description": "Maximum number of active sessions per user. A further login ends the"
            ' oldest session. "off": no limit. null: the default, 50.',
            "example": 5,
        }
        super().__init__(allow_none=True, metadata=described, **kwargs)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int | str:
        if value == "off":
            return "off"
        if type(value) is int and 1 <= value <= HIGHEST_SESSION_LIMIT:
            return value
        raise self.make_error("invalid")


class CallLimit(fields.Integer):
    """Maximum number of concurrent WeChat calls of an app per process. null is the default."""

    def __init__(self) -> None:
        super().__init__(
            strict=True,
            allow_none=True,
            validate=validate.Range(1, HIGHEST_CALL_LIMIT),
            metadata={
                "description": "Maximum number of concurrent WeChat calls in one process. Further"
                " requests get 503 `wechat_busy`. null: the default, WECHAT_CALLS_PER_APP.",
                "example": None,
            },
        )


def is_email(text: str) -> bool:
    """Return whether a text is a valid e-mail address, at most 254 characters long."""
    try:
        EmailAddress().deserialize(text)
    except ValidationError:
        return False
    return True
