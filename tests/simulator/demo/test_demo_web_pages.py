"""Protection of the demo against other web pages, and the pages of the demo itself."""

import pytest
from flask.testing import FlaskClient

from app.simulator import create_simulator
from tests.simulator.demo.conftest import OWN, DemoSite

API = "/demo/api/people"


def test_the_page_of_the_demo_may_call_its_api(site: DemoSite) -> None:
    headers = {**OWN, "Sec-Fetch-Site": "same-origin"}
    assert site.http.post(API, json={}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "https://localhost"},
        {"Origin": "null"},
        {"Host": "evil.example:8001", "Origin": "http://evil.example:8001"},
        {"Host": "localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
@pytest.mark.parametrize("path", [API, "/demo/service/v1/me", "/demo/api/traffic"])
def test_requests_of_other_pages_and_host_names_are_refused(
    site: DemoSite, path: str, headers: dict[str, str]
) -> None:
    """Another port of this machine is another origin. DNS rebinding sends another host name."""
    send = site.http.post if path == API else site.http.get
    response = send(path, headers={"X-Demo-Phone": "left", **headers})
    assert response.status_code == 403
    assert site.received == []
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("path", ["/_simulator/people", "/_simulator/reset", "/sns/jscode2session"])
def test_the_page_of_the_demo_cannot_call_the_rest_of_the_simulator(
    site: DemoSite, path: str
) -> None:
    assert site.http.post(path, json={}, headers=OWN).status_code == 403


def test_a_push_address_from_the_browser_is_refused(site: DemoSite) -> None:
    body = {"person": "alice", "appid": "wx1", "what": "phone", "url": "http://evil.example"}
    response = site.http.post("/demo/api/revoke", json=body, headers=OWN)
    assert response.status_code == 400
    assert "Unknown field: url" in response.text


@pytest.mark.parametrize("path", ["", "demo.js", "page.css"])
def test_pages_allow_nothing_from_other_hosts_and_no_inline_scripts(
    site: DemoSite, path: str
) -> None:
    with site.http.get(f"/demo/{path}") as response:
        assert response.status_code == 200
        policy = response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"), ("en-GB,en", "en"), ("fr", "en"), ("", "en")],
)
def test_the_page_is_in_the_language_that_the_browser_prefers(
    site: DemoSite, accepted: str, language: str
) -> None:
    page = site.http.get("/demo/", headers={"Accept-Language": accepted}).text
    assert f'<html lang="{language}">' in page


@pytest.fixture
def without_demo() -> FlaskClient:
    """A simulator without the demo, as tests and benchmarks start it."""
    return create_simulator({}).test_client()


@pytest.mark.parametrize("path", ["/demo/", "/demo/api/traffic", "/demo/service/v1/me"])
def test_a_simulator_without_a_service_has_no_demo(without_demo: FlaskClient, path: str) -> None:
    assert without_demo.get(path).status_code == 404
    assert without_demo.get(path, headers=OWN).status_code in (403, 404)


def test_the_simulator_with_the_demo_refuses_to_start_in_production() -> None:
    with pytest.raises(RuntimeError, match="development only"):
        create_simulator({"WXPASS_ENV": "production"}, demo_service="http://127.0.0.1:8000")
