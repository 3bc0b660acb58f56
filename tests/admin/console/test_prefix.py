"""The console below a path prefix and over HTTPS."""

import re
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.admin.console.browser import PASSWORD, Browser, add_operator
from tests.admin.console.test_pages import path_of, rules
from tests.fixtures.personas import ACME_SHOP

MOUNT = "/auth"
OWN_ADDRESS = re.compile(r'(?:href|action|src)="(/[^"]*)"')


class PrefixedBrowser(Browser):
    """A browser that reaches the service at https://wx.example/auth."""

    def open(self, path: str, method: str = "GET", **how: Any) -> TestResponse:
        self.headers["Referer"] = f"https://wx.example{MOUNT}/console/"
        path = path.removeprefix(MOUNT)
        return super().open(path, method, base_url=f"https://wx.example{MOUNT}/", **how)


@pytest.fixture
def browser(app: Flask) -> PrefixedBrowser:
    """Return a prefixed browser in which a platform admin is signed in."""
    browser = PrefixedBrowser(app)
    entered = browser.sign_in(add_operator(app, "root@wxpass.example", "platform"))
    assert entered.location == "/auth/console/"
    return browser


def test_every_link_form_and_asset_url_has_the_path_prefix(
    app: Flask, browser: PrefixedBrowser
) -> None:
    seen = 0
    for rule in rules(app, "GET"):
        answer = browser.get(path_of(rule).replace("nobody", ACME_SHOP.appid))
        if answer.location:
            assert answer.location.startswith(f"{MOUNT}/console/"), rule.rule
        for address in OWN_ADDRESS.findall(answer.text):
            assert address.startswith(f"{MOUNT}/console/"), (rule.rule, address)
            seen += 1
    assert seen > 200


def test_urls_to_copy_to_wechat_mini_program_and_mail_have_host_and_path_prefix(
    browser: PrefixedBrowser,
) -> None:
    page = browser.read(f"/apps/{ACME_SHOP.appid}/show")
    assert f"https://wx.example/auth/wx/portal/{ACME_SHOP.appid}" in page
    assert 'const ROOT = "https://wx.example/auth"' in page
    form = {"email": "ann@acme.example", "role": "tenant_admin", "tenant": "acme"}
    invited = browser.post("/operators/invite", **form).text
    assert "https://wx.example/auth/console/invitation#" in invited


def test_sign_in_redirects_to_the_requested_page_below_the_path_prefix(
    app: Flask, browser: PrefixedBrowser
) -> None:
    other_browser = PrefixedBrowser(app)
    out = other_browser.get("/users/?name=x").location
    assert out == "/auth/console/sign-in?next=/console/t/acme/users/?name%3Dx"
    entered = other_browser.post(out, email="root@wxpass.example", password=PASSWORD)
    assert entered.location == "/auth/console/t/acme/users/?name=x"


def test_a_request_with_two_session_cookies_is_rejected(
    app: Flask, browser: PrefixedBrowser
) -> None:
    """Another host of the domain can set a second cookie of the same name."""
    name, attacker = "__Secure-wxpass_console", PrefixedBrowser(app)
    attacker.sign_in(add_operator(app, "eve@globex.example", tenant="globex"))
    planted, own = (
        user.http.get_cookie(name, "wx.example", "/auth") for user in (attacker, browser)
    )
    assert planted
    assert own
    for first, second in ((planted, own), (own, planted)):
        cookie = f"{name}={first.value}; {name}={second.value}"
        answer = app.test_client(use_cookies=False).get(
            "/console/account/",
            base_url=f"https://wx.example{MOUNT}/",
            headers={"Cookie": cookie},
        )
        assert (answer.status_code, "cookies_ambiguous" in answer.text) == (400, True)
        assert "eve@globex.example" not in answer.text
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("login.example", 200),
        ("LOGIN.Example", 200),
        ("x.example.cn", 200),
        ("evil.example", 400),
        ("example.cn", 200),
    ],
)
def test_the_console_is_available_under_allowed_host_names_only(
    app: Flask, monkeypatch: pytest.MonkeyPatch, host: str, status: int
) -> None:
    """Otherwise a request with a forged Host header would get links to that host."""
    monkeypatch.setitem(app.config, "ALLOWED_HOSTS", ("login.example", ".example.cn"))
    answer = app.test_client().get("/console/sign-in", base_url=f"http://{host}/")
    assert answer.status_code == status
    assert ("host_not_allowed" in answer.text) == (status == 400)
    assert app.test_client().get("/healthz", base_url="http://10.0.0.1/").status_code == 200
