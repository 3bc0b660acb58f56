"""Language of messages: English or Chinese. The translations are in translations/."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from math import ceil
from typing import Any

from flask import Flask, g, request
from flask_babel import Babel, Domain, force_locale, get_locale, gettext

from app.i18n_marker import N_

SPOKEN = ("zh", "en")
MINUTE, MINUTES = N_("1 minute"), N_("{minutes} minutes")
# The texts of the OpenAPI document. They are many, so their catalogue is a file of its own.
OPENAPI = Domain(domain="openapi")
Parameters = Mapping[str, timedelta | str]


def init_app(app: Flask) -> None:
    """Set up translation. The default language is English."""
    Babel(app, default_locale="en", locale_selector=_spoken)
    app.add_template_filter(spoken)


def _spoken() -> str:
    return g.get("language") or accepted_language()


def speak(language: str | None) -> None:
    """Set the language for the rest of this request. Accept-Language applies if it is None."""
    g.language = language if language in SPOKEN else None


def accepted_language(default: str = "en") -> str:
    """Return the supported language that Accept-Language prefers, or else the default."""
    # By language only: werkzeug would not match zh-TW with Chinese.
    accepted = (tag[:2].lower() for tag, quality in request.accept_languages if quality)
    return next((tag for tag in accepted if tag in SPOKEN), default)


def speaking(default: str) -> AbstractContextManager[None]:
    """Return a context manager that sets the language of Accept-Language, or else the default."""
    locale: AbstractContextManager[None] = force_locale(accepted_language(default))
    return locale


def spoken(sentences: Sequence[str], parameters: Parameters | None = None) -> str:
    """Return sentences in the language of this request, with their placeholders replaced."""
    space = "" if str(get_locale()).startswith("zh") else " "
    text = space.join(gettext(sentence) for sentence in sentences)
    values = {
        name: _minutes(value) if isinstance(value, timedelta) else value
        for name, value in (parameters or {}).items()
    }
    return text.format(**values) if values else text


def _minutes(duration: timedelta) -> str:
    """Return a duration as text in whole minutes, rounded up to at least one."""
    minutes = max(1, ceil(duration / timedelta(minutes=1)))
    return str(gettext(MINUTE if minutes == 1 else MINUTES)).format(minutes=minutes)


def translated(text: str, language: str) -> str:
    """Return the text in `language`, regardless of the language of the request."""
    return all_translated([text], language)


def all_translated(
    sentences: Sequence[str], language: str, parameters: Parameters | None = None
) -> str:
    """Return the sentences in `language`, with their placeholders replaced."""
    with force_locale(language):
        return spoken(sentences, parameters)


def openapi_texts(texts: Iterable[str], language: str) -> dict[str, str]:
    """Return texts of the OpenAPI document with their translations into `language`."""
    with force_locale(language):
        return {text: str(OPENAPI.gettext(text)) for text in texts}


def in_both_languages(*sentences: str, parameters: Parameters | None = None) -> str:
    """Return the sentences in English, followed by the same sentences in Chinese."""
    return " ".join(all_translated(sentences, one, parameters) for one in ("en", "zh"))


# Validation messages of single fields: marshmallow's, then those of app/schemas.
FIELD_MESSAGES = (
    N_("Field may not be null."),
    N_("Invalid input type."),
    N_("Invalid type."),
    N_("Invalid value."),
    N_("Length must be between {min} and {max}."),
    N_("Length must be {equal}."),
    N_("Longer than maximum length {max}."),
    N_("Shorter than minimum length {min}."),
    N_("Missing data for required field."),
    N_("Must be greater than or equal to {min} and less than or equal to {max}."),
    N_("Must be greater than or equal to {min}."),
    N_("Must be less than or equal to {max}."),
    N_("Must be one of: {choices}."),
    N_("Not a valid URL."),
    N_("Not a valid UUID."),
    N_("Not a valid boolean."),
    N_("Not a valid email address."),
    N_("Not a valid integer."),
    N_("Not a valid string."),
    N_("Not a valid utf-8 string."),
    N_("Not a valid datetime."),
    N_("Not a valid aware datetime."),
    N_("Number too large."),
    N_("String does not match expected pattern."),
    N_("Unknown field."),
    N_('A number from 1 to {highest}, "off" for no limit, or null for the default of 50.'),
    N_("A tenant role needs a tenant. A platform admin has none."),
    N_("Bidirectional control characters are not allowed."),
    N_("Must not consist of spaces."),
    N_("Control characters are not allowed."),
    N_("Must have a visible character."),
    N_("Lone surrogates are not allowed."),
    N_("Missing data for this grant."),
    N_("Send at least one field to change."),
    N_("Send account and password together, or neither."),
    N_("Send either code, or encryptedData and iv."),
    N_("Send either status, or role and tenant."),
)
PATTERNS = [
    (text, re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.*)", re.escape(text)), re.DOTALL))
    for text in FIELD_MESSAGES
]


def field_messages(errors: Any) -> Any:
    """Return validation messages of single fields in the language of this request.

    `errors` has the nested structure of a marshmallow ValidationError. A message that is not in
    `FIELD_MESSAGES` is returned unchanged.
    """
    if isinstance(errors, Mapping):
        return {name: field_messages(inner) for name, inner in errors.items()}
    if isinstance(errors, list | tuple):
        return [field_messages(inner) for inner in errors]
    if not isinstance(errors, str):
        return errors
    for text, pattern in PATTERNS:
        if found := pattern.fullmatch(errors):
            return str(gettext(text)).format(**found.groupdict())
    return errors
