"""Drafts of forms that are submitted after the session has expired."""

from datetime import timedelta

import pytest
from flask import Flask

from app.admin.console.forms import drafts
from tests.admin.console.browser import PASSWORD, Browser, add_operator, signed_in
from tests.fixtures.operators import code_of, enable_one_time_codes
from tests.fixtures.personas import Reader
from tests.fixtures.user_files import csv_of

ENTERED = {
    "account": "carol",
    "phone": "13800138003",
    "nickname": "王小明🙂",
    "password": "correct-battery",
}


def expire_sessions(rows: Reader) -> None:
    """Move the last use of every session 31 minutes into the past, so that it expires."""
    rows("UPDATE operator_sessions SET seen_at = now() - interval '31 minutes'")


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Return a browser in which an operator is signed in."""
    return signed_in(app)


def submit_late(browser: Browser, rows: Reader, path: str, **form: str) -> str:
    """Expire the session, submit a form, and return the location of the redirect."""
    token = browser.token()
    expire_sessions(rows)
    answer = browser.post_bare(path, csrf_token=token, **form)
    assert answer.status_code == 302
    return str(answer.location)


def test_a_form_sent_after_expiry_is_shown_again_with_its_values_and_not_saved(
    browser: Browser, rows: Reader
) -> None:
    to = submit_late(browser, rows, "/users/enter", **ENTERED)
    assert to == "/console/sign-in?next=/console/t/acme/users/enter"
    entered = browser.post(to, email="ann@acme.example", password=PASSWORD)
    assert entered.location == "/console/t/acme/users/enter"
    page = browser.read("/users/enter")
    for value in ("carol", "13800138003", "王小明🙂"):
        assert f'value="{value}"' in page
    assert ENTERED["password"] not in page
    assert "The form was not sent yet. Check it and send it again." in page
    assert rows.count("users") == 0
    assert 'value="carol"' not in browser.read("/users/enter"), "the form is shown once"
    assert browser.post("/users/enter", **ENTERED).status_code == 302


def test_a_form_sent_after_expiry_is_shown_again_after_a_sign_in_with_one_time_code(
    app: Flask, browser: Browser, rows: Reader
) -> None:
    totp = enable_one_time_codes(app, "ann@acme.example")
    browser.sign_in("ann@acme.example")
    assert browser.post("/code", code=code_of(totp)).location == "/console/"
    to = submit_late(browser, rows, "/users/enter", **ENTERED)
    to = browser.post(to, email="ann@acme.example", password=PASSWORD).location
    assert to.startswith("/console/code?next=")
    assert browser.post(to, code=code_of(totp, 1)).location == "/console/t/acme/users/enter"
    assert 'value="carol"' in browser.read("/users/enter")


def test_the_draft_of_a_form_in_the_cookie_is_encrypted_and_has_no_password(
    browser: Browser, rows: Reader
) -> None:
    submit_late(browser, rows, "/users/enter", **ENTERED)
    with browser.http.session_transaction("/console/") as session:
        sealed = session["draft"]
    with browser.app.app_context():
        text = drafts.keyring().open(sealed, drafts.PLACE)
    assert "carol" in text
    assert ENTERED["password"] not in text
    assert "carol" not in sealed


def test_a_settings_form_sent_after_expiry_is_shown_again_with_the_selected_options(
    browser: Browser, rows: Reader
) -> None:
    changed = {"name": "Corner", "registration": "closed", "session_limit": "7"}
    path = "/apps/wxaaaa000000000001/change"
    to = submit_late(browser, rows, path, data_format="xml", **changed)
    browser.post(to, email="ann@acme.example", password=PASSWORD)
    page = browser.read(path)
    for text in ('value="Corner"', 'selected value="closed"', 'value="7"', 'selected value="xml"'):
        assert text in page


def test_a_draft_is_deleted_if_another_operator_signs_in(
    app: Flask, browser: Browser, rows: Reader
) -> None:
    add_operator(app, "abe@acme.example")
    to = submit_late(browser, rows, "/users/enter", **ENTERED)
    browser.post(to, email="abe@acme.example", password=PASSWORD)
    assert "carol" not in browser.read("/users/enter")
    browser.post("/sign-out")
    browser.sign_in("ann@acme.example")
    assert "carol" not in browser.read("/users/enter"), "the draft is dropped"


@pytest.mark.parametrize("reason", ["signed_out", "disabled", "reset"])
def test_no_draft_is_kept_if_the_session_was_ended_instead_of_expired(
    browser: Browser, rows: Reader, reason: str
) -> None:
    token = browser.token()
    rows("UPDATE operator_sessions SET ended_at = now(), end_reason = :reason", reason=reason)
    browser.post_bare("/users/enter", csrf_token=token, **ENTERED)
    browser.sign_in("ann@acme.example")
    assert "carol" not in browser.read("/users/enter")


def test_no_draft_is_kept_of_a_form_with_a_wrong_csrf_token(browser: Browser, rows: Reader) -> None:
    browser.token()
    expire_sessions(rows)
    answer = browser.post_bare("/users/enter", csrf_token="forged", **ENTERED)
    assert answer.location.startswith("/console/sign-in?next=")
    browser.sign_in("ann@acme.example")
    assert "carol" not in browser.read("/users/enter")


def test_a_draft_older_than_thirty_minutes_is_deleted(
    browser: Browser, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_late(browser, rows, "/users/enter", **ENTERED)
    browser.sign_in("ann@acme.example")
    later = drafts.now() + timedelta(seconds=drafts.LIFETIME_SECONDS)
    monkeypatch.setattr(drafts, "now", lambda: later)
    browser.read("/users/")
    with browser.http.session_transaction("/console/") as session:
        assert "draft" not in session
    assert "carol" not in browser.read("/users/enter")


def test_no_draft_is_kept_of_a_form_that_is_too_large_for_a_cookie(
    browser: Browser, rows: Reader
) -> None:
    to = submit_late(browser, rows, "/users/enter", **ENTERED | {"nickname": "x" * 5000})
    assert browser.post(to, email="ann@acme.example", password=PASSWORD).status_code == 302
    assert "carol" not in browser.read("/users/enter")


def test_no_draft_is_kept_of_an_uploaded_file(browser: Browser, rows: Reader) -> None:
    token = browser.token()
    expire_sessions(rows)
    large = csv_of(("account",), *((f"guest{number}" * 4,) for number in range(9000)))
    named = 'Content-Disposition: form-data; name="file"; filename="p.csv"'
    field = f'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n'
    body = f"{field}--x\r\n{named}\r\n\r\n".encode() + large + b"\r\n--x--\r\n"
    kind = "multipart/form-data; boundary=x"
    answer = browser.open("/people/preview", "POST", data=body, content_type=kind)
    assert answer.location == "/console/sign-in?next=/console/t/acme/people/preview"
    browser.sign_in("ann@acme.example")
    assert "Check the file" in browser.read("/people/preview")


def test_an_action_sent_after_expiry_is_not_run_after_the_sign_in(
    browser: Browser, rows: Reader
) -> None:
    """The sign-in redirects to the action's confirmation page, or to the overview without one."""
    to = submit_late(browser, rows, "/apps/wxaaaa000000000001/disable")
    assert to.endswith("next=/console/t/acme/apps/wxaaaa000000000001/disable")
    to = submit_late_again(browser, rows, "/apps/wxaaaa000000000001/test")
    assert to.endswith("next=/console/t/acme/")
    assert rows("SELECT enabled FROM wechat_apps WHERE appid = 'wxaaaa000000000001'") == [(True,)]


def submit_late_again(browser: Browser, rows: Reader, path: str) -> str:
    """Sign in again, expire the new session, and submit another form."""
    browser.sign_in("ann@acme.example")
    return submit_late(browser, rows, path)
