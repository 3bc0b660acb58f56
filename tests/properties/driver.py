"""Requests that people send from mini-programs in the property tests."""

from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.fixtures.personas import App, Client, Person, WeChat


class Driver:
    """Sends the requests of people who use mini-programs on several devices."""

    def __init__(self, app: Flask, wechat: WeChat) -> None:
        self.wechat, self.client = wechat, Client(app)
        self.people: dict[str, Person] = {}

    def person(self, name: str, phone: str | None = None) -> Person:
        """Return the person with a name, and change the phone number if one is given."""
        known = self.people.get(name)
        if known is None or phone not in (None, known.phone):
            known = self.people[name] = Person(self.wechat, name, phone or "13800138000")
        return known

    def wx_login(self, name: str, app: App, unionid: bool) -> str:
        """Return a login code. WeChat returns the unionid for the code only if `unionid` is set."""
        if not unionid:
            self.wechat.fault("no_unionid", times=1)
        return self.person(name).wx_login(app)

    def tap_phone(self, name: str, phone: str, app: App, old_way: bool) -> dict[str, str]:
        """Return the data of the phone button. `old_way` selects encryptedData, not a code."""
        person = self.person(name, phone)
        return person.tap_phone_old(app) if old_way else person.tap_phone_new(app)

    def post(
        self, app: App, what: str, token: str | None = None, device: str = "phone", **body: Any
    ) -> TestResponse:
        """Send a POST request to an endpoint of an app. `device` is the User-Agent."""
        path, headers = f"/v1/apps/{app.appid}/{what}", {"User-Agent": device}
        return self.client.send("POST", path, token, json=body, headers=headers)
