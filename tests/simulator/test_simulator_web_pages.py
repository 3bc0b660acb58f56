"""Protection of the simulator against requests of web pages.

The simulator logs in any person, so pages of other sites must not call it.
"""

import pytest
from flask.testing import FlaskClient

from app.simulator import create_simulator


@pytest.fixture
def browser() -> FlaskClient:
    """A client of a simulator."""
    return create_simulator({}).test_client()


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example:8001"}]
)
def test_the_simulator_rejects_requests_of_another_site(
    browser: FlaskClient, headers: dict[str, str]
) -> None:
    """DNS rebinding sends the host name of the other site."""
    assert browser.get("/_simulator/health", headers=headers).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8001", "localhost:8001", "[::1]:8001"])
def test_the_simulator_accepts_requests_for_a_loopback_host(
    browser: FlaskClient, host: str
) -> None:
    assert browser.get("/_simulator/health", headers={"Host": host}).status_code == 200
