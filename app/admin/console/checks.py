"""What the fields of forms refuse, beside what WTForms knows."""

from collections.abc import Callable
from re import Pattern
from typing import Any
from uuid import UUID

from flask_babel import gettext
from marshmallow import ValidationError
from wtforms.validators import StopValidation

from app.schemas.fields import Text

Check = Callable[[Any, Any], None]


def keepable(longest: int, shortest: int = 1) -> Check:
    """Refuse a text that cannot be kept or shown."""
    text = Text(longest, shortest=shortest)

    def check(_form: Any, field: Any) -> None:
        try:
            text.deserialize(field.data)
        except ValidationError:
            asked = gettext("{shortest} to {longest} characters, none of them invisible.")
            raise StopValidation(asked.format(shortest=shortest, longest=longest)) from None

    return check


def copied(pattern: Pattern[str]) -> Check:
    """Refuse what was not copied as it stands in WeChat's console."""

    def check(_form: Any, field: Any) -> None:
        if not pattern.fullmatch(field.data or ""):
            raise StopValidation(gettext("Copy it from WeChat's console as it is there."))

    return check


def an_id(_form: Any, field: Any) -> None:
    """Refuse what is no id."""
    try:
        UUID(field.data or "")
    except ValueError:
        raise StopValidation(gettext("This is no id. Copy it from the page of a user.")) from None


def stripped(text: str | None) -> str | None:
    """Take blanks around away; None for nothing."""
    return (text or "").strip() or None
