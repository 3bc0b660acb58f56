"""Getting in and out of the console, as operators do and as attackers would."""

import re
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
from flask import Flask

from app import create_app
from app.errors import TooManyTries
from app.services import one_time_codes, operator_sessions, operator_sign_in, password_tries
from app.services.operator_sessions import CONSOLE_LIFETIME, IDLE_LIFETIME
from app.services.operators import INVITATION_LIFETIME, find_operator_id
from app.services.sessions import Device
from config import Config
from tests.cast import Reader
from tests.console.desk import PASSWORD, Browser, add_operator, invite, notes, signed_in

WRONG = ("error", "E-mail address or password is wrong.")
OUT = "/console/sign-in"


# In


def test_a_right_password_opens_the_console_and_is_in_the_trail(app: Flask, rows: Reader) -> None:
    browser = Browser(app)
    entered = browser.sign_in("ann@acme.example")
    assert notes(entered) == [WRONG], "nobody is there yet"
    add_operator(app)
    entered = browser.sign_in(" Ann@Acme.example ")
    assert (entered.status_code, entered.location) == (302, "/console/")
    assert browser.get("/").status_code == 200
    who = "SELECT actor_kind, ip FROM audit_events WHERE action = 'operator.signed_in'"
    assert rows(who) == [("operator", "192.0.2.1")]
    assert rows("SELECT device, ip FROM operator_sessions") == [("Firefox", "192.0.2.1")]


def test_what_is_wrong_is_not_told(app: Flask, rows: Reader) -> None:
    """Otherwise a stranger learns who is an operator."""
    add_operator(app)
    invite(app, "eve@acme.example", "tenant_admin", "acme")
    add_operator(app, "off@acme.example")
    rows("UPDATE operators SET status = 'disabled' WHERE email = 'off@acme.example'")
    told = set()
    for email, password in (
        ("ann@acme.example", "another-password"),
        ("nobody@acme.example", PASSWORD),
        ("eve@acme.example", PASSWORD),
        ("off@acme.example", PASSWORD),
    ):
        answer = Browser(app, f"192.0.2.{len(email)}").sign_in(email, password)
        assert answer.status_code == 401
        assert notes(answer) == [WRONG]
        told.add(re.sub(r'value="[^"]*"|nonce="[^"]*"', "", answer.text))
    assert len(told) == 1
    assert rows.count("operator_sessions") == 0


@pytest.mark.parametrize(
    ("email", "password"),
    [("", PASSWORD), ("ann@acme.example", ""), ("a\0b", PASSWORD), ("a" * 255, PASSWORD)],
)
def test_a_form_that_cannot_be_right_is_told_which_field(
    app: Flask, email: str, password: str
) -> None:
    answer = Browser(app).sign_in(email, password)
    assert answer.status_code == 200
    assert 'aria-invalid="true"' in answer.text


@pytest.mark.usefixtures("no_waits_end")
def test_who_guesses_waits_and_is_told_how_long(app: Flask) -> None:
    add_operator(app)
    browser = Browser(app)
    for _ in range(6):
        assert browser.sign_in("ann@acme.example", "a-wrong-password").status_code == 401
    limited = browser.sign_in("ann@acme.example")
    assert limited.status_code == 429
    assert int(limited.headers["Retry-After"]) >= 1
    assert notes(limited)[0][0] == "error"
    assert browser.get("/").location.startswith(OUT)


def test_a_password_is_kept_from_pages_and_cookies(app: Flask) -> None:
    browser = Browser(app)
    assert "a-wrong-password" not in browser.sign_in("ann@acme.example", "a-wrong-password").text
    secret = "wxo_" + "x" * 43
    again = browser.post("/invitation", invitation=secret, password="short", again="other")
    assert "short" not in re.sub(r"<[^>]*>", "", again.text)
    assert 'value="other"' not in again.text


# Afterwards, to where


