"""Every page of the console: safe headers, in both languages, and nothing of anybody else's."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests.admin.console.browser import Browser, signed_in
from tests.fixtures.personas import GLOBEX_LIFE, Client, Person, Reader, enter_user

NOBODY = "00000000-0000-7000-8000-000000000000"
POLICY = re.compile(
    r"default-src 'none'; script-src 'nonce-([\w-]{22})'; style-src 'nonce-([\w-]{22})'; "
    r"img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; "
    r"base-uri 'none'; frame-ancestors 'none'"
)
HAN = re.compile(r"[\u4e00-\u9fff]")
FOR_PLATFORM = ("console_operators", "console_tenants", "console_service-audit")
# Where a stranger may go, and what is nobody's secret.
OPEN = ("auth.", ".static")


def path_of(rule: Rule) -> str:
    """Fill an address in with ids of nobody."""
    path = re.sub(r"<uuid:\w+>", NOBODY, rule.rule.replace("<string:slug>", "acme"))
    path = re.sub(r"<any\((\w+)[^>]*>", r"\1", path)
    return re.sub(r"<[^>]+>", "nobody", path)


def rules(app: Flask, method: str) -> list[Rule]:
    """List the console's routes that take a method, but for assets."""
    found = [
        rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/console") and method in (rule.methods or ())
    ]
    return [rule for rule in found if not rule.endpoint.endswith(".static")]


def behind(app: Flask, method: str) -> list[Rule]:
    """List those that are for operators only."""
    return [rule for rule in rules(app, method) if not rule.endpoint.startswith("auth.")]


class Markup(HTMLParser):
    """Reads the tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def pages(app: Flask, browser: Browser) -> Iterator[tuple[str, TestResponse]]:
    """Open every page that can be opened without a form."""
    for rule in rules(app, "GET"):
        yield rule.rule, browser.get(path_of(rule))


@pytest.mark.parametrize("role", ["platform", "tenant_admin", "tenant_reader"])
def test_no_answer_lets_the_browser_do_more_than_it_needs(app: Flask, role: str) -> None:
    """Otherwise a text that somebody smuggles in runs as the operator."""
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
    """See that a page holds nothing that the policy forbids, or that leads elsewhere."""
    for tag, attributes in Markup(answer.text).tags:
        assert not {name for name in attributes if name.startswith("on")}, rule
        assert "style" not in attributes, rule
        assert tag not in ("style", "iframe", "object", "base"), rule
        if tag == "script" or attributes.get("rel") == "stylesheet":
            assert attributes["nonce"] == nonce, rule
        for name in ("src", "href", "action"):
            address = attributes.get(name) or ""
            assert not re.match(r"(?:[a-z]+:)?//", address), (rule, address)


def test_every_page_is_a_page_and_says_so_in_both_languages(app: Flask) -> None:
    """Otherwise an operator meets a stack trace, or a language that they do not read."""
    browser = signed_in(app, role="platform")
    for language, code in (("en", "en"), ("zh", "zh-CN")):
        browser.headers["Accept-Language"] = language
        for rule, answer in pages(app, browser):
            assert answer.status_code in (200, 302, 308, 404), (rule, answer.status_code)
            if answer.status_code == 200 and answer.mimetype == "text/html":
                assert f'<html lang="{code}">' in answer.text
                assert bool(HAN.search(answer.text.replace("中文", ""))) == (language == "zh"), rule


def test_a_stranger_is_led_to_the_sign_in_page_from_everywhere(app: Flask) -> None:
    """Otherwise a page was forgotten, and everybody reads it."""
    for method in ("GET", "POST"):
        found = behind(app, method)
        assert len(found) > 5
        for rule in found:
            answer = Browser(app).open(path_of(rule), method)
            assert answer.status_code in (302, 308), rule
            assert answer.location.startswith(("/console/sign-in?next=", "/console/"))
            if answer.status_code == 302:
                assert answer.location.startswith("/console/sign-in"), rule


def test_a_form_without_its_token_changes_nothing(app: Flask, rows: Reader) -> None:
    """Otherwise another site clicks for the operator."""
    browser = signed_in(app, role="platform")
    before = changed(rows)
    found = rules(app, "POST")
    assert len(found) > 12
    for rule in found:
        for form in ({}, {"csrf_token": "forged"}):
            answer = browser.open(path_of(rule), "POST", data=form)
            assert answer.status_code == 400, rule
            assert "page_outdated" in answer.text, rule
    assert changed(rows) == before
    assert browser.get("/").status_code == 200


def changed(rows: Reader) -> list[tuple[object, ...]]:
    """Read what an operator could change, as far as it is counted."""
    tables = ("audit_events", "operators", "operator_sessions", "tenants", "users", "wechat_apps")
    counts = [rows.count(table) for table in tables]
    ended = rows.count("operator_sessions", "ended_at IS NOT NULL")
    return [(*counts, ended, rows.count("people_imports"))]


@pytest.mark.parametrize("role", ["tenant_admin", "tenant_reader"])
def test_pages_of_those_who_run_the_service_are_hidden_from_others(app: Flask, role: str) -> None:
    """Otherwise an admin of one tenant invites themselves to another."""
    browser = signed_in(app, role=role)
    token = browser.token()
    for method in ("GET", "POST"):
        for rule in behind(app, method):
            if rule.endpoint.split(".")[0] in FOR_PLATFORM:
                answer = browser.open(path_of(rule), method, data={"csrf_token": token})
                assert answer.status_code == 404, rule
    home = browser.get("/").text
    assert "/console/operators" not in home
    assert "/console/tenants" not in home


def test_a_reader_is_refused_what_changes(app: Flask) -> None:
    """Otherwise who may only read imports people, or takes them out."""
    browser = signed_in(app, role="tenant_reader")
    assert "/console/people/" not in browser.get("/").text
    refused = [browser.get("/people/"), browser.post("/people/export"), browser.post("/account/x")]
    assert [answer.status_code for answer in refused] == [403, 403, 404]
    assert "role_too_low" in refused[0].text


def test_the_neighbour_sees_nothing_of_the_tenant(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a list forgot whose it is."""
    enter_user(app, "globex", account="globex-carol", phone="13800138003")
    client.bind(alice, GLOBEX_LIFE)
    browser = signed_in(app)
    ((globex,),) = rows("SELECT id FROM tenants WHERE slug = 'globex'")
    (ids,) = zip(*rows("SELECT id FROM users UNION SELECT id FROM login_sessions"), strict=True)
    secrets = [str(globex), "globex", GLOBEX_LIFE.appid, "globex-carol", *map(str, ids)]
    for rule, answer in pages(app, browser):
        assert not [one for one in secrets if one in answer.text], rule
    for rule in behind(app, "GET"):
        for one in ids:
            path = re.sub(r"<[^>]+>", str(one), rule.rule.replace("<string:slug>", "acme"))
            answer = browser.get(f"{path}?id={one}")
            assert "globex" not in answer.text, rule


