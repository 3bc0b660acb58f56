"""Test client that sends the requests of a GitEgg mini-program."""

from typing import Any

from werkzeug.test import TestResponse

from tests.fixtures.personas import ACME_SHOP, App, Client, Person, json_of, wechat_headers


def data(answer: TestResponse) -> Any:
    """Assert that a response is a success in GitEgg's envelope. Return its data."""
    body = json_of(answer)
    assert (answer.status_code, body["code"], body["success"]) == (200, 200, True), answer.text
    assert set(body) == {"code", "msg", "data", "success"}
    return body["data"]


def refused(answer: TestResponse) -> int:
    """Assert that a response is a failure in GitEgg's envelope. Return its code."""
    body = json_of(answer)
    assert answer.status_code == 200, answer.text
    assert (body["success"], body["data"]) == (False, None), answer.text
    assert body["code"] != 200
    assert body["msg"]
    return int(body["code"])


class MiniProgram:
    """A GitEgg mini-program, used by one person in one app."""

    def __init__(self, client: Client, person: Person, app: App = ACME_SHOP) -> None:
        self.client, self.person, self.app = client, person, app
        self.responses: list[str] = []

    def wx(self, what: str, token: str | None = None, **query: str) -> TestResponse:
        """Call /wx/user/<appid>/<what>. A JSON content type is sent even without a body."""
        path = f"/wx/user/{self.app.appid}/{what}"
        label = {"Content-Type": "application/json"}
        return self._ask("GET", path, token, label, query_string=query)

    def login(self) -> TestResponse:
        """Send a new login code."""
        return self.wx("login", code=self.person.wx_login(self.app), appId=self.app.appid)

    def info(self, bind_key: str, **how: Any) -> TestResponse:
        """Send the signed and encrypted user info."""
        return self.wx("info", socialKey=bind_key, **self.person.tap_user_info(self.app, **how))

    def phone(self, bind_key: str, **how: Any) -> TestResponse:
        """Send the encrypted phone number of the old button."""
        return self.wx("phone", socialKey=bind_key, **self.person.tap_phone_old(self.app, **how))

    def grant(self, grant_type: str, **fields: Any) -> TestResponse:
        """Request tokens from /oauth/token."""
        headers = fields.pop("headers", {})
        body = {"grant_type": grant_type, **fields}
        return self._ask("POST", "/oauth/token", None, headers, json=body)

    def password(self, password: str, account: str = "alice") -> TestResponse:
        """Log in with account and password."""
        return self.grant("password", username=account, password=password, appid=self.app.appid)

    def user(self, token: str | None) -> TestResponse:
        """Request the profile of the logged-in user."""
        return self._ask("GET", "/system/account/user/info", token)

    def logout(self, token: str | None, **body: str) -> TestResponse:
        """Log out."""
        return self._ask("POST", "/oauth/logout", token, json=body)

    def bind_key(self) -> str:
        """Send a new login code, and return the bindKey."""
        return str(data(self.login())["bindKey"])

    def bound(self) -> dict[str, Any]:
        """Log in with a phone number, and return the tokens."""
        key = self.bind_key()
        data(self.phone(key))
        return dict(data(self.grant("social", social_key=key)))

    def _ask(
        self,
        method: str,
        path: str,
        token: str | None,
        headers: dict[str, str] | None = None,
        **how: Any,
    ) -> TestResponse:
        all_headers = wechat_headers(self.app) | (headers or {})
        answer = self.client.send(method, path, token, headers=all_headers, **how)
        self.responses.append(f"{answer.headers}{answer.text}")
        return answer
