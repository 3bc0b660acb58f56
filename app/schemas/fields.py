"""Fields for text that can be stored and displayed."""

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
    """Refuse lone surrogates, which UTF-8 cannot encode."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ValidationError("Lone surrogates are not allowed.")


def has_no_control_characters(text: str) -> None:
    """Refuse control characters, such as NUL."""
    if any(category(char) == "Cc" for char in text):
        raise ValidationError("Control characters are not allowed.")


def is_not_blank(text: str) -> None:
    """Refuse a text without a visible character."""
    if text and not text.strip():
        raise ValidationError("Must not consist of spaces.")


class Text(fields.String):
    """A text of limited length that can be stored and displayed."""

    def __init__(self, longest: int, *, shortest: int = 1, **kwargs: Any) -> None:
        checks: list[Callable[[str], object]] = [is_encodable, has_no_control_characters]
        checks += [is_not_blank, validate.Length(shortest, longest)]
        super().__init__(validate=checks, **kwargs)


def is_visible(text: str) -> None:
    """Raise ValidationError for a text without a visible character."""
    if text and not has_something_visible(text):
        raise ValidationError("Must have a visible character.")


def has_no_direction(text: str) -> None:
    """Raise ValidationError for bidirectional embeddings, overrides and isolates."""
    if turns_direction(text):
        raise ValidationError("Bidirectional control characters are not allowed.")


class Label(Text):
    """The name that an operator gives a tenant or a mini-program."""

    def __init__(self, longest: int = 64, **kwargs: Any) -> None:
        super().__init__(longest, **kwargs)
        self.validators += [is_visible, has_no_direction]


class Account(Text):
    """The account of a user, as typed. `account_name` returns its canonical spelling.

    Invisible characters, which are copied along from chats and contacts, are removed.
    """

    def __init__(self, longest: int = LONGEST_ACCOUNT, **kwargs: Any) -> None:
        super().__init__(longest, **kwargs)
        self.validators.append(is_visible)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        return without_invisible(str(super()._deserialize(*args, **kwargs))).strip()


class NewAccount(Account):
    """The account of a new user, in its canonical spelling, which limits its length."""

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        return account_name(super()._deserialize(*args, **kwargs))


class Name(Text):
    """A nickname, cleaned. One without a visible character counts as empty."""

    def __init__(self, longest: int = 64, **kwargs: Any) -> None:
        super().__init__(longest, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        return clean_name(str(super()._deserialize(*args, **kwargs)))


class AvatarUrl(fields.URL):
    """An https address of a picture."""

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
    """How many active sessions a user may have in an app: a number, or "off"; null is 50."""

    default_error_messages = {  # noqa: RUF012
        "invalid": f'A number from 1 to {HIGHEST_SESSION_LIMIT}, "off" for no limit,'
        " or null for the default of 50."
    }

    def __init__(self, **kwargs: Any) -> None:
        numbers = {"type": "integer", "minimum": 1, "maximum": HIGHEST_SESSION_LIMIT}
        described = {
            "anyOf": [numbers | {"nullable": True}, {"type": "string", "enum": ["off"]}],
            "description": "Active sessions that a user may have in the mini-program; the oldest"
            ' ends. "off": no limit. null: the default, 50.',
        }
        super().__init__(allow_none=True, metadata=described, **kwargs)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int | str:
        if value == "off":
            return "off"
        if type(value) is int and 1 <= value <= HIGHEST_SESSION_LIMIT:
            return value
        raise self.make_error("invalid")


class CallLimit(fields.Integer):
    """The limit of an app's calls to WeChat in flight per process. null is the default."""

    def __init__(self) -> None:
        super().__init__(
            strict=True,
            allow_none=True,
            validate=validate.Range(1, HIGHEST_CALL_LIMIT),
            metadata={
                "description": "Calls to WeChat that may be in flight in one process. More get 503"
                " `wechat_busy`. null: the default, WECHAT_CALLS_PER_APP."
            },
        )


def is_email(text: str) -> bool:
    """Return whether a text can be an e-mail address."""
    try:
        EmailAddress().deserialize(text)
    except ValidationError:
        return False
    return True
