"""The OpenAPI document, as the service returns it."""

from typing import Any

import pytest

from tests.fixtures.personas import Client


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    """The OpenAPI document in English."""
    answer = client.send("GET", "/openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    document: dict[str, Any] = answer.json
    return document
