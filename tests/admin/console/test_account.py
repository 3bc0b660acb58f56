"""Console pages of the operator's own account, and step-up."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pyotp
import pytest
from flask import Flask

from app.errors import TooManyTries
from app.services.operators import one_time_codes, sign_in
from app.services.operators.listed_operators import find_operator_id
from app.services.passwords import login_throttling
from app.services.principals import Device
from tests.admin.console.browser import PASSWORD, Browser, add_operator, notes, signed_in
from tests.fixtures.personas import Reader

OUT = "/console/sign-in"
NEW_PASSWORD = "correct-battery-staple-horse"
RECOVERY_CODE = re.compile(r"(?:^|<pre>)([a-z0-9]{5}-[a-z0-9]{5})$", re.MULTILINE)
SPELLINGS: list[Callable[[str], str]] = [
    lambda code: f" {code[:3]} {code[3:]} ",
    lambda code: f"{code[:3]}-{code[3:]}",
    lambda code: "".join(chr(ord(digit) + 0xFEE0) for digit in code),
]


class Authenticator:
    """A simulated authenticator app. It moves the service's clock for each new code."""

    def __init__(self, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
        self.browser, self.monkeypatch, self.ahead = browser, monkeypatch, 0
        self.recovery_codes: list[str] = []
        with browser.app.app_context():
            self.operator_id = find_operator_id("ann@acme.example")
        self.totp = pyotp.TOTP(displayed_key(browser))
        self.began = sign_in.now()

    def code(self) -> str:
        """Move the service's clock by 30 seconds, and return the one-time code of that time."""
        self.ahead += 30
        moment = self.began + timedelta(seconds=self.ahead)
        self.monkeypatch.setattr(one_time_codes, "now", lambda: moment)
        return self.totp.at(moment)


def displayed_key(browser: Browser) -> str:
    """Return the base32 key on the page that enables one-time codes."""
    key = re.search(r"<code>([A-Z2-7]{32})</code>", browser.read("/account/codes"))
    assert key
    return key.group(1)


@pytest.fixture
def authenticator(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Authenticator:
    """Enable one-time codes for an operator, and return the authenticator."""
    authenticator = Authenticator(signed_in(app), monkeypatch)
    wrong = authenticator.browser.post("/account/codes", code="000000")
    assert (wrong.status_code, notes(wrong)[0][0]) == (401, "error")
    page = authenticator.browser.post("/account/codes", code=authenticator.code()).text
    authenticator.recovery_codes = RECOVERY_CODE.findall(page)
    assert len(set(authenticator.recovery_codes)) == 10
    return authenticator


def test_sign_in_requires_a_one_time_code_if_one_time_codes_are_enabled(
    app: Flask, authenticator: Authenticator
) -> None:
    browser = Browser(app)
    entered = browser.sign_in("ann@acme.example", to="?next=/console/audit/")
    assert entered.location == "/console/code?next=/console/audit/"
    before = browser.cookie
    wrong = browser.post("/code?next=/console/audit/", code="000000")
    assert (wrong.status_code, notes(wrong)[0][0]) == (401, "error")
    entered = browser.post("/code?next=/console/audit/", code=authenticator.code())
    assert entered.location == "/console/audit/"
    assert browser.cookie != before
    assert browser.get("/").status_code == 200


def test_before_the_one_time_code_is_entered_every_page_redirects_to_sign_in(
    app: Flask, authenticator: Authenticator
) -> None:
    browser = Browser(app)
    browser.sign_in("ann@acme.example")
    assert browser.get("/").location.startswith(OUT)


def test_a_one_time_code_is_accepted_only_once(app: Flask, authenticator: Authenticator) -> None:
    code = authenticator.code()
    first, second = Browser(app), Browser(app, "192.0.2.2")
    first.sign_in("ann@acme.example")
    second.sign_in("ann@acme.example")
    assert first.post("/code", code=code).location == "/console/"
    assert second.post("/code", code=code).status_code == 401


def test_wrong_one_time_codes_from_one_browser_are_throttled(
    app: Flask, authenticator: Authenticator
) -> None:
    browser = Browser(app)
    browser.sign_in("ann@acme.example")
    answers = [browser.post("/code", code=f"00000{number}") for number in range(8)]
    assert {answer.status_code for answer in answers} == {401, 429}
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_wrong_one_time_codes_from_many_ip_addresses_are_throttled(
    app: Flask, authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attacker with the password and many IP addresses gets fewer than 150 tries a day.

    The attacker sends a code every three minutes. Without throttling, these would be 480 tries.
    """
    began, tries = login_throttling.now(), 0
    for minute in range(0, 24 * 60, 3):
        moment = began + timedelta(minutes=minute)
        monkeypatch.setattr(login_throttling, "now", lambda moment=moment: moment)
        device = Device("guesser", f"198.51.{minute // 200}.{minute % 200}")
        with app.app_context(), suppress(TooManyTries):
            one_time_codes.count_code(authenticator.operator_id, device)
            tries += 1
    assert 20 < tries < 150


def test_a_one_time_code_without_a_password_before_is_rejected(
    app: Flask, authenticator: Authenticator
) -> None:
    answer = Browser(app).post("/code", code=authenticator.code())
    assert (answer.status_code, notes(answer)) == (401, [("error", "Please sign in first.")])


def test_disabling_one_time_codes_requires_a_valid_code(
    app: Flask, authenticator: Authenticator
) -> None:
    wrong = authenticator.browser.post("/account/codes/remove", code="000000")
    assert (wrong.status_code, notes(wrong)[0][0]) == (401, "error")
    removed = authenticator.browser.post("/account/codes/remove", code=authenticator.code())
    assert removed.location == "/console/account/"
    assert Browser(app).sign_in("ann@acme.example").location == "/console/"


@pytest.mark.parametrize("spell", SPELLINGS, ids=["spaces", "hyphens", "full_width"])
def test_one_time_codes_may_contain_spaces_hyphens_and_full_width_digits(
    app: Flask, monkeypatch: pytest.MonkeyPatch, spell: Callable[[str], str]
) -> None:
    authenticator = Authenticator(signed_in(app), monkeypatch)
    assert (
        "One-time codes are enabled."
        in authenticator.browser.post("/account/codes", code=spell(authenticator.code())).text
    )
    browser = Browser(app)
    browser.sign_in("ann@acme.example")
    assert browser.post("/code", code=spell(authenticator.code())).location == "/console/"


def test_the_setup_of_one_time_codes_keeps_its_key_until_it_is_cancelled(app: Flask) -> None:
    browser = signed_in(app)
    key = displayed_key(browser)
    assert browser.post("/account/codes", code="").status_code == 200
    assert browser.post("/account/codes", code="123456").status_code == 401
    assert displayed_key(browser) == key
    assert "Continue the set-up" in browser.read("/account/")
    assert browser.post("/account/codes/cancel").location == "/console/account/"
    assert "Continue the set-up" not in browser.read("/account/")
    assert displayed_key(browser) != key


def test_an_empty_one_time_code_is_marked_as_invalid(app: Flask) -> None:
    page = signed_in(app).post("/account/codes", code=" ").text
    assert 'aria-invalid="true"' in page


def test_a_recovery_code_is_accepted_only_once(app: Flask, authenticator: Authenticator) -> None:
    code = authenticator.recovery_codes[0]
    for expected in ("/console/", None):
        browser = Browser(app)
        browser.sign_in("ann@acme.example")
        assert browser.post("/code", code=code.replace("-", " ").upper()).location == expected
    assert "Unused recovery codes: 9 of 10." in authenticator.browser.read("/account/")


def test_recovery_codes_are_replaced_after_a_confirmation(
    app: Flask, authenticator: Authenticator
) -> None:
    assert "Replace your recovery codes?" in authenticator.browser.read("/account/recovery-codes")
    page = authenticator.browser.post("/account/recovery-codes").text
    fresh = RECOVERY_CODE.findall(page)
    assert len(set(fresh) | set(authenticator.recovery_codes)) == 20
    browser = Browser(app)
    browser.sign_in("ann@acme.example")
    assert browser.post("/code", code=authenticator.recovery_codes[0]).status_code == 401
    assert browser.post("/code", code=fresh[0]).location == "/console/"


# Password and sessions


def test_changing_the_own_password_ends_the_other_sessions(app: Flask) -> None:
    browser, other = signed_in(app), Browser(app)
    other.sign_in("ann@acme.example")
    mistyped = browser.post("/account/password", password=NEW_PASSWORD, again="another")
    assert 'aria-invalid="true"' in mistyped.text
    changed = browser.post("/account/password", password=NEW_PASSWORD, again=NEW_PASSWORD)
    assert changed.location == "/console/account/"
    assert browser.get("/account/").status_code == 200
    assert other.get("/account/").location.startswith(OUT)
    assert Browser(app).sign_in("ann@acme.example", PASSWORD).status_code == 401
    assert Browser(app).sign_in("ann@acme.example", NEW_PASSWORD).status_code == 302


def test_own_sessions_are_listed_and_can_be_ended(app: Flask, rows: Reader) -> None:
    browser, other = signed_in(app), Browser(app, "192.0.2.7")
    other.sign_in("ann@acme.example")
    page = browser.read("/account/")
    assert "192.0.2.7" in page
    assert page.count("this session") == 1
    session = page.split("/account/sessions/")[1].split("/end")[0]
    assert browser.post(f"/account/sessions/{session}/end").location == "/console/account/"
    assert other.get("/account/").location.startswith(OUT)
    other.sign_in("ann@acme.example")
    assert "End your other sessions?" in browser.read("/account/sessions/end")
    assert other.get("/account/").status_code == 200
    browser.post("/account/sessions/end")
    assert other.get("/account/").location.startswith(OUT)


def test_a_session_of_another_operator_cannot_be_ended(app: Flask, rows: Reader) -> None:
    browser, other = signed_in(app), signed_in(app, "abe@acme.example")
    ((other_session,),) = rows(
        "SELECT s.id FROM operator_sessions s JOIN operators o ON o.id = operator_id"
        " WHERE email = 'abe@acme.example'"
    )
    assert browser.post(f"/account/sessions/{other_session}/end").status_code == 404
    assert other.get("/account/").status_code == 200


# Step-up authentication


def expire_step_up(rows: Reader) -> None:
    """Move the last step-up of every session five minutes into the past."""
    rows("UPDATE operator_sessions SET proven_at = proven_at - interval '5 minutes'")


SENSITIVE = (
    "/account/password",
    "/account/codes",
    "/account/codes/remove",
    "/account/recovery-codes",
    "/operators/invite",
    "/operators/{other}/role",
    "/operators/{other}/reset",
    "/operators/{other}/remove-codes",
    "/operators/{other}/disable",
    "/operators/{other}/enable",
    "/apps/wxaaaa000000000001/secrets",
    "/apps/wxaaaa000000000001/secrets/push_token/remove",
    "/apps/wxaaaa000000000001/release",
    "/apps/wxaaaa000000000001/move-here",
    "/people/export",
    "/alerts/channels/add",
)


@pytest.mark.parametrize("path", SENSITIVE)
def test_a_sensitive_page_redirects_to_step_up_five_minutes_after_the_last_one(
    app: Flask, rows: Reader, path: str
) -> None:
    """A stolen cookie is not enough to take over an account."""
    browser = signed_in(app, "root@wxpass.example", "platform")
    browser.tenant = "acme"
    add_operator(app)
    ((other,),) = rows("SELECT id FROM operators WHERE email = 'ann@acme.example'")
    path = browser.address(path.format(other=other))
    token = browser.token()
    expire_step_up(rows)
    before = rows("SELECT * FROM operators ORDER BY id"), rows("SELECT * FROM wechat_apps")
    form = {"csrf_token": token, "password": NEW_PASSWORD, "again": NEW_PASSWORD}
    for answer in (browser.post_bare(path, **form), browser.get(path)):
        assert answer.location == f"/console/account/prove?next={path}"
    after = rows("SELECT * FROM operators ORDER BY id"), rows("SELECT * FROM wechat_apps")
    assert after == before


def test_every_view_that_needs_step_up_is_listed_as_sensitive(app: Flask) -> None:
    marked = {
        rule.rule.rsplit(">", 1)[-1].rsplit("/", 1)[-1]
        for rule in app.url_map.iter_rules()
        if getattr(app.view_functions[rule.endpoint], "needs_step_up", False)
    }
    assert marked == {path.rsplit("/", 1)[-1] for path in SENSITIVE}


def test_the_submitted_form_is_shown_filled_in_after_step_up_but_not_processed(
    app: Flask, rows: Reader
) -> None:
    browser = signed_in(app, "root@wxpass.example", "platform")
    expire_step_up(rows)
    form = {"email": "new@acme.example", "role": "tenant_admin", "tenant": "globex"}
    to = browser.post("/operators/invite", **form).location
    wrong = browser.post(to, password="not-the-password")
    assert (wrong.status_code, notes(wrong)[0][0]) == (401, "error")
    assert browser.get("/operators/invite").status_code == 302
    assert browser.post(to, password=PASSWORD).location == "/console/operators/invite"
    page = browser.read("/operators/invite")
    assert 'value="new@acme.example"' in page
    assert 'selected value="globex"' in page
    assert "The form was not sent yet." in page
    assert rows.count("operators") == 1
    assert "/console/invitation#" in browser.post("/operators/invite", **form).text


def test_step_up_requires_a_one_time_code_if_one_time_codes_are_enabled(
    authenticator: Authenticator, rows: Reader
) -> None:
    expire_step_up(rows)
    to = authenticator.browser.get("/account/password").location
    without = authenticator.browser.post(to, password=PASSWORD)
    assert 'aria-invalid="true"' in without.text
    assert authenticator.browser.post(to, password=PASSWORD, code="000000").status_code == 401
    confirmed = authenticator.browser.post(to, password=PASSWORD, code=authenticator.code())
    assert confirmed.location == "/console/account/password"


def test_step_up_does_not_redirect_out_of_the_console(app: Flask, rows: Reader) -> None:
    browser = signed_in(app)
    confirmed = browser.post("/account/prove?next=//evil.example", password=PASSWORD)
    assert confirmed.location == "/console/"
