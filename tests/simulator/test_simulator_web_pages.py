"""The simulator hands out anybody's identity: only its owner's own tools may ask."""

import pytest
from flask.testing import FlaskClient

from app.simulator import create_simulator


@pytest.fixture
def browser() -> FlaskClient:
    return create_simulator({}).test_client()


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example:8001"}]
)
def test_a_web_page_is_refused(browser: FlaskClient, headers: dict[str, str]) -> None:
    """Otherwise any page open in the developer's browser logs in as anybody (DNS rebinding too)."""
    assert browser.get("/_simulator/health", headers=headers).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8001", "localhost:8001", "[::1]:8001"])
def test_this_machine_is_let_in(browser: FlaskClient, host: str) -> None:
    """Otherwise the simulator is of no use."""
    assert browser.get("/_simulator/health", headers={"Host": host}).status_code == 200
