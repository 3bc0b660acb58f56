"""Parts that depend on settings: the demo phone, and the website itself."""

import re

import pytest
from flask.testing import FlaskClient

from config.development.demo import OPERATOR, PEOPLE
from tests.fixtures.personas import failure
from tests.website.page_parts import PHONE, Serve, addresses, both, text_of


@both
def test_pages_link_to_the_demo_phone_if_it_is_served(demo: FlaskClient, path: str) -> None:
    page = demo.get(f"{path}?lang=en").text
    assert PHONE in addresses(page)
    assert OPERATOR.password not in page
    assert OPERATOR.email not in page


def test_the_explorer_shows_the_command_that_gets_a_code_from_the_simulator(
    demo: FlaskClient,
) -> None:
    text = text_of(demo.get("/docs?lang=en").text)
    body = '{"person":"alice","appid":"wxaaaa000000000001"}'
    assert f"curl -d '{body}' http://127.0.0.1:8001/_simulator/login" in text
    assert PEOPLE[0].name == "alice"


@both
def test_pages_do_not_mention_the_demo_unless_it_is_served(browser: FlaskClient, path: str) -> None:
    page = browser.get(f"{path}?lang=en").text
    assert "demo" not in page.lower()
    assert "_simulator" not in page


@both
@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("localhost:8000", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("login.example", False),
        ("127.0.0.1.evil.example", False),
        ("[::1", False),
        ("a b", False),
    ],
)
def test_pages_mention_the_demo_only_on_the_machine_that_serves_it(
    demo: FlaskClient, path: str, host: str, shown: bool
) -> None:
    answer = demo.get(path, headers={"Host": host})
    assert answer.status_code == 200
    assert (PHONE in answer.text) == shown


@both
@pytest.mark.parametrize(
    ("host", "linked"),
    [
        ("login.example", True),
        ("Login.Example:8443", True),
        ("api.example", False),
        ("login.example.evil.example", False),
        ("a b", False),
    ],
)
def test_pages_link_to_the_console_only_where_it_answers(
    serve: Serve, path: str, host: str, linked: bool
) -> None:
    browser = serve(allowed_hosts=("login.example",), demo_phone_url=PHONE).test_client()
    page = browser.get(path, headers={"Host": host}).text
    console = browser.get("/console/sign-in", headers={"Host": host})
    assert (console.status_code == 200) is linked
    assert any("/console/" in address for address in addresses(page)) is linked


def test_with_website_off_pages_and_files_are_unknown_and_the_rest_works(
    serve: Serve, browser: FlaskClient
) -> None:
    files = [address for address in addresses(browser.get("/docs").text) if "/website/" in address]
    off = serve(website=False).test_client()
    assert files
    for path in ("/", "/docs", "/docs/", "/favicon.ico", *files):
        assert failure(off.get(path)) == (404, "not_found"), path
    assert off.get("/openapi.json").status_code == 200
    page = off.get("/console/sign-in").text
    (icon,) = re.findall(r'rel="icon" href="([^"]*)"', page)
    with off.get(icon) as answer:
        assert answer.content_type.startswith("image/svg+xml")
