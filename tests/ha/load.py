"""A constant rate of logins, logouts and token checks through nginx."""

import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count, cycle

import urllib3

from config.development.demo import DemoApp
from tests.ha.sessions import Session, Sessions

# The requests of a second.
KINDS = [
    *["check"] * 13,
    *["new login", "known login"] * 4,
    *["check of an ended session"] * 3,
    "logout",
]
RATE = len(KINDS)
KNOWN_PEOPLE = 100
# More than can wait at the same time.
THREADS_PER_KIND = 20
TIMEOUT = urllib3.Timeout(connect=2, read=15)
# Requests that a part could not answer. A client repeats them.
UNAVAILABLE = {None, 502, 503, 504}


@dataclass(frozen=True)
class Sample:
    """A request with its response. `status` is None without a response.

    `service` is the address of the service that answered, or was asked last. `wrong` describes a
    response that the service must never give.
    """

    kind: str
    started: float
    seconds: float
    status: int | None
    code: str
    service: str
    wrong: str | None

    @property
    def succeeded(self) -> bool:
        """Return whether the response was the expected one."""
        return self.wrong is None and self.status not in UNAVAILABLE


@dataclass(frozen=True)
class Answer:
    """A response. `status` is None if there is none."""

    status: int | None
    body: bytes
    service: str
    # The user of a verified token, in the header for the back end.
    user_id: str = ""

    @property
    def code(self) -> str:
        """Return the code of the problem, or an empty text."""
        try:
            return str(json.loads(self.body).get("code", ""))
        except (ValueError, AttributeError):
            return ""


