"""Sign-in, sign-out and invitations in the console."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from app import create_app
from app.services.operators import sessions
from app.services.operators.operators import INVITATION_LIFETIME
from app.services.operators.sessions import CONSOLE_LIFETIME, IDLE_LIFETIME
from config import Config
from tests.admin.console.browser import PASSWORD, Browser, add_operator, invite, notes, signed_in
from tests.fixtures.passwords import OTHER_PASSWORD
from tests.fixtures.personas import Reader

WRONG = ("error", "E-mail address or password is wrong.")
OUT = "/console/sign-in"


# Sign-in


def test_a_correct_sign_in_opens_the_console_and_is_audited(app: Flask, rows: Reader) -> None:
    browser = Browser(app)
    entered = browser.sign_in("ann@acme.example")
    assert notes(entered) == [WRONG], "the operator does not exist yet"
    add_operator(app)
    entered = browser.sign_in(" Ann@Acme.example ")
    assert (entered.status_code, entered.location) == (302, "/console/")
    assert browser.get("/").status_code == 200
    actor = "SELECT actor_kind, ip FROM audit_events WHERE action = 'operator.signed_in'"
    assert rows(actor) == [("operator", "192.0.2.1")]
    assert rows("SELECT device, ip FROM operator_sessions") == [("Firefox", "192.0.2.1")]


def test_the_response_to_a_failed_sign_in_does_not_reveal_the_cause(
    app: Flask, rows: Reader
) -> None:
    add_operator(app)
    invite(app, "eve@acme.example", "tenant_admin", "acme")
    add_operator(app, "off@acme.example")
    rows("UPDATE operators SET status = 'disabled' WHERE email = 'off@acme.example'")
    responses = set()
    for email, password in (
        ("ann@acme.example", OTHER_PASSWORD),
        ("nobody@acme.example", PASSWORD),
        ("eve@acme.example", PASSWORD),
        ("off@acme.example", PASSWORD),
    ):
        answer = Browser(app, f"192.0.2.{len(email)}").sign_in(email, password)
        assert answer.status_code == 401
        assert notes(answer) == [WRONG]
        responses.add(re.sub(r'value="[^"]*"|nonce="[^"]*"', "", answer.text))
    assert len(responses) == 1
    assert rows.count("operator_sessions") == 0


@pytest.mark.parametrize(
    ("email", "password"),
    [("", PASSWORD), ("ann@acme.example", ""), ("a\0b", PASSWORD), ("a" * 255, PASSWORD)],
)
def test_an_empty_or_malformed_field_of_the_sign_in_form_is_marked(
    app: Flask, email: str, password: str
) -> None:
    answer = Browser(app).sign_in(email, password)
    assert answer.status_code == 200
    assert 'aria-invalid="true"' in answer.text


@pytest.mark.usefixtures("no_waits_end")
def test_wrong_operator_passwords_are_throttled(app: Flask) -> None:
    add_operator(app)
    browser = Browser(app)
    for _ in range(6):
        assert browser.sign_in("ann@acme.example", "a-wrong-password").status_code == 401
    limited = browser.sign_in("ann@acme.example")
    assert limited.status_code == 429
    assert int(limited.headers["Retry-After"]) >= 1
    assert notes(limited)[0][0] == "error"
    assert browser.get("/").location.startswith(OUT)


def test_submitted_passwords_are_not_on_the_page_that_follows(app: Flask) -> None:
    browser = Browser(app)
    assert "a-wrong-password" not in browser.sign_in("ann@acme.example", "a-wrong-password").text
    secret = "wxo_" + "x" * 43
    again = browser.post("/invitation", invitation=secret, password="short", again="other")
    assert "short" not in re.sub(r"<[^>]*>", "", again.text)
    assert 'value="other"' not in again.text


# The page after sign-in


@pytest.mark.parametrize(
    "address",
    [
        *("//evil.example", "/\\evil.example", "https://evil.example/console/", "/console/../x"),
        *("/console/%2e%2e/x", "/console\\..\\x", "javascript:alert(1)", "/consolex", "/v1/me"),
        *("/console/.//evil.example", "/console//evil.example", "\t//evil.example", "console/"),
        *("/console/?x=\r\nX-Evil: 1", "/console/?\\", "http:/console/", "/console/;x"),
    ],
)
def test_sign_in_does_not_redirect_out_of_the_console(app: Flask, address: str) -> None:
    add_operator(app)
    browser = Browser(app)
    token = browser.token("/sign-in")
    form = {"csrf_token": token, "email": "ann@acme.example", "password": PASSWORD}
    entered = browser.open("/sign-in", "POST", data=form, query_string={"next": address})
    assert entered.location == "/console/"
    spoken = browser.post("/language", language="en", next=address)
    assert spoken.location == "/console/"


def test_sign_in_redirects_to_the_requested_page(app: Flask) -> None:
    add_operator(app)
    browser = Browser(app)
    out = browser.get("/audit/?flt_action=user.erased&page=2").location
    entered = browser.post(
        out.removeprefix("/console"), email="ann@acme.example", password=PASSWORD
    )
    assert entered.location == "/console/t/acme/audit/?flt_action=user.erased&page=2"


# Cookies


def test_the_session_cookie_is_httponly_samesite_lax_and_has_no_domain(app: Flask) -> None:
    add_operator(app)
    entered = Browser(app).sign_in("ann@acme.example")
    (cookie,) = entered.headers.getlist("Set-Cookie")
    flags = {part.strip() for part in cookie.split(";")[1:]}
    assert flags == {"HttpOnly", "Path=/", "SameSite=Lax"}
    assert cookie.startswith("wxpass_console=")


def test_the_session_cookie_has_the_secure_attribute_in_production(config: Config) -> None:
    production = create_app(replace(config, env="production"))
    answer = production.test_client().get("/console/sign-in", base_url="https://wx.example")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"]


def test_signing_in_replaces_the_session_cookie(app: Flask, rows: Reader) -> None:
    """Otherwise an attacker could set a known cookie before the sign-in (session fixation)."""
    add_operator(app)
    browser = Browser(app)
    browser.get("/sign-in")
    planted = browser.cookie
    browser.sign_in("ann@acme.example")
    first = browser.cookie
    assert planted not in (None, first)
    browser.post("/sign-out")
    browser.sign_in("ann@acme.example")
    assert browser.cookie != first
    browser.http.set_cookie("wxpass_console", planted or "")
    assert browser.get("/").location.startswith(OUT)
    assert len(set(rows("SELECT token_hash FROM operator_sessions"))) == 2


def test_the_sign_in_page_does_not_replace_an_active_session(app: Flask, rows: Reader) -> None:
    """An operator who opens the sign-in page or submits its form stays signed in."""
    add_operator(app, "abe@acme.example")
    browser = signed_in(app)
    cookie = browser.cookie
    opened = browser.get("/sign-in")
    assert opened.location == "/console/"
    assert "You are signed in as ann@acme.example." in browser.read("/")
    again = browser.sign_in("abe@acme.example")
    assert again.location == "/console/"
    assert "ann@acme.example" in browser.read("/account/")
    browser.http.set_cookie("wxpass_console", cookie or "")
    assert browser.get("/account/").status_code == 200
    assert rows.count("operator_sessions") == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_form_of_another_site_is_rejected_and_does_not_replace_the_cookie(
    app: Flask, headers: dict[str, str]
) -> None:
    """Browsers send such a form without the SameSite cookie, so the session looks empty."""
    other_browser = Browser(app)
    token = other_browser.token()
    other_browser.headers |= headers
    for path in ("/sign-in", "/language", "/sign-out", "/users/enter", "/nothing"):
        form = {"csrf_token": token, "language": "zh"}
        for browser in (Browser(app), other_browser):
            browser.headers |= headers
            answer = browser.post_bare(path, **form)
            assert answer.status_code == 403, path
            assert "cross_site_form" in answer.text
            assert "Set-Cookie" not in answer.headers, path


def test_a_link_from_another_site_keeps_the_operator_signed_in(app: Flask) -> None:
    browser = signed_in(app)
    browser.headers |= {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert browser.get("/users/").status_code == 200


@pytest.mark.parametrize(
    ("mount", "name", "path"),
    [("", "__Host-wxpass_console", "/"), ("/auth", "__Secure-wxpass_console", "/auth")],
)
def test_the_name_of_the_session_cookie_has_a_security_prefix_over_https(
    app: Flask, mount: str, name: str, path: str
) -> None:
    where = {"base_url": f"https://wx.example{mount}"}
    answer = app.test_client().get("/console/sign-in", **where)
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith(f"{name}=")
    flags = {part.strip() for part in cookie.split(";")[1:]}
    assert flags == {"Secure", "HttpOnly", f"Path={path}", "SameSite=Lax"}


def test_a_csrf_token_of_another_session_is_rejected(app: Flask, rows: Reader) -> None:
    add_operator(app)
    browser, other = Browser(app), signed_in(app, "abe@acme.example")
    before = browser.token("/sign-in")
    browser.sign_in("ann@acme.example")
    for token in (before, other.token()):
        answer = browser.post_bare("/users/enter", csrf_token=token, account="mallory")
        assert answer.status_code == 400
        assert "page_outdated" in answer.text
    assert rows.count("users") == 0


def test_a_session_cookie_with_a_wrong_signature_is_rejected(app: Flask) -> None:
    browser = signed_in(app)
    body, _, signature = (browser.cookie or "").rpartition(".")
    for forged in ("x", f"{body}.{signature[::-1]}", ""):
        browser.http.set_cookie("wxpass_console", forged)
        assert browser.get("/").location.startswith(OUT)


# Sign-out and expiry


def test_signing_out_ends_the_session_in_the_database(app: Flask, rows: Reader) -> None:
    browser = signed_in(app)
    kept = browser.cookie
    assert browser.post("/sign-out", page="/account/").location == OUT
    assert rows("SELECT end_reason FROM operator_sessions") == [("signed_out",)]
    browser.http.set_cookie("wxpass_console", kept or "")
    assert browser.get("/").location.startswith(OUT)


@pytest.mark.parametrize(
    ("minutes", "steps", "is_active"),
    [(29, 1, True), (31, 1, False), (29, 24, True), (29, 25, False)],
    ids=["busy", "idle", "twelve_hours", "longer"],
)
def test_a_session_expires_when_idle_and_after_twelve_hours(
    app: Flask, monkeypatch: pytest.MonkeyPatch, minutes: int, steps: int, is_active: bool
) -> None:
    browser = signed_in(app)
    moment = sessions.now()
    for step in range(1, steps + 1):
        later = moment + timedelta(minutes=minutes * step)
        monkeypatch.setattr(sessions, "now", lambda later=later: later)
        answer = browser.get("/account/")
    assert (answer.status_code == 200) is is_active
    assert (timedelta(minutes=30), timedelta(hours=12)) == (IDLE_LIFETIME, CONSOLE_LIFETIME)
    if not is_active:
        responses = notes(browser.get("/sign-in"))
        assert responses == [("error", "Your session has expired. Please sign in again.")]


def test_sessions_are_rejected_after_the_operator_or_the_tenant_is_disabled(
    app: Flask, rows: Reader
) -> None:
    browser = signed_in(app)
    rows("UPDATE operators SET status = 'disabled'")
    assert browser.get("/").location.startswith(OUT)
    rows("UPDATE operators SET status = 'active'")
    assert Browser(app).sign_in("ann@acme.example").status_code == 302
    rows("UPDATE tenants SET status = 'disabled'")
    assert browser.get("/").location.startswith(OUT)


# Invitations


def test_an_invitation_can_be_accepted_only_once(app: Flask, rows: Reader) -> None:
    secret = invite(app, "ann@acme.example", "tenant_admin", "acme")
    form = {"invitation": secret, "password": PASSWORD, "again": PASSWORD}
    accepted = Browser(app).post("/invitation", **form)
    assert accepted.location == OUT
    again = Browser(app).post("/invitation", **form | {"password": "x" * 12, "again": "x" * 12})
    assert again.status_code == 404
    assert notes(again)[0][0] == "error"
    assert Browser(app).sign_in("ann@acme.example").location == "/console/"


def test_an_invitation_expires_after_three_days(app: Flask, rows: Reader) -> None:
    secret = invite(app, "ann@acme.example", "tenant_admin", "acme")
    assert timedelta(days=3) == INVITATION_LIFETIME
    rows("UPDATE operators SET invitation_expires_at = now()")
    form = {"invitation": secret, "password": PASSWORD, "again": PASSWORD}
    assert Browser(app).post("/invitation", **form).status_code == 404


@pytest.mark.parametrize(
    ("password", "again"), [("eleven-char", "eleven-char"), (PASSWORD, OTHER_PASSWORD)]
)
def test_a_weak_or_mistyped_password_is_rejected_and_the_invitation_stays_valid(
    app: Flask, password: str, again: str
) -> None:
    secret = invite(app, "ann@acme.example", "tenant_admin", "acme")
    refused = Browser(app).post("/invitation", invitation=secret, password=password, again=again)
    assert 'aria-invalid="true"' in refused.text
    accepted = Browser(app).post(
        "/invitation", invitation=secret, password=PASSWORD, again=PASSWORD
    )
    assert accepted.status_code == 302
