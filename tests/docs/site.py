"""The running service: logins of the demo users, and changes of their sessions."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import requests

from config.development import ROOT
from tests.fixtures.personas import App, Person, WeChat

SHOP = App("wxaaaa000000000001", "acme", "")
LIFE = App("wxbbbb000000000001", "globex", "")
PHONES = {"alice": "13800138001", "bob": "13800138002", "carol": "13800138003"}


@dataclass(frozen=True)
class Site:
    """The addresses and secrets of a running service."""

    service: str
    simulator: str
    control: str
    var: Path
    database: str
    pem: str = field(repr=False)

    def log_in(self, name: str, app: App = SHOP) -> str:
        """Log a demo user in, and return the login token."""
        person = Person(WeChat(self.simulator), name, PHONES[name])
        login = self._post(app, "login", code=person.wx_login(app))
        if not login["bound"]:
            tapped = person.tap_phone_new(app)
            login = self._post(app, "phone", str(login["token"]), **tapped)
        return str(login["token"])

    def log_in_unbound(self) -> str:
        """Return the login token of a session without a user."""
        person = Person(WeChat(self.simulator), "visitor", "13800138099")
        return str(self._post(SHOP, "login", code=person.wx_login(SHOP))["token"])

    def jwt(self, token: str, app: App = SHOP) -> str:
        """Exchange a login token for a JWT."""
        return str(self._post(app, "jwt", token)["jwt"])

    def user_of(self, token: str) -> str:
        """Return the user id of a login token, as wxpass knows it."""
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.get(f"{self.service}/v1/verify", headers=headers, timeout=10)
        return answer.headers["X-User-Id"]

    def change(self, action: str, token: str) -> None:
        """Change the session of a token, for example `expire` or `revoke` it."""
        answer = requests.post(f"{self.control}/{action}", json={"token": token}, timeout=20)
        assert answer.status_code == 204

    def environ(self) -> dict[str, str]:
        """Return the environment of a command that uses this service's database."""
        return dict(os.environ) | {
            "WXPASS_VAR": str(self.var),
            "DATABASE_URL": self.database,
            "WECHAT_API_BASE_URL": self.simulator,
        }

    def rotate_signing_key(self) -> None:
        """Create a signing key with `jwt-keys rotate`. It signs now instead of in five minutes."""
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "jwt-keys", "rotate"]
        subprocess.run(command, cwd=ROOT, env=self.environ(), timeout=60, check=True)
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute("UPDATE signing_keys SET signs_from = now() - interval '1 second'")

    def _post(self, app: App, what: str, token: str = "", **body: str) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{self.service}/v1/apps/{app.appid}/{what}"
        answer = requests.post(url, json=body, headers=headers, timeout=20)
        answer.raise_for_status()
        return dict(answer.json())
