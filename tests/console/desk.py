"""An operator's browser at the console: invited, signed in, with the page's own CSRF token."""

import html
import re
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.services.audit import OPERATOR
from app.services.operators import invite_operator

CSRF = re.compile(
    r'name="csrf_token" value="([^"]+)"|name="csrf_token" type="hidden" value="([^"]+)"'
)
PASSWORD = "an operator's password"


class Desk:
    """A browser in which one operator is signed in to the console."""

    def __init__(
        self,
        app: Flask,
        tenant: str | None = "acme",
        role: str = "tenant_admin",
        language: str = "en",
    ) -> None:
        self.http = app.test_client()
        self.language = language
        self.email = f"{role}@{tenant}.example"
        with app.app_context():
            invitation = invite_operator(OPERATOR, self.email, role, tenant)
        chosen = {"invitation": invitation, "password": PASSWORD, "again": PASSWORD}
        assert self.post("/invitation", **chosen).status_code == 302
        entered = self.post("/sign-in", email=self.email, password=PASSWORD)
        assert entered.status_code == 302, entered.text

    def get(self, path: str, **query: str) -> TestResponse:
        """Open a page."""
        headers = {"Accept-Language": self.language}
        path, _, rest = path.partition("?")
        return self.http.get(f"/console{path}", query_string=query or rest, headers=headers)

    def read(self, path: str, **query: str) -> str:
        """Read a page that there is, as people see its characters."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return html.unescape(answer.text)

    def token(self) -> str:
        """Read the CSRF token of a page."""
        page = self.http.get("/console/sign-in").text
        found = CSRF.search(page)
        assert found, page
        return found.group(1) or found.group(2)

    def post(self, path: str, **fields: Any) -> TestResponse:
        """Press a button, with the token of a page."""
        return self.post_bare(path, csrf_token=self.token(), **fields)

    def post_bare(self, path: str, **fields: Any) -> TestResponse:
        """Send a form just so."""
        headers = {"Accept-Language": self.language}
        return self.http.post(f"/console{path}", data=fields, headers=headers)

    def press(self, path: str, **fields: Any) -> str:
        """Press a button that works, and read the page that follows."""
        answer = self.post(path, **fields)
        assert answer.status_code == 302, (path, answer.status_code, answer.text)
        return self.read(answer.location.removeprefix("/console"))