@pytest.mark.parametrize(
    "address",
    [
        *("//evil.example", "/\\evil.example", "https://evil.example/console/", "/console/../x"),
        *("/console/%2e%2e/x", "/console\\..\\x", "javascript:alert(1)", "/consolex", "/v1/me"),
        *("/console/.//evil.example", "/console//evil.example", "\t//evil.example", "console/"),
        *("/console/?x=\r\nX-Evil: 1", "/console/?\\", "http:/console/", "/console/;x"),
    ],
)
def test_a_link_leads_out_of_the_console(app: Flask, address: str) -> None:
    add_operator(app)
    browser = Browser(app)
    token = browser.token("/sign-in")
    form = {"csrf_token": token, "email": "ann@acme.example", "password": PASSWORD}
    entered = browser.open("/sign-in", "POST", data=form, query_string={"next": address})
    assert entered.location == "/console/"
    spoken = browser.post("/language", language="en", next=address)
    assert spoken.location == "/console/"


def test_who_was_on_the_way_to_a_page_gets_there(app: Flask) -> None:
    add_operator(app)
    browser = Browser(app)
    out = browser.get("/audit/?flt_action=user.erased&page=2").location
    entered = browser.post(
        out.removeprefix("/console"), email="ann@acme.example", password=PASSWORD
    )
    assert entered.location == "/console/audit/?flt_action=user.erased&page=2"


# Cookies


def test_the_cookie_is_for_the_console_only(app: Flask) -> None:
    add_operator(app)
    entered = Browser(app).sign_in("ann@acme.example")
    (cookie,) = entered.headers.getlist("Set-Cookie")
    flags = {part.strip() for part in cookie.split(";")[1:]}
    assert flags == {"HttpOnly", "Path=/console", "SameSite=Strict"}
    assert cookie.startswith("wxpass_console=")


def test_in_production_the_cookie_needs_https(config: Config) -> None:
    production = create_app(replace(config, env="production"))
    answer = production.test_client().get("/console/sign-in", base_url="https://wx.example")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"]


def test_a_cookie_from_before_is_no_good_after_signing_in(app: Flask, rows: Reader) -> None:
    """Otherwise whoever planted it is signed in, too."""
    add_operator(app)
    browser = Browser(app)
    browser.get("/sign-in")
    planted = browser.cookie
    browser.sign_in("ann@acme.example")
    first = browser.cookie
    assert planted not in (None, first)
    browser.sign_in("ann@acme.example")
    assert browser.cookie != first
    browser.http.set_cookie("wxpass_console", planted or "", path="/console")
    assert browser.get("/").location.startswith(OUT)
    assert len(set(rows("SELECT token_hash FROM operator_sessions"))) == 2


def test_who_signs_in_again_is_signed_out_of_before(app: Flask) -> None:
    """Otherwise a cookie that was copied lives on, and no button ends it."""
    browser = signed_in(app)
    copied = browser.cookie
    assert browser.sign_in("ann@acme.example").status_code == 302
    assert browser.get("/").status_code == 200
    browser.http.set_cookie("wxpass_console", copied or "", path="/console")
    assert browser.get("/").location.startswith(OUT)


def test_a_forms_token_is_of_one_session(app: Flask, rows: Reader) -> None:
    """Otherwise whoever had the browser before, or has one of their own, presses its buttons."""
    add_operator(app)
    browser, other = Browser(app), signed_in(app, "abe@acme.example")
    before = browser.token("/sign-in")
    browser.sign_in("ann@acme.example")
    for token in (before, other.token("/mine/")):
        answer = browser.post_bare("/users/enter", csrf_token=token, account="mallory")
        assert answer.status_code == 400
        assert "page_outdated" in answer.text
    assert rows.count("users") == 0


def test_a_cookie_is_made_up(app: Flask) -> None:
    browser = signed_in(app)
    body, _, signature = (browser.cookie or "").rpartition(".")
    for forged in ("x", f"{body}.{signature[::-1]}", ""):
        browser.http.set_cookie("wxpass_console", forged, path="/console")
        assert browser.get("/").location.startswith(OUT)


# Out