class Load:
    """The clients. `url` is that of nginx, and `wechat` that of the simulator.

    `kinds` are the requests of a second, and `known_people` is the number of people who log in
    repeatedly. `ca_file` has the authority of a simulator with TLS.
    """

    kinds: Sequence[str] = KINDS
    known_people = KNOWN_PEOPLE

    def __init__(self, url: str, wechat: str, app: DemoApp, ca_file: str | None = None) -> None:
        self.sessions = Sessions()
        self.samples: list[Sample] = []
        # An exception of the clients themselves, which makes the results useless.
        self.broken: Exception | None = None
        self._url, self._wechat, self._app = url, wechat, app
        threads = THREADS_PER_KIND * len(self.kinds)
        self._http = urllib3.PoolManager(
            maxsize=threads, retries=False, timeout=TIMEOUT, ca_certs=ca_file
        )
        self._threads = threads
        self._numbers, self._turns = count(), count()
        # The user of each person who has logged in.
        self._users: dict[str, str] = {}
        # When each thread has begun its request.
        self._in_flight: dict[int, float] = {}
        self._ended = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send requests inside the block. Wait for the last responses afterwards."""
        self._add_people()
        with ThreadPoolExecutor(self._threads) as threads:
            clock = threading.Thread(target=self._send_regularly, args=(threads,))
            clock.start()
            try:
                yield
            finally:
                self._ended.set()
                clock.join()
        if self.broken is not None:
            raise self.broken

    def _add_people(self) -> None:
        app = self._app
        body = {"appid": app.appid, "secret": app.secret, "open_platform": app.open_platform}
        self.control("POST", "apps", **body)
        for number in range(self.known_people):
            self.control("POST", "people", name=f"known{number}")

    def _send_regularly(self, threads: ThreadPoolExecutor) -> None:
        """Start each request at its time, even if earlier ones have no response yet."""
        begun, rate = time.monotonic(), len(self.kinds)
        for number, kind in enumerate(cycle(random.sample(self.kinds, rate))):
            if self._ended.wait(max(0.0, begun + number / rate - time.monotonic())):
                return
            threads.submit(self._try_to_send, kind)

    def _try_to_send(self, kind: str) -> None:
        thread = threading.get_ident()
        self._in_flight[thread] = time.monotonic()
        try:
            self._send(kind)
        except Exception as error:
            self.broken = error
        finally:
            del self._in_flight[thread]

    def has_answers_until(self, moment: float) -> bool:
        """Return whether all requests that were sent before a moment have been answered."""
        return all(began > moment for began in list(self._in_flight.values()))

    def between(self, begun: float, ended: float) -> list[Sample]:
        """Return the requests that were sent in a period, in this order."""
        samples = [sample for sample in self.samples if begun <= sample.started < ended]
        return sorted(samples, key=lambda sample: sample.started)

    def _send(self, kind: str) -> None:
        if kind == "check":
            self._check()
        elif kind == "check of an ended session":
            self._check_ended()
        elif kind == "logout":
            self._log_out()
        else:
            self._log_in(kind)

    def _log_in(self, kind: str) -> None:
        if kind == "new login":
            person = f"new{next(self._numbers)}"
            self.control("POST", "people", name=person)
        else:
            # In turn, because a user may have a limited number of sessions.
            person = f"known{next(self._turns) % self.known_people}"
        code = self.control("POST", "login", person=person, appid=self._app.appid)["code"]
        started = time.monotonic()
        answer = self.ask("POST", f"/v1/apps/{self._app.appid}/login", body={"code": code})
        self._note(kind, started, answer, self._remember(person, answer))

    def _remember(self, person: str, answer: Answer, appid: str = "") -> str | None:
        """Add the session of an acknowledged login. Return what is wrong with the response."""
        if answer.status != HTTPStatus.OK:
            return "a login was refused"
        login = json.loads(answer.body)
        user_id: str = login["user"]["id"]
        appid = appid or self._app.appid
        self.sessions.add(login["token"], user_id, login["refresh_token"] or "", appid)
        # Two first logins of a person may be in flight.
        if self._users.setdefault(person, user_id) != user_id:
            return "a person was logged in as another user"
        return None

    def _check(self) -> None:
        session = self.sessions.any_active()
        if session is not None:
            started = time.monotonic()
            answer = self.ask("GET", "/v1/verify", session.token)
            # A logout may have been sent since.
            wrong = find_wrong(session, answer) if session.is_active else None
            self._note("check", started, answer, wrong)

    def _check_ended(self) -> None:
        session = self.sessions.any_ended()
        if session is not None:
            started = time.monotonic()
            answer = self.ask("GET", "/v1/verify", session.token)
            wrong = answer.status != HTTPStatus.UNAUTHORIZED
            text = "the token of an ended session was accepted" if wrong else None
            self._note("check of an ended session", started, answer, text)

    def _log_out(self) -> None:
        session = self.sessions.take_to_end()
        if session is not None:
            started = time.monotonic()
            answer = self.ask("POST", f"/v1/apps/{session.appid}/logout", session.token, body={})
            if answer.status == HTTPStatus.NO_CONTENT:
                self.sessions.note_ended(session)
            refused = answer.status != HTTPStatus.NO_CONTENT
            self._note("logout", started, answer, "a logout was refused" if refused else None)

    def _note(self, kind: str, started: float, answer: Answer, wrong: str | None) -> None:
        """Record a response. `wrong` describes it, unless the service was only unavailable."""
        if answer.status in UNAVAILABLE:
            wrong = None
        elif answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            wrong = "internal error"
        elif answer.status == HTTPStatus.NOT_FOUND:
            wrong = "an existing app was not found"
        seconds = time.monotonic() - started
        self.samples.append(
            Sample(kind, started, seconds, answer.status, answer.code, answer.service, wrong)
        )

    def ask(
        self, method: str, path: str, token: str = "", body: object = None, url: str = ""
    ) -> Answer:
        """Send a request to nginx, or to another URL."""
        # A connection for each request, as from many phones. A kept one could be closed by nginx
        # at the moment in which a request is sent.
        headers = {"Connection": "close"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            found = self._http.request(
                method, (url or self._url) + path, json=body, headers=headers
            )
        except urllib3.exceptions.HTTPError:
            return Answer(None, b"", "")
        service = found.headers.get("X-Upstream", "").rpartition(", ")[2]
        return Answer(found.status, found.data, service, found.headers.get("X-User-Id", ""))

    def control(self, method: str, path: str, **body: object) -> dict[str, str]:
        """Send a request to the control API of the simulator. Return the JSON body."""
        # The simulator may close a kept connection at the moment in which a request is sent.
        url, again = f"{self._wechat}/_simulator/{path}", urllib3.Retry(3, allowed_methods=None)
        found = self._http.request(method, url, json=body, retries=again)
        assert found.status == HTTPStatus.OK, found.data
        answer: dict[str, str] = found.json()
        return answer


def find_wrong(session: Session, answer: Answer) -> str | None:
    """Return what is wrong with the response to the check of a valid token, or None."""
    if answer.status != HTTPStatus.NO_CONTENT:
        return "a valid token was refused"
    if answer.user_id != session.user_id:
        return "a valid token was accepted as that of another user"
    return None
