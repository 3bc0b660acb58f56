"""Search of the command palette: results, access and bounds."""

import re

import pytest
from flask import Flask

from tests.admin.console.browser import TenantConsole, signed_in
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    enter_user,
)

HIT = re.compile(r'<a class="nav-row" id="hit-[^"]*" href="([^"]*)"')
FRAGMENT = {"HX-Request": "true"}


def hits(console: TenantConsole, text: str, path: str = "/console/t/acme/search/") -> list[str]:
    """Return the addresses of the results, as the palette requests them."""
    headers = {**console.headers, **FRAGMENT}
    answer = console.open(path, query_string={"q": text}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert "<html" not in answer.text
    return HIT.findall(answer.text)


@pytest.fixture
def neighbour(app: Flask, client: Client, alice: Person) -> dict[str, str]:
    """Add a user of globex. Return its id, openid, account, nickname and phone number."""
    login = client.bind(alice, GLOBEX_LIFE)
    enter_user(app, "globex", account="globex-carol", phone="13800138003")
    return {"id": login["user"]["id"], "openid": login["openid"], "phone": "13800138001"}


def test_users_are_found_by_id_phone_openid_account_and_nickname(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    login = client.bind(alice)
    user = login["user"]["id"]
    rows("UPDATE users SET account = 'alice-1', nickname = '小花' WHERE id = :user", user=user)
    console = TenantConsole(app)
    page = f"/console/t/acme/users/{user}/show"
    for text in (user, "13800138001", "+86 138 0013 8001", login["openid"], "alice", "小花"):
        assert page in hits(console, text), text


def test_mini_programs_pages_and_tenants_are_found(app: Flask) -> None:
    console = TenantConsole(app)
    assert f"/console/t/acme/apps/{ACME_SHOP.appid}/show" in hits(console, ACME_SHOP.appid)
    assert f"/console/t/acme/apps/{ACME_CLUB.appid}/show" in hits(console, "wxaaaa")
    assert "/console/t/acme/users/" in hits(console, "use")
    root = signed_in(app, "root@wxpass.example", "platform")
    headers = {**root.headers, **FRAGMENT}
    for path in ("/console/search/", "/console/t/acme/search/"):
        page = root.open(path, query_string={"q": "lobex"}, headers=headers).text
        assert HIT.findall(page) == ["/console/t/globex/"], path


@pytest.mark.parametrize("role", ["tenant_admin", "tenant_reader"])
def test_nothing_of_a_neighbour_is_found(
    app: Flask, neighbour: dict[str, str], rows: Reader, role: str
) -> None:
    console = TenantConsole(app, role=role)
    texts = [*neighbour.values(), "globex", "carol", "globex-carol", "13800138003", "Life"]
    for text in [*texts, GLOBEX_LIFE.appid, "%", "_%", "%%"]:
        for path in ("/console/t/acme/search/", "/console/search/"):
            assert hits(console, text, path) == [], (text, path)
    for text in texts:
        answer = console.open("/console/t/globex/search/", query_string={"q": text})
        assert (answer.status_code, HIT.findall(answer.text)) == (404, [])


def test_a_tenant_viewer_finds_only_pages_that_a_viewer_may_open(app: Flask) -> None:
    viewer, admin = TenantConsole(app, role="tenant_reader"), TenantConsole(app)
    assert "/console/t/acme/people/" in hits(admin, "import")
    assert hits(viewer, "import") == []
    for console in (viewer, admin):
        assert hits(console, "tenants") == []
        assert hits(console, "platform") == []


def test_phone_numbers_in_the_results_are_masked(app: Flask, client: Client, alice: Person) -> None:
    client.bind(alice)
    answer = TenantConsole(app).get("/search/", q="13800138001")
    results = answer.text.split('class="hits"')[1]
    assert "138****8001" in results
    assert "13800138001" not in results


def test_the_number_of_results_is_bounded_and_short_texts_find_only_pages(
    app: Flask, rows: Reader
) -> None:
    for number in range(12):
        enter_user(app, account=f"user-{number}")
    console = TenantConsole(app)
    assert len([one for one in hits(console, "user-") if "/users/" in one]) == 5
    assert not [one for one in hits(console, "u") if one.endswith("/show")]
    assert hits(console, "x" * 5000) == []


def test_search_shows_a_whole_page_without_htmx(app: Flask) -> None:
    page = TenantConsole(app).read("/search/", q="audit")
    assert "<html" in page
    assert "/console/t/acme/audit/" in HIT.findall(page)


def test_search_needs_a_session(app: Flask) -> None:
    for path in ("/console/t/acme/search/?q=alice", "/console/search/?q=alice"):
        answer = app.test_client().get(path, headers=FRAGMENT)
        assert answer.status_code == 200
        assert answer.headers["HX-Redirect"].startswith("/console/sign-in?next=")
        assert answer.text == ""