def test_an_unknown_page_is_told_as_a_page(app: Flask) -> None:
    """Otherwise a mistyped address shows JSON."""
    browser = signed_in(app)
    for path in ("/nothing", "/apps/nothing/here/", "//evil.example", "/account/codes/cancel"):
        answer = browser.get(path)
        assert answer.mimetype == "text/html", path
        assert answer.status_code == (405 if path == "/account/codes/cancel" else 404)
        assert "<nav" in answer.text
    assert Browser(app).get("/nothing").location == "/console/sign-in?next=/console/nothing"


def test_the_rest_of_the_service_needs_no_token_and_sets_no_cookie(client: Client) -> None:
    """Otherwise the guard of the console stops mini-programs."""
    answer = client.post("login", code="x")
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers


def test_the_language_is_chosen_and_kept(app: Flask) -> None:
    """Otherwise somebody at a borrowed machine is stuck with its language."""
    browser = signed_in(app)
    chosen = browser.post("/language", language="zh", next="/console/account/?")
    assert chosen.location == "/console/account/"
    assert "账号安全" in browser.get("/account/").text
    browser.post("/sign-out")
    assert HAN.search(browser.get("/sign-in").text.replace("中文", ""))
    browser.post("/language", language="xx")
    assert 'lang="zh-CN"' in browser.get("/sign-in").text


def test_a_large_body_is_taken_for_a_file_only(app: Flask) -> None:
    """Otherwise anybody fills the disk, or nobody can upload."""
    large = "x" * 70_000
    assert Browser(app).open("/sign-in", "POST", data={"x": large}).status_code == 413
    assert Browser(app).open("/people/preview", "POST", data={"x": large}).status_code == 302
    assert signed_in(app).open("/account/codes", "POST", data={"x": large}).status_code == 413
