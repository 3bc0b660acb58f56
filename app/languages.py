"""Which of two languages a person is spoken to in; the texts are in translations/."""

from contextlib import AbstractContextManager

from flask import Flask, g, request
from flask_babel import Babel, force_locale, gettext

SPOKEN = ("zh", "en")


def init_app(app: Flask) -> None:
    """Translate what people are told: English where nothing else is asked for."""
    Babel(app, default_locale="en", locale_selector=_spoken)


def _spoken() -> str:
    return g.get("language") or accepted_language()


def speak(language: str | None) -> None:
    """Speak a language for the rest of this request, whatever the browser prefers."""
    g.language = language if language in SPOKEN else None


def accepted_language(default: str = "en") -> str:
    """Give the language that Accept-Language prefers among those we speak, else the default."""
    # By the language alone: zh-TW before en is Chinese, which werkzeug's own matching is not.
    accepted = (tag[:2].lower() for tag, quality in request.accept_languages if quality)
    return next((tag for tag in accepted if tag in SPOKEN), default)


def speaking(default: str) -> AbstractContextManager[None]:
    """Speak as Accept-Language asks, else in the default language, while this is open."""
    locale: AbstractContextManager[None] = force_locale(accepted_language(default))
    return locale


def translated(text: str, language: str) -> str:
    """Say a text in one language, whoever asks."""
    with force_locale(language):
        return str(gettext(text))


def in_both_languages(text: str) -> str:
    """Say a text in English, then in Chinese, for operators of either."""
    return f"{text} {translated(text, 'zh')}"
