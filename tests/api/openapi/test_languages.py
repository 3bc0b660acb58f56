"""The OpenAPI document in Chinese: complete, chosen by the request, and built once."""

import gettext
import re
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from flask import Flask

from app.api.openapi import document as building
from app.api.openapi import problems, views
from app.extensions import api
from app.languages import openapi_texts
from tests.fixtures.openapi.reading import nodes
from tests.fixtures.personas import Client

Json = dict[str, Any]
CATALOGUE = Path(building.__file__).parents[2] / "translations/zh/LC_MESSAGES/openapi.po"
HAN = re.compile(r"[\u4e00-\u9fff]")
SPAN = re.compile(r"`[^`]+`")
TEXTS = ("summary", "description")


def texts(document: Json) -> list[str]:
    """Return every summary and description, also those of examples."""
    found = [*nodes(document), *nodes(list(document["components"]["examples"].values()))]
    return [
        node[name]
        for node in found
        if isinstance(node, dict)
        for name in TEXTS
        if isinstance(node.get(name), str)
    ]


def chinese() -> dict[str, str]:
    """Return the Chinese text of each English text. Fail if a translation is fuzzy."""
    with CATALOGUE.open("rb") as file:
        messages = [message for message in read_po(file) if message.id]
    assert not any(message.fuzzy for message in messages)
    return {str(message.id): str(message.string) for message in messages}


def language_of(answer: Any) -> str:
    """Return the language of a document."""
    return "zh" if HAN.search(answer.json["info"]["description"]) else "en"


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", None, "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "zh-TW", "zh"),
        ("", "fr", "en"),
        ("?lang=zh", None, "zh"),
        ("?lang=en", "zh", "en"),
        ("?lang=zh", "en", "zh"),
        ("?lang=fr", None, "en"),
        ("?lang=fr", "zh", "zh"),
        ("?lang=", "zh", "zh"),
        ("?lang=zh&lang=en", None, "zh"),
        ("?lang=../../etc/passwd%00", None, "en"),
    ],
)
def test_lang_or_else_accept_language_selects_the_language(
    client: Client, query: str, accepted: str | None, language: str
) -> None:
    headers = {"Accept-Language": accepted} if accepted else {}
    answer = client.send("GET", f"/openapi.json{query}", headers=headers)
    assert answer.status_code == 200
    assert language_of(answer) == language
    assert answer.headers["Vary"] == "Accept-Language"


def test_every_text_of_the_chinese_document_is_chinese(client: Client, document: Json) -> None:
    translated = texts(client.send("GET", "/openapi.json?lang=zh").json)
    assert len(translated) == len(texts(document)) > 1500
    codes = set(document["components"]["examples"])
    assert [text for text in translated if not HAN.search(text) and text not in codes] == []


def test_the_documents_differ_in_texts_only(client: Client, document: Json) -> None:
    def without_texts(tree: Any) -> Any:
        if isinstance(tree, dict):
            kept = {name: part for name, part in tree.items() if name not in (*TEXTS, "detail")}
            return {name: without_texts(part) for name, part in kept.items()}
        return [without_texts(one) for one in tree] if isinstance(tree, list) else tree

    translated = client.send("GET", "/openapi.json?lang=zh").json
    assert without_texts(translated) == without_texts(document)


def test_the_catalogue_contains_exactly_the_texts_of_the_document(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a change, edit openapi.po and run `make messages`."""
    used: set[str] = set()

    def note(asked: Any, language: str) -> dict[str, str]:
        found = openapi_texts(asked, language)
        used.update(found)
        return found

    monkeypatch.setattr(building, "openapi_texts", note)
    monkeypatch.setattr(problems, "openapi_texts", note)
    with app.app_context():
        building.build_document(api.spec, "/", "en")
    assert set(chinese()) - used == set()
    assert used - set(chinese()) == set()


def test_the_compiled_catalogue_is_up_to_date() -> None:
    """If this test fails, run `make messages`."""
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = dict(vars(gettext.GNUTranslations(file))["_catalog"])
    compiled.pop("")
    assert compiled == chinese()


def test_a_translation_has_the_code_and_the_paragraphs_of_its_text() -> None:
    for english, translated in chinese().items():
        assert set(SPAN.findall(translated)) == set(SPAN.findall(english)), english
        assert translated.count("\n\n") == english.count("\n\n"), english
        assert translated.endswith("。") == english.endswith("."), english


def test_chinese_texts_have_spaces_around_latin_words() -> None:
    latin = re.compile(r"[\u4e00-\u9fff][A-Za-z0-9`]|[A-Za-z0-9`][\u4e00-\u9fff]")
    assert {text: latin.findall(text) for text in chinese().values() if latin.search(text)} == {}


def test_the_document_is_built_once_per_language(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for language in ("en", "zh"):
        client.send("GET", f"/openapi.json?lang={language}")

    def fail(*_: Any) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr(views, "build_document", fail)
    for query in ("", "?lang=en", "?lang=zh", "?lang=fr"):
        assert client.send("GET", f"/openapi.json{query}").status_code == 200
