"""Static files of the website: addresses, caching, content types and paths out of the folder."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.website.static_files import FOLDER, version
from tests.fixtures.personas import failure

ROOT = Path(__file__).parents[2]
TYPES = {
    "website.css": "text/css; charset=utf-8",
    "explorer.css": "text/css; charset=utf-8",
    "explorer.js": "text/javascript; charset=utf-8",
    "labels.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "swagger-ui/swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui/swagger-ui-bundle.js.LICENSE.txt": "text/plain; charset=utf-8",
    "swagger-ui/LICENSE": "text/plain; charset=utf-8",
    "swagger-ui/NOTICE": "text/plain; charset=utf-8",
}
ICONS = (
    "app/website/static/icon.svg",
    "clients/console/src/icon.svg",
    "app/simulator/demo/static/icon.svg",
)


def test_every_file_is_sent_with_its_content_type_and_may_be_kept_for_a_year(
    browser: FlaskClient,
) -> None:
    present = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()}
    assert present == set(TYPES)
    for name, kind in TYPES.items():
        answer = browser.get(f"/website/{version()}/{name}")
        assert answer.data == (FOLDER / name).read_bytes()
        assert answer.content_type == kind
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers


def test_a_browser_does_not_keep_a_file_for_the_address_of_another_version(
    browser: FlaskClient,
) -> None:
    """The page of another release may ask for a file during an upgrade."""
    answer = browser.get(f"/website/{'0' * 16}/website.css")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"


def test_the_version_depends_on_names_and_contents(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def version_of(name: str, text: str) -> str:
        paths = {name: tmp_path / "file"}
        paths[name].write_text(text)
        monkeypatch.setattr("app.website.static_files._paths", lambda: paths)
        return version.__wrapped__()

    versions = [version_of("a.css", "x"), version_of("a.css", "y"), version_of("b.css", "x")]
    assert len(set(versions)) == 3
    assert version_of("a.css", "x") == versions[0]


def test_an_unchanged_file_is_not_sent_again(browser: FlaskClient) -> None:
    path = f"/website/{version()}/website.css"
    tag = browser.get(path).headers["ETag"]
    answer = browser.get(path, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.data) == (304, b"")


@pytest.mark.parametrize(
    "name",
    [
        "../pages.py",
        "../templates/website/base.html",
        "swagger-ui/../../pages.py",
        "%2e%2e/pages.py",
        "..%2fpages.py",
        "..%5cpages.py",
        "%252e%252e/pages.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "file:///etc/passwd",
        "website.css%00.js",
        "./website.css",
        "swagger-ui//LICENSE",
        "swagger-ui/",
        "swagger-ui",
        "WEBSITE.CSS",
        "swagger-ui/swagger-ui-bundle.js.map",
    ],
)
def test_no_other_name_is_sent(browser: FlaskClient, name: str) -> None:
    assert failure(browser.get(f"/website/{version()}/{name}")) == (404, "not_found")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_files_accept_no_other_method(browser: FlaskClient, method: str) -> None:
    for path in (f"/website/{version()}/website.css", "/favicon.ico"):
        assert failure(browser.open(path, method=method)) == (405, "method_not_allowed")


def test_browsers_find_the_icon_without_a_page(browser: FlaskClient) -> None:
    answer = browser.get("/favicon.ico")
    assert answer.content_type == "image/svg+xml"
    assert answer.data == (FOLDER / "icon.svg").read_bytes()
    assert answer.headers["Cache-Control"] == "public, max-age=86400"


def test_website_console_and_demo_phone_have_the_same_icon() -> None:
    assert len({(ROOT / icon).read_bytes() for icon in ICONS}) == 1


def test_files_of_wxpass_have_at_most_300_lines_and_load_nothing_from_other_hosts() -> None:
    for path in FOLDER.glob("*.*"):
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert text.count("\n") <= 300, path
        assert "://" not in text, path
