"""The documentation site in the service. `tests/docs` checks the site itself."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.headers import GUIDE, POLICIES
from config.documentation.inline_scripts import META
from tests.fixtures.personas import failure
from tests.website.page_parts import Serve, addresses, both

PAGE = META.format("default-src 'self'")
SCRIPT = "search.js"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


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
def test_pages_have_a_policy_of_their_own_and_are_never_in_frames(
    site: Path, browser: FlaskClient, path: str, text: str
) -> None:
    answer = browser.get(f"/docs/guide/{path}")
    assert (answer.status_code, answer.text) == (200, PAGE + text)
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"


def test_files_are_served_and_compared_with_each_visit(site: Path, browser: FlaskClient) -> None:
    answer = browser.get(f"/docs/guide/{SCRIPT}")
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
        *("x" * 300, "x" * 300 + "/", f"zh-CN/{'x' * 300}/faq", f"{SCRIPT}/", f"{SCRIPT}/x"),
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


def test_a_page_that_a_build_removes_during_the_request_is_not_found(
    site: Path, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove_and_read(file: Path) -> bytes:
        file.unlink()
        with file.open("rb") as opened:
            return opened.read()

    monkeypatch.setattr(Path, "read_bytes", remove_and_read)
    assert failure(browser.get("/docs/guide/zh-CN/faq/")) == (404, "not_found")


@pytest.mark.parametrize("accepted", ["*/*", "image/avif,*/*;q=0.8", "application/json"])
def test_clients_other_than_browsers_get_a_problem_for_an_unknown_page(
    site: Path, browser: FlaskClient, accepted: str
) -> None:
    answer = browser.get("/docs/guide/unknown/", headers={"Accept": accepted})
    assert failure(answer) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "language", "heading", "start"),
    [
        ("unknown/", "en", "Page not found", "/docs/guide/"),
        ("unknown/", "zh", "页面不存在", "/docs/guide/zh-CN/"),
        ("zh-CN/unknown.html", "en", "页面不存在", "/docs/guide/zh-CN/"),
        ("zh-CN/unknown/?lang=en", "zh", "Page not found", "/docs/guide/"),
        ("x" * 300, "en", "Page not found", "/docs/guide/"),
        ("../secrets.json", "en", "Page not found", "/docs/guide/"),
        ("a%00b", "en", "Page not found", "/docs/guide/"),
    ],
)
def test_a_browser_gets_a_page_that_leads_to_the_start_for_an_unknown_page(
    site: Path, browser: FlaskClient, path: str, language: str, heading: str, start: str
) -> None:
    answer = browser.get(f"/docs/guide/{path}", headers=BROWSER | {"Accept-Language": language})
    assert answer.status_code == 404
    assert f"<h1>{heading}</h1>" in answer.text
    assert f'<a class="button main" href="{start}">' in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_an_unknown_address_is_not_repeated_as_html(site: Path, browser: FlaskClient) -> None:
    answer = browser.get('/docs/guide/"><script>alert(1)</script>', headers=BROWSER)
    assert answer.status_code == 404
    assert "<script" not in answer.text


@pytest.mark.parametrize("path", ["", "zh-CN/faq/", "search.js", "unknown"])
def test_a_page_that_reloads_is_shown_while_the_site_is_built(
    browser: FlaskClient, path: str
) -> None:
    answer = browser.get(f"/docs/guide/{path}?lang=en")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
    assert '<meta http-equiv="refresh" content="3">' in answer.text
    assert "run <code>make docs</code>" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "language", "text"),
    [
        ("", "en", "This page reloads by itself."),
        ("", "zh", "本页会自动刷新。"),
        ("zh-CN/", "en", "本页会自动刷新。"),
        ("?lang=zh", "en", "本页会自动刷新。"),
        ("zh-CN/?lang=en", "zh", "This page reloads by itself."),
    ],
)
def test_the_page_during_the_build_is_in_the_language_of_the_address_or_the_browser(
    browser: FlaskClient, path: str, language: str, text: str
) -> None:
    answer = browser.get(f"/docs/guide/{path}", headers={"Accept-Language": language})
    assert text in answer.text


def test_the_language_switch_stays_on_the_page_during_the_build(browser: FlaskClient) -> None:
    found = addresses(browser.get("/docs/guide/zh-CN/").text)
    assert {f"/docs/guide/zh-CN/?lang={language}" for language in ("en", "zh")} <= set(found)


@both
def test_pages_link_to_the_site_before_it_is_built(browser: FlaskClient, path: str) -> None:
    assert "/docs/guide/" in addresses(browser.get(f"{path}?lang=en").text)


@pytest.mark.parametrize("changes", [{"env": "production"}, {"website": False}])
def test_production_and_a_service_without_website_do_not_serve_the_site(
    site: Path, serve: Serve, changes: dict[str, object]
) -> None:
    browser = serve(**changes).test_client()
    assert failure(browser.get("/docs/guide/")) == (404, "not_found")
    assert "guide" not in browser.get("/").text


@both
@pytest.mark.parametrize(("env", "linked"), [("production", True), ("development", False)])
def test_pages_link_to_the_documentation_of_the_settings_in_production(
    serve: Serve, path: str, env: str, linked: bool
) -> None:
    url = "https://docs.example.com/wxpass/?a=1&b=2"
    browser = serve(env=env, guide_url=url).test_client()
    assert (url in addresses(browser.get(path).text)) is linked


@pytest.mark.parametrize(
    ("site_of_link", "accepted", "location"),
    [
        ("none", "zh-CN,zh", "/docs/guide/zh-CN/"),
        ("none", "en", None),
        ("same-origin", "zh-CN,zh", None),
        (None, "zh-CN,zh", None),
    ],
)
def test_the_home_page_is_in_the_language_of_the_browser_if_its_address_was_entered(
    site: Path, browser: FlaskClient, site_of_link: str | None, accepted: str, location: str | None
) -> None:
    """The links of the site, such as its language switch, lead to the page that they name."""
    headers = {"Accept-Language": accepted}
    if site_of_link:
        headers["Sec-Fetch-Site"] = site_of_link
    assert browser.get("/docs/guide/", headers=headers).location == location
