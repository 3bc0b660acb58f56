"""What people do with their phones."""

from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.fixtures.personas import App, Client, Person, WeChat


class Driver:
    """People with mini-programs open, on one device or another."""

    def __init__(self, app: Flask, wechat: WeChat) -> None:
        self.wechat, self.client = wechat, Client(app)
        self.people: dict[str, Person] = {}

    def person(self, name: str, phone: str | None = None) -> Person:
        """Be somebody, perhaps with another SIM card than before."""
        known = self.people.get(name)
        if known is None or phone not in (None, known.phone):
            known = self.people[name] = Person(self.wechat, name, phone or "13800138000")
        return known

    def wx_login(self, name: str, app: App, unionid: bool) -> str:
        """Open a mini-program, whose unionid WeChat may not tell this time."""
        if not unionid:
            self.wechat.fault("no_unionid", times=1)
        return self.person(name).wx_login(app)

    def tap_phone(self, name: str, phone: str, app: App, old_way: bool) -> dict[str, str]:
        """Tap the phone button."""
        person = self.person(name, phone)
        return person.tap_phone_old(app) if old_way else person.tap_phone_new(app)

    def post(
        self, app: App, what: str, token: str | None = None, device: str = "phone", **body: Any
    ) -> TestResponse:
        """Call the native interface of a mini-program, from a device."""
        path, headers = f"/v1/apps/{app.appid}/{what}", {"User-Agent": device}
        return self.client.send("POST", path, token, json=body, headers=headers)
