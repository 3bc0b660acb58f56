"""Checks of every console page: headers, languages, CSRF and access."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests.admin.console.browser import Browser, signed_in
from tests.fixtures.personas import GLOBEX_LIFE, Client, Person, Reader, enter_user

UNKNOWN_ID = "00000000-0000-7000-8000-000000000000"
POLICY = re.compile(
    r"default-src 'none'; script-src 'nonce-([\w-]{22})'; style-src 'nonce-([\w-]{22})'; "
    r"img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; "
    r"base-uri 'none'; frame-ancestors 'none'"
)
HAN = re.compile(r"[\u4e00-\u9fff]")
FOR_PLATFORM = ("console_operators", "console_tenants", "console_service-audit")


def path_of(rule: Rule) -> str:
    """Return a path that matches a URL rule, with the slug acme and unknown ids."""
    path = re.sub(r"<uuid:\w+>", UNKNOWN_ID, rule.rule.replace("<string:slug>", "acme"))
    path = re.sub(r"<any\((\w+)[^>]*>", r"\1", path)
    return re.sub(r"<[^>]+>", "nobody", path)


def rules(app: Flask, method: str) -> list[Rule]:
    """Return the console's URL rules that accept a method, without static files."""
    found = [
        rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/console") and method in (rule.methods or ())
    ]
    return [rule for rule in found if not rule.endpoint.endswith(".static")]


def protected_rules(app: Flask, method: str) -> list[Rule]:
    """Return the URL rules that require a session."""
    return [rule for rule in rules(app, method) if not rule.endpoint.startswith("auth.")]


