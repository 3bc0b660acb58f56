"""A client of a running service: mini-programs and scripts of operators."""

from dataclasses import dataclass, field
from typing import Any

import requests

from tests.fixtures.operators import PASSWORD
from tests.fixtures.personas import ACME_SHOP, Person, WeChat


@dataclass
class Phone:
    """Sends requests to a service, and controls the WeChat simulator that it uses."""

    url: str
    wechat: WeChat
    http: requests.Session = field(default_factory=requests.Session)

    def send(self, method: str, path: str, token: str = "", **body: Any) -> requests.Response:
        """Send a request with a JSON body and a token, if there are any."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.http.request(
            method, self.url + path, json=body or None, headers=headers, timeout=20
        )

    def post(self, what: str, token: str = "", **body: Any) -> requests.Response:
        """Send a POST request to the mini-program's part of the API."""
        return self.send("POST", f"/v1/apps/{ACME_SHOP.appid}/{what}", token, **body)

    def me(self, token: str) -> requests.Response:
        """Request /v1/me."""
        return self.send("GET", "/v1/me", token)

    def log_in(self, person: Person, **more: str) -> dict[str, Any]:
        """Log a person in with a new code."""
        return _body(self.post("login", code=person.wx_login(), **more))

    def bind(self, person: Person) -> dict[str, Any]:
        """Log a person in and bind the phone number. Return the new login."""
        token = self.log_in(person)["token"]
        return _body(self.post("phone", token, **person.tap_phone_new()))

    def refresh(self, login: dict[str, Any]) -> requests.Response:
        """Exchange the refresh token of a login."""
        return self.post("refresh", refresh_token=login["refresh_token"])

    def sign_in(self, email: str) -> dict[str, Any]:
        """Sign an operator in at the admin API."""
        body = {"email": email, "password": PASSWORD}
        return _body(self.send("POST", "/v1/admin/sign-in", **body))


def code_of(response: requests.Response) -> tuple[int, str]:
    """Return status and error code of a refused request."""
    return response.status_code, response.json().get("code", response.text)


def _body(response: requests.Response) -> dict[str, Any]:
    assert response.ok, response.text
    body: dict[str, Any] = response.json()
    return body
