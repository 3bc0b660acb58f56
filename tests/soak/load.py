"""The mixed load: what mini-programs, back ends, WeChat and operators send."""

import json
import time
from collections.abc import Callable
from http import HTTPStatus
from itertools import count
from urllib.parse import urlencode
from uuid import uuid4

from app.simulator.pushes.wire import Manner, write_delivery
from app.simulator.world import App as SimulatedApp
from config.development.demo import DemoApp
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP
from tests.fixtures.portal import AES_KEY, TOKEN
from tests.ha.load import UNAVAILABLE, Answer, Load

# The requests of a second. A phone login sends two.
KINDS = [
    *["check"] * 5,
    *["known login"] * 3,
    *["check of an ended session"] * 2,
    *["new login", "phone login", "password login", "refresh", "logout"],
    *["who am I", "profile change", "push", "admin read", "console page"],
]
KNOWN_PEOPLE = 500
ACCOUNTS = 150
CLUB = DemoApp(
    *(ACME_CLUB.appid, "Club", ACME_CLUB.secret, ACME_CLUB.registration, "acme"),
    push_token=TOKEN,
    encoding_aes_key=AES_KEY,
)
ADMIN = "soak@wxpass.example"
ADMIN_PATHS = ("users", "sessions", "audit", "overview", "apps")
# An access token of the admin API is valid for 15 minutes.
SIGN_IN_EVERY = 600.0
# A lost response of a refresh can be fetched again for 30 seconds.
RETRY_SECONDS = 20.0
RETRY_PAUSE = 1.0
# Seconds after a refresh until the old token must be refused by every worker.
GRACE_SECONDS = 60.0


