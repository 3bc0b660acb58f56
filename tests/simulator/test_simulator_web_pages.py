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


@pytest.mark.parametrize(
    ("referer", "status"),
    [
        ("https://servicewechat.com/wx0123456789abcdef/devtools/page-frame.html", 200),
        ("https://servicewechat.com/touristappid/devtools/page-frame.html", 200),
        ("https://servicewechat.com.evil.example/a/b/page-frame.html", 403),
        ("https://evil.example/https://servicewechat.com/a/b/page-frame.html", 403),
        ("https://servicewechat.com/", 403),
        ("", 403),
    ],
)
def test_the_simulator_accepts_mini_programs_in_the_developer_tools_of_wechat(
    browser: FlaskClient, referer: str, status: int
) -> None:
    headers = {"Origin": "http://127.0.0.1:50000", "Referer": referer}
    assert browser.get("/_simulator/health", headers=headers).status_code == status


def test_the_referer_of_a_mini_program_does_not_permit_another_host(browser: FlaskClient) -> None:
    headers = {
        "Host": "evil.example:8001",
        "Referer": "https://servicewechat.com/wx0123456789abcdef/devtools/page-frame.html",
    }
    assert browser.get("/_simulator/health", headers=headers).status_code == 403