class Markup(HTMLParser):
    """HTML parser that collects tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def pages(app: Flask, browser: Browser) -> Iterator[tuple[str, TestResponse]]:
    """Yield the URL rule and the response of every page that accepts GET."""
    for rule in rules(app, "GET"):
        yield rule.rule, browser.get(path_of(rule))


@pytest.mark.parametrize("role", ["platform", "tenant_admin", "tenant_reader"])
def test_every_console_response_has_a_strict_content_security_policy(app: Flask, role: str) -> None:
    nonces = set()
    seen = list(pages(app, signed_in(app, role=role)))
    assert len(seen) > 10
    for rule, answer in [*seen, *pages(app, Browser(app))]:
        policy = POLICY.fullmatch(answer.headers["Content-Security-Policy"])
        assert policy, rule
        assert policy.group(1) == policy.group(2)
        assert policy.group(1) not in nonces, rule
        nonces.add(policy.group(1))
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        if answer.mimetype == "text/html":
            check_markup(rule, answer, policy.group(1))


def check_markup(rule: str, answer: TestResponse, nonce: str) -> None:
    """Fail if a page violates its content security policy or links to another site."""
    for tag, attributes in Markup(answer.text).tags:
        assert not {name for name in attributes if name.startswith("on")}, rule
        assert "style" not in attributes, rule
        assert tag not in ("style", "iframe", "object", "base"), rule
        if tag == "script" or attributes.get("rel") == "stylesheet":
            assert attributes["nonce"] == nonce, rule
        for name in ("src", "href", "action"):
            address = attributes.get(name) or ""
            assert not re.match(r"(?:[a-z]+:)?//", address), (rule, address)


def test_every_console_page_is_available_in_both_languages(app: Flask) -> None:
    browser = signed_in(app, role="platform")
    for language, code in (("en", "en"), ("zh", "zh-CN")):
        browser.headers["Accept-Language"] = language
        for rule, answer in pages(app, browser):
            assert answer.status_code in (200, 302, 308, 404), (rule, answer.status_code)
            if answer.status_code == 200 and "<!doctype" in answer.text:
                assert f'<html lang="{code}"' in answer.text
                assert bool(HAN.search(answer.text.replace("中文", ""))) == (language == "zh"), rule


def test_every_page_that_needs_a_session_redirects_to_the_sign_in_page_without_one(
    app: Flask,
) -> None:
    for method in ("GET", "POST"):
        found = protected_rules(app, method)
        assert len(found) > 5
        for rule in found:
            answer = Browser(app).open(path_of(rule), method)
            assert answer.status_code in (302, 308), rule
            assert answer.location.startswith(("/console/sign-in?next=", "/console/"))
            if answer.status_code == 302:
                assert answer.location.startswith("/console/sign-in"), rule


def test_every_form_without_a_valid_csrf_token_is_rejected_and_changes_nothing(
    app: Flask, rows: Reader
) -> None:
    browser = signed_in(app, role="platform")
    before = row_counts(rows)
    found = rules(app, "POST")
    assert len(found) > 12
    for rule in found:
        for form in ({}, {"csrf_token": "forged"}):
            answer = browser.open(path_of(rule), "POST", data=form)
            assert answer.status_code == 400, rule
            assert "page_outdated" in answer.text, rule
    assert row_counts(rows) == before
    assert browser.get("/").status_code == 200


def row_counts(rows: Reader) -> list[tuple[object, ...]]:
    """Return the number of rows in each table that the forms can change."""
    tables = ("audit_events", "operators", "operator_sessions", "tenants", "users", "wechat_apps")
    tables += ("platform_audit_events",)
    counts = [rows.count(table) for table in tables]
    ended = rows.count("operator_sessions", "ended_at IS NOT NULL")
    return [(*counts, ended, rows.count("people_imports"))]


@pytest.mark.parametrize("role", ["tenant_admin", "tenant_reader"])
def test_tenant_operators_get_404_for_pages_of_platform_admins(app: Flask, role: str) -> None:
    browser = signed_in(app, role=role)
    token = browser.token()
    for method in ("GET", "POST"):
        for rule in protected_rules(app, method):
            if rule.endpoint.split(".")[0] in FOR_PLATFORM:
                answer = browser.open(path_of(rule), method, data={"csrf_token": token})
                assert answer.status_code == 404, rule
    home = browser.get("/").text
    assert "/console/operators" not in home
    assert "/console/tenants" not in home


def test_a_tenant_viewer_can_neither_import_nor_export_users(app: Flask) -> None:
    browser = signed_in(app, role="tenant_reader")
    assert "/console/people/" not in browser.get("/").text
    refused = [browser.get("/people/"), browser.post("/people/export"), browser.post("/account/x")]
    assert [answer.status_code for answer in refused] == [403, 403, 404]
    assert "role_too_low" in refused[0].text


def test_no_page_shows_data_of_another_tenant(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, "globex", account="globex-carol", phone="13800138003")
    client.bind(alice, GLOBEX_LIFE)
    browser = signed_in(app)
    ((globex,),) = rows("SELECT id FROM tenants WHERE slug = 'globex'")
    (ids,) = zip(*rows("SELECT id FROM users UNION SELECT id FROM login_sessions"), strict=True)
    secrets = [str(globex), "globex", GLOBEX_LIFE.appid, "globex-carol", *map(str, ids)]
    for rule, answer in pages(app, browser):
        assert not [secret for secret in secrets if secret in answer.text], rule
    for rule in protected_rules(app, "GET"):
        for known_id in ids:
            path = re.sub(r"<[^>]+>", str(known_id), rule.rule.replace("<string:slug>", "acme"))
            answer = browser.get(f"{path}?id={known_id}")
            assert "globex" not in answer.text, rule


def test_an_unknown_console_path_shows_an_html_error_page(app: Flask) -> None:
    browser = signed_in(app)
    for path in ("/nothing", "/apps/nothing/here/", "//evil.example", "/account/codes/cancel"):
        answer = browser.get(path)
        assert answer.mimetype == "text/html", path
        assert answer.status_code == (405 if path == "/account/codes/cancel" else 404)
        assert "<nav" in answer.text
    assert Browser(app).get("/nothing").location == "/console/sign-in?next=/console/nothing"


def test_the_api_for_mini_programs_needs_no_csrf_token_and_sets_no_cookie(client: Client) -> None:
    answer = client.post("login", code="x")
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers


def test_the_chosen_language_is_kept_after_sign_out(app: Flask) -> None:
    browser = signed_in(app)
    chosen = browser.post("/language", language="zh", next="/console/account/?")
    assert chosen.location == "/console/account/"
    assert "账号安全" in browser.get("/account/").text
    browser.post("/sign-out")
    assert HAN.search(browser.get("/sign-in").text.replace("中文", ""))
    browser.post("/language", language="xx")
    assert 'lang="zh-CN"' in browser.get("/sign-in").text


def test_only_the_file_upload_of_a_signed_in_operator_accepts_a_large_body(app: Flask) -> None:
    large = "x" * 70_000
    assert Browser(app).open("/sign-in", "POST", data={"x": large}).status_code == 413
    assert Browser(app).open("/people/preview", "POST", data={"x": large}).status_code == 302
    assert signed_in(app).open("/account/codes", "POST", data={"x": large}).status_code == 413
