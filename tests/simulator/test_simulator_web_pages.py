"""Access to the simulator by web pages. It logs in any person, so other sites must not call it."""

import pytest
from flask.testing import FlaskClient

from app.simulator import create_simulator


@pytest.fixture
def browser() -> FlaskClient:
    return create_simulator({}).test_client()


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example:8001"}]
)
def test_a_request_of_another_site_is_rejected(
    browser: FlaskClient, headers: dict[str, str]
) -> None:
    """This includes DNS rebinding."""
    assert browser.get("/_simulator/health", headers=headers).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8001", "localhost:8001", "[::1]:8001"])
def test_a_request_for_a_loopback_host_is_accepted(browser: FlaskClient, host: str) -> None:
    assert browser.get("/_simulator/health", headers={"Host": host}).status_code == 200
