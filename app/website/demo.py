"""The demo of `make run`, as the website explains it."""

from dataclasses import dataclass
from typing import cast
from urllib.parse import urljoin

from flask import current_app, request

from config.development.addresses import is_local
from config.development.demo import PEOPLE, TENANTS


@dataclass(frozen=True)
class Demo:
    """The demo phone, and the person and the mini-program of the example."""

    phone: str
    person: str
    appid: str
    app_name: str
    tenant_name: str

    @property
    def wx_login(self) -> str:
        """The command with which the simulator gives a login code."""
        return self._command("login")

    @property
    def tap_phone(self) -> str:
        """The command with which the simulator gives a phone code."""
        return self._command("phone")

    def _command(self, action: str) -> str:
        url = urljoin(self.phone, f"/_simulator/{action}")
        return f"""curl -d '{{"person":"{self.person}","appid":"{self.appid}"}}' {url}"""


def find_demo() -> Demo | None:
    """Return the demo, or None if it is not served, or if the browser runs on another machine.

    The simulator accepts requests from this machine only.
    """
    phone = cast(str | None, current_app.config["DEMO_PHONE_URL"])
    if phone is None or not is_local(request.host_url):
        return None
    tenant = TENANTS[0]
    app = tenant.apps[0]
    return Demo(phone, PEOPLE[0].name, app.appid, app.name, tenant.name)
