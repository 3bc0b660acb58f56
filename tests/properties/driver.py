"""Requests of people with mini-programs open."""

from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.fixtures.personas import App, Client, Person, WeChat


class Driver:
    """People with mini-programs open, each on one of several devices."""

    def __init__(self, app: Flask, wechat: WeChat) -> None:
        self.wechat, self.client = wechat, Client(app)
        self.people: dict[str, Person] = {}

    def person(self, name: str, phone: str | None = None) -> Person:
        """Return a person by name, with a new phone number if one is given."""
        known = self.people.get(name)
        if known is None or phone not in (None, known.phone):
            known = self.people[name] = Person(self.wechat, name, phone or "13800138000")
        return known

    def wx_login(self, name: str, app: App, unionid: bool) -> str:
        """Return a login code. Without `unionid`, WeChat omits the unionid in its response."""
        if not unionid:
            self.wechat.fault("no_unionid", times=1)
        return self.person(name).wx_login(app)

    def tap_phone(self, name: str, phone: str, app: App, old_way: bool) -> dict[str, str]:
        """Return the data of the phone button."""
        person = self.person(name, phone)
        return person.tap_phone_old(app) if old_way else person.tap_phone_new(app)

    def post(
        self, app: App, what: str, token: str | None = None, device: str = "phone", **body: Any
    ) -> TestResponse:
        """Call an endpoint of an app from a device."""
        path, headers = f"/v1/apps/{app.appid}/{what}", {"User-Agent": device}
        return self.client.send("POST", path, token, json=body, headers=headers)
