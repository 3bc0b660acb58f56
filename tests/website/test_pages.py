"""The landing page and the frame of the API explorer: languages, links and headers."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.headers import POLICIES
from tests.fixtures.personas import failure
from tests.website.page_parts import PAGES, Serve, addresses, both

HEADINGS = {
    "/": ("One login service for all your WeChat mini-programs", "所有微信小程序，一个登录服务"),
    "/docs": ("API explorer", "接口调试"),
}


@both
@pytest.mark.parametrize(
    ("query", "accepted", "place"),
    [
        ("", "en-GB,en", 0),
        ("", "zh-CN,zh;q=0.9", 1),
        ("", "zh-TW", 1),
        ("", "fr", 0),
        ("?lang=zh", "en", 1),
        ("?lang=en", "zh", 0),
        ("?lang=xx", "zh", 1),
        ("?lang=", "zh", 1),
        ("?lang=en&lang=zh", "zh", 0),
    ],
)
def test_a_page_is_in_the_chosen_language_or_else_that_of_the_browser(
    browser: FlaskClient, path: str, query: str, accepted: str, place: int
) -> None:
    answer = browser.get(path + query, headers={"Accept-Language": accepted})
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.headers["Content-Language"] == ("en", "zh")[place]
    assert answer.text.startswith("<!doctype html>")
    assert f'<html lang="{("en", "zh-CN")[place]}">' in answer.text
    assert f"<h1>{HEADINGS[path][place]}</h1>" in answer.text


@both
def test_the_language_switch_stays_on_the_page_and_marks_the_current_language(
    browser: FlaskClient, path: str
) -> None:
    page = browser.get(f"{path}?lang=zh").text
    switch = page[page.index('<nav class="languages"') :].partition("</nav>")[0]
    assert addresses(switch) == [f"{path}?lang=en", f"{path}?lang=zh"]
    assert re.findall(r'aria-current="true">([^<]*)<', switch) == ["中文"]


@both
def test_links_between_the_pages_keep_a_chosen_language_only(
    browser: FlaskClient, path: str
) -> None:
    assert {"/?lang=zh", "/docs?lang=zh"} <= set(addresses(browser.get(f"{path}?lang=zh").text))
    unchosen = set(addresses(browser.get(path, headers={"Accept-Language": "zh"}).text))
    assert {"/", "/docs"} <= unchosen


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_explorer_loads_the_document_in_the_language_of_the_page(
    browser: FlaskClient, language: str
) -> None:
    page = browser.get("/docs", headers={"Accept-Language": language}).text
    assert f'data-document="/openapi.json?lang={language}"' in page
    assert browser.get(f"/openapi.json?lang={language}").status_code == 200


@both
def test_the_language_parameter_is_not_repeated_in_the_page(
    browser: FlaskClient, path: str
) -> None:
    page = browser.get(path, query_string={"lang": '"><script>alert(1)</script>'}).text
    assert "alert" not in page


@both
@pytest.mark.parametrize("name", ["url", "configUrl", "urls.primaryName"])
def test_the_server_ignores_parameters_of_swagger_ui(
    browser: FlaskClient, path: str, name: str
) -> None:
    query = {name: "https://evil.example/openapi.json", "lang": "en"}
    assert "evil" not in browser.get(path, query_string=query).text


@both
def test_pages_have_their_own_content_security_policy_without_inline_code(
    browser: FlaskClient, path: str
) -> None:
    answer = browser.get(path)
    (nonce,) = set(re.findall(r'nonce="([\w-]{22})"', answer.text))
    policy = answer.headers["Content-Security-Policy"]
    assert policy == POLICIES[PAGES[path]].format(nonce=nonce)
    assert nonce not in browser.get(path).text
    assert not re.search(r"<style|<script(?![^>]* src=)| style=| on\w+=", answer.text)
    assert answer.headers["Cache-Control"] == "no-store"


@both
def test_pages_link_to_no_other_host_and_existing_addresses_only(
    browser: FlaskClient, guide_home: Path, path: str
) -> None:
    guide_home.parent.mkdir()
    guide_home.touch()
    found = set(addresses(browser.get(path).text)) - {"#content"}
    assert len(found) >= 7
    for address in found:
        assert address.startswith("/"), address
        assert browser.get(address).status_code in (200, 302), address


@both
def test_pages_need_no_cookie_and_set_none(browser: FlaskClient, path: str) -> None:
    browser.set_cookie("wxpass_console", "forged")
    assert "Set-Cookie" not in browser.get(path).headers


@both
@pytest.mark.parametrize("accepted", ["application/json", "text/html", "*/*"])
def test_a_page_is_html_for_every_accept_header(
    browser: FlaskClient, path: str, accepted: str
) -> None:
    answer = browser.get(path, headers={"Accept": accepted})
    assert answer.content_type == "text/html; charset=utf-8"


@both
def test_other_methods_than_get_and_head_get_a_problem(browser: FlaskClient, path: str) -> None:
    assert browser.head(path).status_code == 200
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = browser.open(path, method=method)
        assert failure(answer) == (405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@both
def test_links_contain_the_path_prefix_of_a_trusted_proxy(serve: Serve, path: str) -> None:
    browser = serve(trusted_proxies=1).test_client()
    page = browser.get(path, headers={"X-Forwarded-Prefix": "/auth"}).text
    found = [address for address in addresses(page) if not address.startswith("#")]
    assert [address for address in found if not address.startswith("/auth/")] == []
    for forged in ("//evil.example", "/x/../..", "https://evil.example"):
        page = browser.get(path, headers={"X-Forwarded-Prefix": forged}).text
        assert "evil" not in page
        assert all(address.startswith(("/", "#")) for address in addresses(page))


def test_the_explorer_is_also_found_with_a_slash(browser: FlaskClient) -> None:
    assert browser.get("/docs/").status_code == 200
    assert failure(browser.get("/docs/unknown")) == (404, "not_found")


def test_the_explorer_sends_no_statement(browser: FlaskClient, statements: list[str]) -> None:
    assert browser.get("/docs").status_code == 200
    assert statements == []


@pytest.mark.parametrize(("env", "state"), [("development", "on"), ("production", "off")])
def test_production_shows_no_filled_in_requests(serve: Serve, env: str, state: str) -> None:
    """An operator who presses Execute too early could overwrite settings."""
    page = serve(env=env).test_client().get("/docs").text
    assert f'data-try-it-out="{state}"' in page
