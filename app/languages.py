"""Which of two languages a person is spoken to in; the texts are in translations/."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from flask import Flask, g, request
from flask_babel import Babel, force_locale, get_locale, gettext

SPOKEN = ("zh", "en")


def init_app(app: Flask) -> None:
    """Translate what people are told: English where nothing else is asked for."""
    Babel(app, default_locale="en", locale_selector=_spoken)
    app.add_template_filter(joined)


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


def joined(sentences: Sequence[str]) -> str:
    """Translate sentences to the language of the request, and join them as it does."""
    space = "" if str(get_locale()).startswith("zh") else " "
    return space.join(gettext(sentence) for sentence in sentences)


def translated(text: str, language: str) -> str:
    """Translate a text to one language, whatever the request prefers."""
    return all_translated([text], language)


def all_translated(sentences: Sequence[str], language: str) -> str:
    """Translate sentences to one language and join them."""
    with force_locale(language):
        return joined(sentences)


def in_both_languages(*sentences: str) -> str:
    """Return sentences in English, then in Chinese, for operators of either."""
    return f"{' '.join(sentences)} {all_translated(sentences, 'zh')}"
