"""Conditional requests for the OpenAPI document."""

from typing import Any

import pytest

from app.api.openapi import views
from tests.fixtures.personas import Client

OPENAPI = "/openapi.json"


def test_a_client_that_has_the_document_gets_304_without_a_body(client: Client) -> None:
    first = client.send("GET", OPENAPI)
    assert first.headers["Cache-Control"] == "no-cache"
    for tag in (
        first.headers["ETag"],
        f"W/{first.headers['ETag']}",
        f'"x", {first.headers["ETag"]}',
    ):
        answer = client.send("GET", OPENAPI, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.data) == (304, b"")
        for name in ("ETag", "Cache-Control", "Vary", "X-Content-Type-Options"):
            assert answer.headers[name] == first.headers[name]
        assert "Content-Type" not in answer.headers


@pytest.mark.parametrize("tag", ['"x"', "", "x", '"', "W/", '"' + "0" * 5000 + '"'])
def test_a_client_with_another_tag_gets_the_document(client: Client, tag: str) -> None:
    answer = client.send("GET", OPENAPI, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.json["openapi"]) == (200, "3.0.3")


def test_the_tag_differs_by_language_and_server_url(client: Client) -> None:
    tags = [
        client.send(
            "GET", f"{OPENAPI}?lang={language}", environ_overrides={"SCRIPT_NAME": prefix}
        ).headers["ETag"]
        for language in ("en", "zh")
        for prefix in ("", "/auth", "/auth/2")
    ]
    assert len(set(tags)) == 6
    by_header = client.send("GET", OPENAPI, headers={"Accept-Language": "zh"})
    assert by_header.headers["ETag"] == tags[3]
    chinese = {"If-None-Match": tags[3], "Accept-Language": "en"}
    assert client.send("GET", OPENAPI, headers=chinese).status_code == 200


def test_a_304_response_assembles_no_document(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = client.send("GET", OPENAPI).headers["ETag"]

    def fail(*_: Any) -> None:
        raise AssertionError("assembled")

    monkeypatch.setattr(views, "build_document", fail)
    monkeypatch.setattr(views.Document, "with_server", fail)
    assert client.send("GET", OPENAPI, headers={"If-None-Match": tag}).status_code == 304


def test_a_changed_document_has_another_tag() -> None:
    one, other = (views.Document("{", "}", digest) for digest in ("a", "b"))
    assert one.tag("/") != other.tag("/")
