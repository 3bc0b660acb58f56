"""Those who run the service choose the tenant whose desk they sit at."""

from flask import Flask

from tests.cast import Reader
from tests.console.desk import Browser, notes, signed_in


def platform(app: Flask) -> Browser:
    """Give the browser of somebody who runs the service."""
    return signed_in(app, "root@wxpass.example", "platform")


def test_nobody_looks_after_a_tenant_that_they_did_not_choose(app: Flask) -> None:
    browser = platform(app)
    for path in ("/", "/apps/", "/users/", "/sessions/", "/audit/", "/people/"):
        assert browser.get(path).location == "/console/tenants/", path
    assert browser.get("/operators/").status_code == 200
    page = browser.get("/tenants/")
    assert "none chosen" in page.text
    assert notes(page) == [("", "Choose the tenant that you want to look after.")]


def test_every_page_says_whose_desk_it_is(app: Flask) -> None:
    browser = platform(app)
    assert browser.post("/tenants/choose", slug="globex").location == "/console/"
    for path in ("/", "/apps/", "/operators/", "/mine/", "/nothing"):
        assert "<strong>globex</strong>" in browser.get(path).text, path
    apps = browser.get("/apps/").text
    assert "wxbbbb000000000001" in apps
    assert "wxaaaa" not in apps
    assert "<strong>acme</strong>" in signed_in(app).get("/").text


def test_a_tenant_that_is_not_there_is_chosen(app: Flask) -> None:
    browser = platform(app)
    for slug in ("nobody", "a\0b", "\ud800".encode("utf-8", "surrogatepass"), ""):
        assert browser.post("/tenants/choose", slug=slug).status_code == 404
    assert browser.get("/").location == "/console/tenants/"


def test_an_admin_chooses_the_neighbour(app: Flask) -> None:
    browser = signed_in(app)
    assert browser.post("/tenants/choose", slug="globex").status_code == 404
    assert "<strong>acme</strong>" in browser.get("/").text


def test_a_tenant_is_added_at_once_and_with_a_trail(app: Flask, rows: Reader) -> None:
    browser = platform(app)
    assert browser.post("/tenants/add", slug="initech", name=" Initech ").location == "/console/"
    assert "<strong>initech</strong>" in browser.get("/").text
    assert rows("SELECT name FROM tenants WHERE slug = 'initech'") == [("Initech",)]
    who = "SELECT actor_kind, ip FROM audit_events WHERE action = 'tenant.added'"
    assert rows(f"{who} AND subject = 'initech'") == [("operator", "192.0.2.1")]


def test_a_tenant_is_added_twice_or_under_a_name_that_cannot_be(app: Flask, rows: Reader) -> None:
    browser = platform(app)
    told = notes(browser.post("/tenants/add", slug="acme", name="Acme"))
    assert told[0] == ("error", "A tenant with this slug exists already. Choose another slug.")
    wrong = [("Acme", "x"), ("a--b", "x"), ("ok", ""), ("ok", "a\0b"), ("o" * 41, "x"), ("ok", " ")]
    for slug, name in wrong:
        answer = browser.post("/tenants/add", slug=slug, name=name)
        assert 'aria-invalid="true"' in answer.text, (slug, name)
    assert rows.count("tenants") == 2


def test_without_any_tenant_the_page_says_to_add_one(app: Flask, rows: Reader) -> None:
    rows("SET LOCAL session_replication_role = replica")
    browser = platform(app)
    rows("DELETE FROM tenants")
    assert browser.get("/").location == "/console/tenants/"
    page = browser.get("/tenants/").text
    assert "There is no tenant yet." in page
    assert 'action="/console/tenants/add"' in page
