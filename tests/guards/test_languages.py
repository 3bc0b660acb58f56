"""The catalogue says in Chinese what the code says in English, and is compiled."""

import ast
import gettext
import re
from pathlib import Path

from babel.messages.pofile import read_po
from jinja2 import Environment

from app.errors import FAILURES

APP = Path(__file__).parents[2] / "app"
CATALOGUE = APP / "translations/zh/LC_MESSAGES/messages.po"
SAYING = ("gettext", "lazy_gettext", "N_")
PLACEHOLDER = re.compile(r"{\w*}|%\(\w+\)s")
HAN = re.compile(r"[\u4e00-\u9fff]")
# What these failures are always raised with.
VALUES = {"people_file_imported": {"when": "2026-01-02", "who": "ann@acme.example"}}


def chinese() -> dict[str, str]:
    """Read the Chinese texts by their English ones."""
    with CATALOGUE.open("rb") as file:
        messages = [message for message in read_po(file) if message.id]
    assert not any(message.fuzzy for message in messages)
    return {str(message.id): str(message.string) for message in messages}


def test_what_is_compiled_is_what_is_written() -> None:
    """Otherwise somebody mended a text and people read the old one. Run: make messages."""
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = dict(vars(gettext.GNUTranslations(file))["_catalog"])
    compiled.pop("")
    assert compiled == chinese()


def test_every_failure_is_told_in_chinese() -> None:
    """Otherwise a person is told in a language that they do not read."""
    texts = [chinese()[failure.en] for failure in FAILURES.values()]
    assert len(set(texts)) == len(FAILURES)
    for text in texts:
        assert text.endswith("。")
        assert HAN.search(text)


def test_both_languages_have_the_same_placeholders() -> None:
    """A placeholder that is missing or misspelled in one language is not replaced there."""
    for english, translated in chinese().items():
        assert sorted(PLACEHOLDER.findall(translated)) == sorted(PLACEHOLDER.findall(english))
    for failure in FAILURES.values():
        for text in (failure.en, chinese()[failure.en]):
            values = VALUES.get(failure.code)
            assert text.format(**failure(values=values).parameters), failure.code


def test_everything_translated_is_said_and_everything_said_is_translated() -> None:
    """Otherwise the catalogue keeps what nobody says, or lacks what somebody does."""
    said = {failure.en for failure in FAILURES.values()}
    for path in APP.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in SAYING:
                said |= {str(text.value) for text in node.args if isinstance(text, ast.Constant)}
    for page in APP.rglob("*.html"):
        said |= said_by(page)
    assert set(chinese()) == said


def said_by(page: Path) -> set[str]:
    """Read the texts that a template marks as to be translated."""
    messages = Environment(extensions=["jinja2.ext.i18n"]).extract_translations(page.read_text())  # noqa: S701
    # A text with something to put in comes with its place, and one that Python said as None.
    texts = (said[0] if isinstance(said, tuple) else said for _, _, said in messages)
    return {text for text in texts if text is not None}
