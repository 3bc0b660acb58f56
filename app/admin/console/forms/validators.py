"""Validators and filters of form fields."""

from collections.abc import Callable
from re import Pattern
from typing import Any
from uuid import UUID

from flask_babel import gettext
from marshmallow import ValidationError
from wtforms.validators import StopValidation

from app.schemas.fields import Label, Text
from app.text_cleaning import account_name, clean_name, has_something_visible

Check = Callable[[Any, Any], None]


def storable_text(longest: int, shortest: int = 1) -> Check:
    """Return a validator with the rules of `app.schemas.fields.Text` for a text of this length."""
    return _valid_for(Text(longest, shortest=shortest), shortest, longest)


def _valid_for(text: Text, shortest: int, longest: int) -> Check:
    def check(_form: Any, field: Any) -> None:
        try:
            text.deserialize(field.data)
        except ValidationError:
            asked = gettext("{shortest} to {longest} characters, without invisible ones.")
            raise StopValidation(asked.format(shortest=shortest, longest=longest)) from None

    return check


valid_label = _valid_for(Label(64), 1, 64)


def copied_from_wechat(pattern: Pattern[str]) -> Check:
    """Return a validator for a value copied from WeChat's console, which must match a pattern."""

    def check(_form: Any, field: Any) -> None:
        if not pattern.fullmatch(field.data or ""):
            raise StopValidation(gettext("Copy the value from WeChat's console unchanged."))

    return check


def valid_user_id(_form: Any, field: Any) -> None:
    """Raise StopValidation if the text is not a UUID."""
    try:
        UUID(field.data or "")
    except ValueError:
        raise StopValidation(
            gettext("This is not an ID. Copy it from the page of a user.")
        ) from None


def optional(_form: Any, field: Any) -> None:
    """Skip the following validators if the filtered field is empty."""
    if not field.data:
        raise StopValidation


def cleaned_account(text: str | None) -> str | None:
    """Return the canonical spelling of an account, or None if it has no visible character."""
    kept = account_name(text or "")
    return kept if has_something_visible(kept) else None


def cleaned_name(text: str | None) -> str | None:
    """Return a nickname as it is stored, or None if it has no visible character."""
    return clean_name(text or "") or None


def stripped(text: str | None) -> str | None:
    """Return the text without surrounding white space, or None if it is empty."""
    return (text or "").strip() or None
