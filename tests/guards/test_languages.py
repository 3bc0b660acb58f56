"""The Chinese message catalogue: complete, without unused messages, and compiled."""

import ast
import gettext
import re
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po
from jinja2 import Environment

from app.errors import FAILURES

APP = Path(__file__).parents[2] / "app"
CATALOGUE = APP / "translations/zh/LC_MESSAGES/messages.po"
MARKERS = ("gettext", "lazy_gettext", "N_")
PLACEHOLDER = re.compile(r"{\w*}|%\(\w+\)s|</?code>")
HAN = re.compile(r"[\u4e00-\u9fff]")
# Values that these errors are always raised with, by error code.
VALUES = {
    "people_file_imported": {"when": "2026-01-02", "who": "ann@acme.example"},
    "database_listen_worker_wrong": {"number": "2"},
    "database_role_unfit": {"statements": "ALTER ROLE CURRENT_USER SET timezone = 'UTC';"},
}


@cache
def chinese() -> dict[str, str]:
    """Return the Chinese message of each English message. Fail if a translation is fuzzy."""
    with CATALOGUE.open("rb") as file:
        messages = [message for message in read_po(file) if message.id]
    assert not any(message.fuzzy for message in messages)
    return {str(message.id): str(message.string) for message in messages}


def test_the_compiled_catalogue_is_up_to_date() -> None:
    """If this test fails, run `make messages`."""
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = dict(vars(gettext.GNUTranslations(file))["_catalog"])
    compiled.pop("")
    assert compiled == chinese()


def test_every_error_code_has_its_own_chinese_message() -> None:
    texts = [chinese()[failure.en] for failure in FAILURES.values()]
    assert len(set(texts)) == len(FAILURES)
    for text in texts:
        assert text.endswith("。")
        assert HAN.search(text)


def test_each_chinese_message_has_the_placeholders_and_tags_of_its_english_message() -> None:
    """A misspelt placeholder would appear in the message."""
    for english, translated in chinese().items():
        assert sorted(PLACEHOLDER.findall(translated)) == sorted(PLACEHOLDER.findall(english))
    for failure in FAILURES.values():
        for text in (failure.en, chinese()[failure.en]):
            values = VALUES.get(failure.code)
            assert text.format(**failure(values=values).parameters), failure.code


def test_the_catalogue_contains_exactly_the_messages_used_in_code_and_templates() -> None:
    used = {failure.en for failure in FAILURES.values()}
    for path in APP.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in MARKERS:
                used |= {str(text.value) for text in node.args if isinstance(text, ast.Constant)}
    for page in APP.rglob("*.html"):
        used |= messages_of(page)
    assert set(chinese()) == used


def messages_of(page: Path) -> set[str]:
    """Return the messages that a template marks for translation."""
    messages = Environment(extensions=["jinja2.ext.i18n"]).extract_translations(page.read_text())  # noqa: S701
    # Jinja extracts a message with parameters as a tuple, and a message marked in Python as None.
    texts = (used[0] if isinstance(used, tuple) else used for _, _, used in messages)
    return {text for text in texts if text is not None}