def test_signing_out_ends_the_session_in_the_database_too(app: Flask, rows: Reader) -> None:
    browser = signed_in(app)
    kept = browser.cookie
    assert browser.post("/sign-out", page="/mine/").location == OUT
    assert rows("SELECT end_reason FROM operator_sessions") == [("signed_out",)]
    browser.http.set_cookie("wxpass_console", kept or "", path="/console")
    assert browser.get("/").location.startswith(OUT)


@pytest.mark.parametrize(
    ("minutes", "steps", "is_in"),
    [(29, 1, True), (31, 1, False), (29, 24, True), (29, 25, False)],
    ids=["busy", "idle", "twelve_hours", "longer"],
)
def test_a_session_lasts_too_long(
    app: Flask, monkeypatch: pytest.MonkeyPatch, minutes: int, steps: int, is_in: bool
) -> None:
    browser = signed_in(app)
    moment = operator_sessions.now()
    for step in range(1, steps + 1):
        later = moment + timedelta(minutes=minutes * step)
        monkeypatch.setattr(operator_sessions, "now", lambda later=later: later)
        answer = browser.get("/mine/")
    assert (answer.status_code == 200) is is_in
    assert (timedelta(minutes=30), timedelta(hours=12)) == (IDLE_LIFETIME, CONSOLE_LIFETIME)
    if not is_in:
        told = notes(browser.get("/sign-in"))
        assert told == [("error", "You were signed out after a while. Please sign in again.")]


def test_who_is_switched_off_stays_in(app: Flask, rows: Reader) -> None:
    browser = signed_in(app)
    rows("UPDATE operators SET status = 'disabled'")
    assert browser.get("/").location.startswith(OUT)
    rows("UPDATE operators SET status = 'active'")
    assert Browser(app).sign_in("ann@acme.example").status_code == 302
    rows("UPDATE tenants SET status = 'disabled'")
    assert browser.get("/").location.startswith(OUT)


# Invitations


def test_an_invitation_is_good_once(app: Flask, rows: Reader) -> None:
    secret = invite(app, "ann@acme.example", "tenant_admin", "acme")
    form = {"invitation": secret, "password": PASSWORD, "again": PASSWORD}
    taken = Browser(app).post("/invitation", **form)
    assert taken.location == OUT
    again = Browser(app).post("/invitation", **form | {"password": "x" * 12, "again": "x" * 12})
    assert again.status_code == 404
    assert notes(again)[0][0] == "error"
    assert Browser(app).sign_in("ann@acme.example").location == "/console/"


def test_an_invitation_is_good_for_ever(app: Flask, rows: Reader) -> None:
    secret = invite(app, "ann@acme.example", "tenant_admin", "acme")
    assert timedelta(days=3) == INVITATION_LIFETIME
    rows("UPDATE operators SET invitation_expires_at = now()")
    form = {"invitation": secret, "password": PASSWORD, "again": PASSWORD}
    assert Browser(app).post("/invitation", **form).status_code == 404


@pytest.mark.parametrize(
    ("password", "again"), [("eleven-char", "eleven-char"), (PASSWORD, "another-password")]
)
def test_a_password_is_weak_or_mistyped(app: Flask, password: str, again: str) -> None:
    secret = invite(app, "ann@acme.example", "tenant_admin", "acme")
    refused = Browser(app).post("/invitation", invitation=secret, password=password, again=again)
    assert 'aria-invalid="true"' in refused.text
    taken = Browser(app).post("/invitation", invitation=secret, password=PASSWORD, again=PASSWORD)
    assert taken.status_code == 302


# One-time codes


