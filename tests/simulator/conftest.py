"""A simulator of WeChat with two apps and two people."""

from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.simulator import create_simulator

ACME = "wx00000000000000ac"
GLOBEX = "wx0000000000000910"
SECRETS = {ACME: "acme secret", GLOBEX: "globex secret"}


@dataclass
class Simulator:
    """A client of the simulator: its control API and its WeChat API."""

    http: FlaskClient

    def control(self, path: str, /, **body: Any) -> dict[str, Any]:
        """Send a control request, check that it succeeds, and return the body."""
        response = self.http.post(f"/_simulator{path}", json=body)
        assert response.status_code == 200, response.text
        return response.get_json()

    def login_code(self, person: str = "alice", appid: str = ACME) -> str:
        """Return a new login code."""
        return self.control("/login", person=person, appid=appid)["code"]

    def send_exchange(self, code: str, appid: str = ACME, **changes: str) -> TestResponse:
        """Exchange a login code by code2Session. Return the response."""
        query = {"appid": appid, "secret": SECRETS.get(appid, "?"), "js_code": code}
        query |= {"grant_type": "authorization_code", **changes}
        return self.http.get("/sns/jscode2session", query_string=query)

    def exchange(self, code: str, appid: str = ACME, **changes: str) -> dict[str, Any]:
        """Exchange a login code by code2Session. Return the body of the response."""
        return self.send_exchange(code, appid, **changes).get_json(force=True)

    def log_in(self, person: str = "alice", appid: str = ACME) -> dict[str, Any]:
        """Log a person in. Return the body with openid and session_key."""
        return self.exchange(self.login_code(person, appid), appid)

    def stable_token(self, appid: str = ACME, **changes: Any) -> dict[str, Any]:
        """Request the stable access token. Return the body."""
        body = {"grant_type": "client_credential", "appid": appid, "secret": SECRETS[appid]}
        return self.http.post("/cgi-bin/stable_token", json={**body, **changes}).get_json()

    def legacy_token(self, appid: str = ACME, **changes: str) -> dict[str, Any]:
        """Request a legacy access token. Return the body."""
        query = {"grant_type": "client_credential", "appid": appid, "secret": SECRETS[appid]}
        return self.http.get("/cgi-bin/token", query_string={**query, **changes}).get_json()

    def phone_number(self, token: str, **body: Any) -> dict[str, Any]:
        """Exchange a phone code with an access token. Return the body."""
        return self.http.post(
            "/wxa/business/getuserphonenumber", query_string={"access_token": token}, json=body
        ).get_json()


@pytest.fixture
def simulator() -> Simulator:
    """A simulator with two apps of one Open Platform account, and two people."""
    simulator = Simulator(create_simulator({}).test_client())
    for appid, secret in SECRETS.items():
        simulator.control("/apps", appid=appid, secret=secret, open_platform="group")
    simulator.control("/people", name="alice", phone="13800138000", nickname="爱丽丝")
    simulator.control("/people", name="bob", phone="4155550100", country_code="1")
    return simulator
