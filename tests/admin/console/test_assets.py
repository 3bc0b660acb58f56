"""Style sheets, scripts, icons, compression, and requests of htmx."""

import gzip
import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from flask import Flask

from app.admin.console.assets import FOLDER
from tests.admin.console.browser import Browser, signed_in
from tests.fixtures.personas import Reader

TEMPLATES = FOLDER.parent / "templates"
FROM_CONSOLE = {"Accept-Encoding": "gzip", "Sec-Fetch-Site": "same-origin"}
ASSET = re.compile(r'(?:href|src)="(/console/assets/[^"#]+)"')
FIRST_LOAD, LATER_PAGE = 120_000, 40_000


def manifest() -> dict[str, str]:
    """Return the file names by plain name."""
    return dict(json.loads((FOLDER / "manifest.json").read_text()))


def test_each_file_name_contains_the_digest_of_the_contents() -> None:
    """If this test fails, run `make console`."""
    for name, file in manifest().items():
        digest = sha256((FOLDER / file).read_bytes()).hexdigest()[:16]
        assert file == name.replace(".", f"-{digest}.")
    present = {path.name for path in FOLDER.iterdir()}
    assert present == {*manifest().values(), "manifest.json", "LICENSES.txt"}


def test_the_sprite_contains_exactly_the_icons_that_pages_name() -> None:
    """If this test fails, run `make console`."""
    named = re.compile(r'\bicon(?:=|\()"([a-z0-9-]+)"')
    sources = [*FOLDER.parent.rglob("*.py"), *TEMPLATES.rglob("*.html")]
    used = {name for path in sources for name in named.findall(path.read_text())}
    sprite = (FOLDER / manifest()["icons.svg"]).read_text()
    assert set(re.findall(r'<symbol id="([^"]+)"', sprite)) == used


def test_files_are_kept_by_browsers_and_sent_compressed(app: Flask) -> None:
    browser = Browser(app)
    for name in manifest().values():
        address = f"/console/assets/{name}"
        plain = browser.open(address)
        assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Set-Cookie" not in plain.headers
        packed = browser.open(address, headers={"Accept-Encoding": "gzip, br"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.data) == plain.data == (FOLDER / name).read_bytes()
        again = browser.open(address, headers={"If-None-Match": plain.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "name", ["manifest.json", "LICENSES.txt", "console.css", "x-0.js", "%2e%2e/assets.py"]
)
def test_only_files_with_a_digest_are_sent(app: Flask, name: str) -> None:
    assert Browser(app).open(f"/console/assets/{name}").status_code in (302, 404)


def test_pages_have_no_address_of_another_host_in_their_files() -> None:
    for name in manifest().values():
        text = (FOLDER / name).read_text()
        assert not re.search(r"url\((?!['\"]?(?:data:|#))", text), name
        assert "@import" not in text, name
        assert "sourceMappingURL" not in text, name


def test_the_first_load_and_each_later_page_stay_within_their_budget(
    app: Flask, rows: Reader
) -> None:
    """The lists have up to 100 rows on a page."""
    rows(
        "INSERT INTO users (id, tenant_id, account, nickname, last_login_at)"
        " SELECT gen_random_uuid(), id, 'account-of-user-' || n, '用户 ' || n, now()"
        " FROM tenants, generate_series(1, 120) AS n WHERE slug = 'acme'"
    )
    browser = signed_in(app)
    headers = {**browser.headers, **FROM_CONSOLE}
    sizes = {}
    for path in ("/", "/users/?size=100", "/apps/", "/audit/?size=100", "/account/"):
        page = browser.open(path, headers=headers)
        assert page.headers["Content-Encoding"] == "gzip"
        sizes[path] = len(page.data)
    names = set(ASSET.findall(gzip.decompress(page.data).decode()))
    icons = f"/console/assets/{manifest()['icons.svg']}"
    charts = [f"/console/assets/{manifest()[one]}" for one in ("charts.js", "charts.css")]
    assets = [browser.open(one, headers=headers).data for one in {*names, icons, *charts}]
    assert sum(map(len, assets)) + max(sizes.values()) <= FIRST_LOAD
    assert max(sizes.values()) <= LATER_PAGE


@pytest.mark.parametrize("site", ["cross-site", "same-site", None])
def test_responses_to_requests_from_another_site_are_not_compressed(
    app: Flask, site: str | None
) -> None:
    """The length of a compressed page with a CSRF token would reveal the token (BREACH)."""
    browser = signed_in(app)
    headers = {**browser.headers, "Accept-Encoding": "gzip"}
    if site is not None:
        headers["Sec-Fetch-Site"] = site
    page = browser.open("/users/?name=x", headers=headers)
    assert "Content-Encoding" not in page.headers
    assert "csrf_token" in page.text


def test_an_htmx_request_without_a_session_reloads_the_whole_page(app: Flask) -> None:
    answer = Browser(app).open("/users/?name=x", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.data) == (200, b"")
    assert "Location" not in answer.headers
    assert answer.headers["HX-Redirect"].endswith("next=/console/t/acme/users/?name%3Dx")


def test_the_theme_is_kept_in_the_cookie_and_written_by_the_server(app: Flask) -> None:
    browser = signed_in(app)
    assert 'data-bs-theme="system"' in browser.get("/account/").text
    for theme in ("dark", "light", "system"):
        chosen = browser.post("/theme", theme=theme, next="/console/account/")
        assert chosen.location == "/console/account/"
        assert f'data-bs-theme="{theme}"' in browser.get("/account/").text
    browser.post("/theme", theme="dark")
    browser.post("/theme", theme='"><script>')
    browser.post("/sign-out")
    assert 'data-bs-theme="dark"' in browser.get("/sign-in").text


def test_lists_offer_page_sizes_and_direct_page_access(app: Flask, rows: Reader) -> None:
    rows(
        "INSERT INTO users (id, tenant_id, account)"
        " SELECT gen_random_uuid(), id, 'u' || n FROM tenants, generate_series(1, 120) AS n"
        " WHERE slug = 'acme'"
    )
    browser = signed_in(app)
    page = browser.read("/users/", size="25", page="3", name="u")
    assert "51–75 of 120" in page
    assert 'max="5" value="3"> / 5' in page
    assert page.count('data-label="Phone"') == 25
    assert "size=100" in page
    wrong = browser.read("/users/", size="100000", page="77")
    assert "101–120 of 120" in wrong


def test_the_licences_of_the_copied_parts_are_included() -> None:
    text = (FOLDER / "LICENSES.txt").read_text()
    locked = json.loads(Path("clients/console/package-lock.json").read_text())["packages"]
    for name in ("Tabler", "htmx", "uPlot"):
        assert name in text
    assert locked["node_modules/@tabler/core"]["license"] == "MIT"