class Phone:
    """An authenticator app, and the clock that both go by."""

    def __init__(self, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
        self.browser, self.monkeypatch, self.ahead = browser, monkeypatch, 0
        page = browser.post("/mine/prepare", page="/mine/").text
        uri = re.search(r"<code>(otpauth://[^<]+)</code>", page)
        assert uri
        with browser.app.app_context():
            self.operator_id = find_operator_id("ann@acme.example")
        self.totp = pyotp.parse_uri(uri.group(1).replace("&amp;", "&"))
        self.began = operator_sign_in.now()

    def code(self) -> str:
        """Wait for the next code, and read it."""
        self.ahead += 30
        moment = self.began + timedelta(seconds=self.ahead)
        self.monkeypatch.setattr(one_time_codes, "now", lambda: moment)
        return self.totp.at(moment)

    def wrong_codes(self, how_many: int = 1) -> list[str]:
        """Give codes that the app shows at no moment of a test."""
        steps = range(-300, 300, 30)
        right = {self.totp.at(self.began + timedelta(seconds=self.ahead + one)) for one in steps}
        numbers = (f"{number:06}" for number in range(how_many + len(right)))
        return [one for one in numbers if one not in right][:how_many]


@pytest.fixture
def phone(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Phone:
    """A phone with which codes were switched on."""
    phone = Phone(signed_in(app), monkeypatch)
    (wrong,) = phone.wrong_codes()
    assert phone.browser.post("/mine/codes-on", code=wrong).status_code == 200
    assert phone.browser.post("/mine/codes-on", code=phone.code()).location == "/console/mine/"
    return phone


def test_a_password_alone_opens_nothing_where_codes_are_asked_for(app: Flask, phone: Phone) -> None:
    browser = Browser(app)
    entered = browser.sign_in("ann@acme.example", to="?next=/console/audit/")
    assert entered.location == "/console/code?next=/console/audit/"
    before = browser.cookie
    (code,) = phone.wrong_codes()
    wrong = browser.post("/code?next=/console/audit/", code=code)
    assert (wrong.status_code, notes(wrong)[0][0]) == (401, "error")
    entered = browser.post("/code?next=/console/audit/", code=phone.code())
    assert entered.location == "/console/audit/"
    assert browser.cookie != before
    assert browser.get("/").status_code == 200


def test_somebody_goes_past_the_code(app: Flask, phone: Phone) -> None:
    browser = Browser(app)
    browser.sign_in("ann@acme.example")
    assert browser.get("/").location.startswith(OUT)


def test_a_code_is_good_twice(app: Flask, phone: Phone) -> None:
    code = phone.code()
    first, second = Browser(app), Browser(app, "192.0.2.2")
    first.sign_in("ann@acme.example")
    second.sign_in("ann@acme.example")
    assert first.post("/code", code=code).location == "/console/"
    assert second.post("/code", code=code).status_code == 401


@pytest.mark.usefixtures("no_waits_end")
def test_codes_are_guessed(app: Flask, phone: Phone) -> None:
    browser = Browser(app)
    browser.sign_in("ann@acme.example")
    answers = [browser.post("/code", code=code) for code in phone.wrong_codes(8)]
    assert {answer.status_code for answer in answers} == {401, 429}
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_codes_are_guessed_from_everywhere(
    app: Flask, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise who has the password, and many addresses, needs some weeks for the code."""
    began, tries = password_tries.now(), 0
    for minute in range(24 * 60):
        moment = began + timedelta(minutes=minute)
        monkeypatch.setattr(password_tries, "now", lambda moment=moment: moment)
        device = Device("guesser", f"198.51.{minute // 200}.{minute % 200}")
        with app.app_context(), suppress(TooManyTries):
            one_time_codes.count_code(phone.operator_id, device)
            tries += 1
    assert 20 < tries < 150


def test_a_code_without_a_password_before_it(app: Flask, phone: Phone) -> None:
    answer = Browser(app).post("/code", code=phone.code())
    assert (answer.status_code, notes(answer)) == (401, [("error", "Please sign in first.")])


def test_codes_are_switched_off_with_one_only(app: Flask, phone: Phone) -> None:
    (code,) = phone.wrong_codes()
    wrong = phone.browser.post("/mine/codes-off", code=code)
    assert notes(wrong)[0][0] == "error"
    assert phone.browser.post("/mine/codes-off", code=phone.code()).status_code == 302
    assert Browser(app).sign_in("ann@acme.example").location == "/console/"
