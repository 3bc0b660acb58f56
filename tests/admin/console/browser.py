"""Test client for the console, with cookies and CSRF tokens like a browser."""

import html
import re
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.services import audit
from app.services.operators.operators import invite_operator
from tests.fixtures.passwords import GOOD_PASSWORD

PASSWORD = GOOD_PASSWORD
ROOT = "/console"
# First path segments of pages below /console/t/<slug>/. Other pages belong to no tenant.
TENANT_PAGES = ("", "failures", "apps", "users", "people", "sessions", "alerts", "audit", "search")
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
MESSAGE = re.compile(r'<div class="toast-note ?([a-z]*)"[^>]*>.*?<span>(.*?)</span>', re.DOTALL)


class Browser:
    """A test client of one operator, who opens the pages of one tenant."""

    def __init__(
        self, app: Flask, ip: str = "192.0.2.1", language: str = "en", tenant: str = "acme"
    ) -> None:
        self.app, self.http, self.tenant = app, app.test_client(), tenant
        self.environ = {"REMOTE_ADDR": ip}
        self.headers = {"Accept-Language": language, "User-Agent": "Firefox"}

    def open(self, path: str, method: str = "GET", **how: Any) -> TestResponse:
        """Send a request to a page of the console without following redirects."""
        path = path if path.startswith(ROOT) else self.address(path)
        how = {"environ_overrides": self.environ, "headers": self.headers} | how
        return self.http.open(path, method=method, **how)

    def address(self, path: str) -> str:
        """Return the path of a page with /console, and with the slug for pages of a tenant."""
        of_tenant = re.split("[/?]", path)[1] in TENANT_PAGES
        return f"{ROOT}/t/{self.tenant}{path}" if of_tenant else f"{ROOT}{path}"

    def get(self, path: str, **query: str) -> TestResponse:
        """Send a GET request for a page and return the response."""
        how: dict[str, Any] = {"query_string": query} if query else {}
        return self.open(path, **how)

    def read(self, path: str, **query: str) -> str:
        """Return the HTML of a page with decoded entities. Fail if the status is not 200."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return html.unescape(answer.text)

    def press(self, path: str, **form: Any) -> str:
        """Submit a form and return the HTML of the page of the redirect. Fail without redirect."""
        answer = self.post(path, **form)
        assert answer.status_code == 302, (path, answer.status_code, answer.text)
        return self.read(self.follow(answer.location))

    def follow(self, location: str) -> str:
        """Return the location of a redirect. /console/ is resolved to its own redirect."""
        while location in (f"{ROOT}/",):
            location = self.get(location).location
        return location

    def post(self, path: str, page: str | None = None, **form: Any) -> TestResponse:
        """Submit a form with the CSRF token of a page, and return the response."""
        token = self.token(page)
        return self.post_bare(path, csrf_token=token, **form)

    def post_bare(self, path: str, **form: Any) -> TestResponse:
        """Submit a form without adding a CSRF token."""
        return self.open(path, "POST", data=form)

    def token(self, page: str | None = None) -> str:
        """Return the CSRF token in a page, by default the account page or the sign-in page."""
        answer = self.get(page or "/account/")
        if page is None and answer.status_code == 302:
            answer = self.get("/sign-in")
        found = TOKEN.search(answer.text)
        assert found, (answer.status_code, answer.text)
        return found.group(1)

    def sign_in(self, email: str, password: str = PASSWORD, to: str = "") -> TestResponse:
        """Submit the sign-in form. `to` is an additional query string."""
        return self.post(f"/sign-in{to}", email=email, password=password)

    @property
    def cookie(self) -> str | None:
        """The value of the session cookie, or None."""
        cookie = self.http.get_cookie("wxpass_console")
        return cookie.value if cookie else None


def invite(app: Flask, email: str, role: str, tenant: str | None) -> str:
    """Invite an operator with the service of the command. Return the invitation secret."""
    with app.app_context():
        return invite_operator(audit.OPERATOR, email, role, tenant)


def add_operator(
    app: Flask, email: str = "ann@acme.example", role: str = "tenant_admin", tenant: str = "acme"
) -> str:
    """Invite an operator and accept the invitation. Return the e-mail address."""
    invitation = invite(app, email, role, tenant if role != "platform" else None)
    acceptance = {"invitation": invitation, "password": PASSWORD, "again": PASSWORD}
    assert Browser(app).post("/invitation", **acceptance).status_code == 302
    return email


def signed_in(
    app: Flask, email: str = "ann@acme.example", role: str = "tenant_admin", tenant: str = "acme"
) -> Browser:
    """Add an operator and return a browser in which the operator is signed in."""
    browser = Browser(app, tenant=tenant)
    entered = browser.sign_in(add_operator(app, email, role, tenant))
    assert (entered.status_code, entered.location) == (302, "/console/")
    return browser


class TenantConsole(Browser):
    """A browser in which a newly added operator of a tenant is signed in."""

    def __init__(
        self,
        app: Flask,
        tenant: str = "acme",
        role: str = "tenant_admin",
        language: str = "en",
    ) -> None:
        super().__init__(app, language=language, tenant=tenant)
        self.email = add_operator(app, f"{role}@{tenant}.example", role, tenant)
        assert self.sign_in(self.email).status_code == 302


def notes(answer: TestResponse) -> list[tuple[str, str]]:
    """Return category and text of each message at the top of a page."""
    return [(kind, text.strip()) for kind, text in MESSAGE.findall(answer.text)]