class SoakLoad(Load):
    """The clients. `undecided` counts refreshes without a response, which may have happened."""

    kinds = KINDS
    known_people = KNOWN_PEOPLE

    def __init__(self, url: str, wechat: str, ca_file: str) -> None:
        super().__init__(url, wechat, CLUB, ca_file)
        self.undecided = 0
        self._phones, self._reads, self._accounts = count(), count(), count()
        self._admin_token, self._signed_in_at = "", -SIGN_IN_EVERY
        self._pushing = SimulatedApp(
            ACME_CLUB.appid, ACME_CLUB.secret, push_token=TOKEN, encoding_aes_key=AES_KEY
        )

    def _add_people(self) -> None:
        for number in range(self.known_people):
            self.control("POST", "people", name=f"known{number}")

    def _send(self, kind: str) -> None:
        others: dict[str, Callable[[], None]] = {
            "refresh": self._refresh,
            "who am I": self._show_user,
            "profile change": self._change_profile,
            "phone login": self._log_in_by_phone,
            "password login": self._log_in_by_password,
            "push": self._push,
            "admin read": self._read_as_admin,
            "console page": self._open_console,
        }
        if kind in others:
            others[kind]()
        else:
            super()._send(kind)

    def _refresh(self) -> None:
        """Refresh a session. Repeat the request without a response, as clients do."""
        session = self.sessions.take_to_refresh()
        if session is None:
            return
        path = f"/v1/apps/{session.appid}/refresh"
        give_up_at = time.monotonic() + RETRY_SECONDS
        while True:
            started = time.monotonic()
            answer = self.ask("POST", path, body={"refresh_token": session.refresh_token})
            refused = None if answer.status == HTTPStatus.OK else "a refresh was refused"
            self._note("refresh", started, answer, refused)
            if answer.status not in UNAVAILABLE or time.monotonic() > give_up_at:
                break
            time.sleep(RETRY_PAUSE)
        if answer.status == HTTPStatus.OK:
            tokens = json.loads(answer.body)
            self.sessions.forget(session, refuse_after=GRACE_SECONDS)
            self.sessions.add(
                tokens["token"], session.user_id, tokens["refresh_token"], session.appid
            )
        else:
            self.undecided += 1
            self.sessions.forget(session)

    def _show_user(self) -> None:
        self._use_session("who am I", "GET", None)

    def _change_profile(self) -> None:
        self._use_session("profile change", "PATCH", {"nickname": f"花 {uuid4().hex[:8]}"})

    def _use_session(self, kind: str, method: str, body: dict[str, str] | None) -> None:
        session = self.sessions.any_active()
        if session is None:
            return
        started = time.monotonic()
        answer = self.ask(method, "/v1/me", session.token, body=body)
        wrong = None
        if session.is_active and answer.status != HTTPStatus.OK:
            wrong = "a valid token was refused"
        elif answer.status == HTTPStatus.OK:
            user = json.loads(answer.body)
            if user["id"] != session.user_id:
                wrong = "another user was shown"
            elif body and user["nickname"] != body["nickname"]:
                wrong = "a change was not made"
        self._note(kind, started, answer, wrong)

    def _log_in_by_phone(self) -> None:
        """Log a new person in, and bind the login by the phone number."""
        number = next(self._phones)
        person, app = f"phone{number}", ACME_SHOP
        self.control("POST", "people", name=person, phone=f"139{number:08}")
        code = self.control("POST", "login", person=person, appid=app.appid)["code"]
        started = time.monotonic()
        answer = self.ask("POST", f"/v1/apps/{app.appid}/login", body={"code": code})
        refused = None if answer.status == HTTPStatus.OK else "a login was refused"
        self._note("unbound login", started, answer, refused)
        if answer.status == HTTPStatus.OK:
            token = json.loads(answer.body)["token"]
            code = self.control("POST", "phone", person=person, appid=app.appid)["code"]
            started = time.monotonic()
            path = f"/v1/apps/{app.appid}/phone"
            answer = self.ask("POST", path, token, body={"code": code})
            self._note("phone login", started, answer, self._remember(person, answer, app.appid))

    def _log_in_by_password(self) -> None:
        account = account_name(next(self._accounts) % ACCOUNTS)
        path = f"/v1/apps/{ACME_CLUB.appid}/password-login"
        started = time.monotonic()
        body = {"account": account, "password": GOOD_PASSWORD}
        answer = self.ask("POST", path, body=body)
        wrong = self._remember(account, answer, ACME_CLUB.appid)
        self._note("password login", started, answer, wrong)

    def _push(self) -> None:
        """Push an event, as WeChat does."""
        message: dict[str, str | int] = {
            "ToUserName": "gh_870882ca4b1",
            "FromUserName": "oaKk346BaWE-eIn4oSRWbaM9vR7s",
            "CreateTime": int(time.time()),
            "MsgType": "event",
            "Event": "user_info_modified",
            "OpenID": f"o{uuid4().hex[:27]}",
            "AppID": ACME_CLUB.appid,
        }
        delivery = write_delivery(message, self._pushing, Manner("safe", "json"), time.time())
        started = time.monotonic()
        path = f"/wx/portal/{ACME_CLUB.appid}?{urlencode(delivery.query)}"
        answer = self.ask("POST", path, body=json.loads(delivery.body))
        accepted = answer.status == HTTPStatus.OK and answer.body == b"success"
        self._note("push", started, answer, None if accepted else "a push was refused")

    def _read_as_admin(self) -> None:
        if time.monotonic() - self._signed_in_at > SIGN_IN_EVERY:
            self.sign_in()
        path = ADMIN_PATHS[next(self._reads) % len(ADMIN_PATHS)]
        started = time.monotonic()
        answer = self.ask("GET", f"/v1/admin/tenants/acme/{path}", self._admin_token)
        refused = None if answer.status == HTTPStatus.OK else "an admin was refused"
        self._note(f"admin: {path}", started, answer, refused)

    def _open_console(self) -> None:
        started = time.monotonic()
        answer = self.ask("GET", "/console/sign-in")
        refused = None if answer.status == HTTPStatus.OK else "the console does not open"
        self._note("console page", started, answer, refused)

    def sign_in(self) -> None:
        """Sign in at the admin API."""
        started = time.monotonic()
        body = {"email": ADMIN, "password": GOOD_PASSWORD}
        answer = self.ask("POST", "/v1/admin/sign-in", body=body)
        refused = None if answer.status == HTTPStatus.OK else "an admin was refused"
        self._note("admin sign-in", started, answer, refused)
        if answer.status == HTTPStatus.OK:
            self._admin_token = json.loads(answer.body)["access_token"]
            self._signed_in_at = time.monotonic()

    def add_admin(self, invitation: str) -> None:
        """Accept the invitation of the operator, sign in, and add the users with passwords."""
        body = {"invitation": invitation, "password": GOOD_PASSWORD}
        expect(self.ask("POST", "/v1/admin/invitation", body=body))
        self.sign_in()
        for number in range(ACCOUNTS):
            user = {"account": account_name(number), "password": GOOD_PASSWORD}
            expect(self.ask("POST", "/v1/admin/tenants/acme/users", self._admin_token, user))


def account_name(number: int) -> str:
    """Return the login name of a user with a password."""
    return f"soak{number}"


def expect(answer: Answer) -> None:
    """Raise AssertionError unless a request of the preparation has succeeded."""
    assert answer.status is not None, "no response"
    assert answer.status < 300, f"{answer.status} {answer.body.decode(errors='replace')}"
