"""Requests of clients of each kind: logins, bindings, refreshes, checks, pushes and the console."""

import itertools
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import requests
from flask import Flask

from app.simulator.pushes.wire import Delivery
from tests.fixtures.operators import PASSWORD
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, App, Client, Person, WeChat, enter_user
from tests.fixtures.portal import Portal, address_of, configure, event
from tests.fixtures.servers.gunicorn import Service
from tests.fixtures.traffic import Request

NUMBERS = itertools.count(13600000000)
CSRF = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
PAGES = ("users", "sessions", "audit", "apps")


def new_person(wechat: WeChat) -> Person:
    """Return a new person with a phone number."""
    number = next(NUMBERS)
    return Person(wechat, f"person {number}", str(number))


class Clients:
    """Clients of a service. Each method sends one request, or a few that belong together."""

    def __init__(self, app: Flask, service: Service, wechat: WeChat) -> None:
        self.app, self.url, self.wechat = app, service.url, wechat
        self.known = new_person(wechat)
        Client(app).bind(self.known)
        # Of other persons, because a user may have a limited number of sessions.
        self.token = str(Client(app).bind(new_person(wechat))["token"])
        self.refreshed: dict[requests.Session, str] = {}
        # Several, because the tries with one account are limited.
        accounts = [f"user{number}" for number in range(50)]
        for account in accounts:
            enter_user(app, account=account, password=GOOD_PASSWORD)
        self.accounts = itertools.cycle(accounts)
        configure(app)
        self.portal = Portal(Client(app))
        self.pushes = itertools.count(1_700_000_000)
        self.pages: Iterator[str] = itertools.cycle(PAGES)

    def kinds(self) -> dict[str, Request]:
        """Return all kinds of requests by name."""
        return {
            "login that registers": self.log_in_new,
            "login of a known person": self.log_in_known,
            "password login": self.log_in_with_password,
            "binding by phone": self.bind,
            "refresh": self.refresh,
            "check": partial(self.get, "/v1/verify"),
            "first check": self.check_new_session,
            "me": partial(self.get, "/v1/me"),
            "push": self.push,
            "console page": self.open_page,
        }

    def post(
        self,
        http: requests.Session,
        what: str,
        app: App = ACME_SHOP,
        token: str | None = None,
        **body: Any,
    ) -> requests.Response:
        """Send a request of a mini-program."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{self.url}/v1/apps/{app.appid}/{what}"
        return http.post(url, json=body, headers=headers, timeout=20)

    def get(self, path: str, http: requests.Session, token: str | None = None) -> requests.Response:
        """Send a GET request, on a connection of its own, with a token."""
        token = token or self.token
        headers = {"Authorization": f"Bearer {token}", "Connection": "close"}
        return http.get(f"{self.url}{path}", headers=headers, timeout=20)

    def log_in_new(self, http: requests.Session) -> requests.Response:
        """Log a new person in at an app that registers users at login."""
        code = new_person(self.wechat).wx_login(ACME_CLUB)
        return self.post(http, "login", ACME_CLUB, code=code)

    def log_in_known(self, http: requests.Session) -> requests.Response:
        """Log a person in who has a user."""
        return self.post(http, "login", code=self.known.wx_login())

    def log_in_with_password(self, http: requests.Session) -> requests.Response:
        """Log a user in with account and password."""
        account = next(self.accounts)
        return self.post(http, "password-login", account=account, password=GOOD_PASSWORD)

    def bind(self, http: requests.Session) -> requests.Response:
        """Log a new person in, and bind the phone number."""
        person = new_person(self.wechat)
        login = self.post(http, "login", code=person.wx_login())
        if not login.ok:
            return login
        return self.post(http, "phone", token=login.json()["token"], **person.tap_phone_new())

    def refresh(self, http: requests.Session) -> requests.Response:
        """Exchange the refresh token of this thread, after a login of a new person."""
        if http not in self.refreshed:
            login = self.log_in_new(http)
            if not login.ok:
                return login
            self.refreshed[http] = login.json()["refresh_token"]
        answer = self.post(http, "refresh", ACME_CLUB, refresh_token=self.refreshed[http])
        if answer.ok:
            self.refreshed[http] = answer.json()["refresh_token"]
        return answer

    def check_new_session(self, http: requests.Session) -> requests.Response:
        """Check the token of a new login, which no worker has cached."""
        login = self.log_in_known(http)
        return self.get("/v1/verify", http, login.json()["token"]) if login.ok else login

    def push(self, http: requests.Session) -> requests.Response:
        """Send a push of WeChat."""
        delivery: Delivery = self.portal.write(event("unknown", CreateTime=next(self.pushes)))
        url = f"{self.url}{address_of(ACME_SHOP)}"
        return http.post(url, params=delivery.query, data=delivery.body, timeout=20)

    def open_page(self, http: requests.Session) -> requests.Response:
        """Open a list page of the console."""
        if not http.cookies:
            page = http.get(f"{self.url}/console/sign-in", timeout=20)
            found = CSRF.search(page.text)
            if not found:
                return page
            form = {"email": "ann@acme.example", "password": PASSWORD, "csrf_token": found[1]}
            signed_in = http.post(f"{self.url}/console/sign-in", data=form, timeout=20)
            if not signed_in.ok:
                http.cookies.clear()
                return signed_in
        return http.get(f"{self.url}/console/t/acme/{next(self.pages)}/", timeout=20)
