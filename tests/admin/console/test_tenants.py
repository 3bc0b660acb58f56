"""Tenant slugs in console URLs, and the list of tenants."""

import pytest
from flask import Flask

from tests.admin.console.browser import Browser, signed_in
from tests.fixtures.personas import Reader
from tests.fixtures.user_files import csv_of

TENANT_PAGES = ("/", "/apps/", "/users/", "/sessions/", "/audit/", "/people/", "/alerts/")
# Slugs that belong to no tenant, some of them malformed.
UNKNOWN_SLUGS = ("nobody", "a%00b", "%ED%A0%80", "ACME", "acme%20", "%2e%2e", "x" * 500)


def platform(app: Flask, tenant: str = "acme") -> Browser:
    """Return a browser in which a platform admin opens the pages of a tenant."""
    browser = signed_in(app, "root@wxpass.example", "platform")
    browser.tenant = tenant
    return browser


def test_the_start_page_redirects_a_platform_admin_to_the_list_of_tenants(app: Flask) -> None:
    browser = platform(app)
    assert browser.get("/console/").location == "/console/tenants/"
    page = browser.get("/tenants/").text
    assert 'href="/console/t/globex/"' in page
    assert 'href="/console/apps/' not in page
    assert "Choose a tenant" in browser.get("/operators/").text


def test_the_start_page_redirects_a_tenant_operator_to_the_overview(app: Flask) -> None:
    assert signed_in(app).get("/console/").location == "/console/t/acme/"


def test_every_tenant_page_shows_the_tenant_in_its_url(app: Flask) -> None:
    browser = platform(app, "globex")
    for path in TENANT_PAGES:
        page = browser.get(path).text
        assert "<strong>globex</strong>" in page, path
        assert "/console/t/acme" not in page, path
        assert 'href="/console/t/globex/users/"' in page, path
    apps = browser.get("/apps/").text
    assert "wxbbbb000000000001" in apps
    assert "wxaaaa" not in apps
    assert "<strong>acme</strong>" in signed_in(app).get("/account/").text


def test_a_form_changes_the_tenant_in_its_url_while_another_tenant_is_open(app: Flask) -> None:
    """The session stores no tenant, so a second tab does not affect forms of the first tab."""
    browser = platform(app)
    for first, second in (("acme", "globex"), ("globex", "acme")):
        browser.tenant = first
        token = browser.token("/users/enter")
        browser.get(f"/console/t/{second}/users/")
        entered = browser.post_bare("/users/enter", csrf_token=token, account=f"new-{first}")
        assert entered.location.startswith(f"/console/t/{first}/users/")
        assert f"new-{first}" in browser.read(f"/console/t/{first}/users/")
        assert f"new-{first}" not in browser.read(f"/console/t/{second}/users/")


@pytest.mark.parametrize("slug", UNKNOWN_SLUGS)
def test_pages_of_an_unknown_tenant_are_not_found(app: Flask, slug: str) -> None:
    browser = platform(app, slug)
    for path in TENANT_PAGES:
        assert browser.get(path).status_code == 404, path
    assert browser.post("/users/enter", account="mallory").status_code == 404


def test_a_tenant_operator_gets_404_for_pages_of_other_tenants(app: Flask, rows: Reader) -> None:
    browser = signed_in(app)
    for slug in ("globex", *UNKNOWN_SLUGS):
        browser.tenant = slug
        for path in TENANT_PAGES:
            answer = browser.get(path)
            assert answer.status_code == 404, (slug, path)
            assert "<strong>" not in answer.text, (slug, path)
        assert browser.post("/users/enter", account="mallory").status_code == 404
        preview = {"file": (__import__("io").BytesIO(csv_of(["account"], ["x"])), "p.csv")}
        assert browser.post("/people/preview", **preview).status_code == 404
        assert browser.post("/people/export").status_code == 404
    assert (rows.count("users"), rows.count("people_imports")) == (0, 0)


def test_a_platform_admin_can_open_a_disabled_tenant(app: Flask, rows: Reader) -> None:
    rows("UPDATE tenants SET status = 'disabled' WHERE slug = 'globex'")
    assert platform(app, "globex").get("/").status_code == 200


def test_adding_a_tenant_redirects_to_its_home_page_and_is_audited(
    app: Flask, rows: Reader
) -> None:
    browser = platform(app)
    added = browser.post("/tenants/add", slug="initech", name=" Initech ")
    assert added.location == "/console/t/initech/"
    assert "<strong>initech</strong>" in browser.get(added.location).text
    assert rows("SELECT name FROM tenants WHERE slug = 'initech'") == [("Initech",)]
    actor = "SELECT actor_kind, ip FROM audit_events WHERE action = 'tenant.added'"
    assert rows(f"{actor} AND subject = 'initech'") == [("operator", "192.0.2.1")]


def test_an_invalid_or_taken_slug_or_an_invalid_name_is_rejected(app: Flask, rows: Reader) -> None:
    browser = platform(app)
    duplicate = browser.post("/tenants/add", slug="acme", name="Acme")
    assert duplicate.status_code == 409
    assert "A tenant with this slug already exists. Choose another slug." in duplicate.text
    wrong = [("Acme", "x"), ("a--b", "x"), ("ok", ""), ("ok", "a\0b"), ("o" * 41, "x"), ("ok", " ")]
    for slug, name in wrong:
        answer = browser.post("/tenants/add", slug=slug, name=name)
        assert 'aria-invalid="true"' in answer.text, (slug, name)
    assert rows.count("tenants") == 2


def test_the_empty_list_of_tenants_shows_the_form_that_adds_a_tenant(
    app: Flask, rows: Reader
) -> None:
    rows("SET LOCAL session_replication_role = replica")
    browser = platform(app)
    rows("DELETE FROM tenants")
    page = browser.get("/tenants/").text
    assert "There is no tenant yet." in page
    assert 'action="/console/tenants/add"' in page
