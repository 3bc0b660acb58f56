"""The documentation site in the service. `tests/docs` checks the site itself."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.headers import GUIDE, POLICIES
from config.documentation.inline_scripts import META
from tests.fixtures.personas import failure
from tests.website.page_parts import Serve, addresses

PAGE = META.format("default-src 'self'")
SCRIPT = "search.js"


@pytest.fixture
def site(guide_home: Path) -> Path:
    """A built site, beside a file that is not part of it."""
    folder = guide_home.parent
    (folder / "zh-CN" / "faq").mkdir(parents=True)
    guide_home.write_text(f"{PAGE}Home")
    (folder / "zh-CN" / "index.html").write_text(f"{PAGE}首页")
    (folder / "zh-CN" / "faq" / "index.html").write_text(f"{PAGE}常见问题")
    (folder / SCRIPT).write_text("1")
    (folder.parent / "secrets.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("path", "text"), [("", "Home"), ("zh-CN/", "首页"), ("zh-CN/faq/", "常见问题")]
)
def test_pages_are_served_with_their_own_policy_and_never_in_frames(
    site: Path, browser: FlaskClient, path: str, text: str
) -> None:
    answer = browser.get(f"/docs/guide/{path}", buffered=True)
    assert (answer.status_code, answer.text) == (200, PAGE + text)
    assert answer.content_type == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy == "default-src 'self'; frame-ancestors 'none'"


def test_files_are_served_and_compared_with_each_visit(site: Path, browser: FlaskClient) -> None:
    answer = browser.get(f"/docs/guide/{SCRIPT}", buffered=True)
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "1", "text/javascript")
    assert answer.headers["Content-Security-Policy"] == POLICIES[GUIDE]
    assert "no-cache" in answer.headers["Cache-Control"]
    seen = {"If-None-Match": answer.headers["ETag"]}
    with browser.get(f"/docs/guide/{SCRIPT}", headers=seen) as unchanged:
        assert unchanged.status_code == 304


def test_a_folder_is_redirected_to_its_page_below_the_prefix(site: Path, serve: Serve) -> None:
    browser = serve(trusted_proxies=1).test_client()
    answer = browser.get("/docs/guide/zh-CN/faq", headers={"X-Forwarded-Prefix": "/auth"})
    assert (answer.status_code, answer.location) == (302, "/auth/docs/guide/zh-CN/faq/")


@pytest.mark.parametrize(
    "path",
    [
        *("../secrets.json", "%2e%2e/secrets.json", "zh-CN/../../secrets.json"),
        *("..%2fsecrets.json", "//evil.example", "..", "%2e%2e", "zh-CN/faq/unknown", "a%00b"),
    ],
)
def test_addresses_outside_the_site_are_not_found(
    site: Path, browser: FlaskClient, path: str
) -> None:
    assert failure(browser.get(f"/docs/guide/{path}")) == (404, "not_found")


@pytest.mark.parametrize(("language", "page"), [("en", ""), ("zh", "zh-CN/")])
def test_the_landing_page_links_to_the_site_in_its_language(
    site: Path, browser: FlaskClient, language: str, page: str
) -> None:
    assert f"/docs/guide/{page}" in addresses(browser.get(f"/?lang={language}").text)


@pytest.mark.parametrize(
    ("language", "text"), [("en", "Run make docs."), ("zh", "请运行 make docs。")]
)
def test_a_site_that_is_not_built_is_explained_and_not_linked(
    site: Path, browser: FlaskClient, language: str, text: str
) -> None:
    (site / "index.html").unlink()
    answer = browser.get("/docs/guide/", headers={"Accept-Language": language})
    assert answer.status_code == 404
    assert text in answer.text
    assert "guide" not in browser.get("/").text


@pytest.mark.parametrize("changes", [{"env": "production"}, {"website": False}])
def test_production_and_a_service_without_website_do_not_serve_the_site(
    site: Path, serve: Serve, changes: dict[str, object]
) -> None:
    browser = serve(**changes).test_client()
    assert failure(browser.get("/docs/guide/")) == (404, "not_found")
    assert "guide" not in browser.get("/").text
