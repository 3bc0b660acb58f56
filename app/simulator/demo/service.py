"""Requests to the service of `make run`: those of the phone, and those of an operator."""

import json
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

from app.simulator.demo.masking import read_json
from app.simulator.demo.service_log import facts_of
from app.simulator.demo.traffic import Traffic

# What the mini-program calls. Nothing else is passed on.
PATH = re.compile(
    r"/v1/(apps/(?P<appid>[A-Za-z0-9]{1,64})/(?P<call>[a-z-]{2,20})"
    r"|me(/(?P<own>[a-z]+)(/[a-f0-9-]{36})?)?)"
)
QUERY = re.compile(r"[A-Za-z0-9_.~%=&-]*")
FORWARDED = ("Authorization", "Content-Type", "Accept-Language")
RETURNED = ("Content-Type", "Retry-After", "X-Request-Id", "X-Next-Cursor", "Date")
TIMEOUT = 30.0
LONGEST = 1_000_000
_DEVICES = {"left": "iPhone; CPU iPhone OS 17_5 like Mac OS X", "right": "Linux; Android 14"}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Reply:
    """The service's response. A status of None means that none arrived."""

    status: int | None
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body as a JSON value."""
        return read_json(self.body)


class Service:
    """The service of `make run`, and its log file."""

    def __init__(self, url: str, log: Path, traffic: Traffic) -> None:
        """Raise ValueError unless the service runs on this machine."""
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in _LOOPBACK:
            raise ValueError("The demo phone talks to a service on this machine only.")
        self.url, self._address, self._log, self._traffic = url, parts.netloc, log, traffic

    def forward(self, sent: "PhoneRequest") -> Reply:
        """Send a request of a phone and record it."""
        headers = {name: sent.headers[name] for name in FORWARDED if name in sent.headers}
        headers["User-Agent"] = _user_agent(sent.phone)
        if sent.appid:
            headers["Referer"] = f"https://servicewechat.com/{sent.appid}/1/page-frame.html"
        shown = {"method": sent.method, "path": sent.path, "body": read_json(sent.body)}
        if token := sent.headers.get("Authorization"):
            shown["token"] = token.removeprefix("Bearer ")
        target = f"{sent.path}?{sent.query}" if sent.query else sent.path
        request = Request(sent.method, target, headers, sent.body, shown)
        return self.send("phone", sent.kind, request, sent.phone)

    def send(self, source: str, kind: str, request: "Request", phone: str | None = None) -> Reply:
        """Send a request and record it with the facts that the service logs about it."""
        exchange = self._traffic.begin(source, "service", kind, request.shown, phone)
        request_id = token_hex(16)
        reply = self._exchange(request, request_id)
        facts = facts_of(self._log, request_id) if reply.status else {}
        self._traffic.end(exchange, reply.status, reply.json, facts)
        return reply

    def _exchange(self, request: "Request", request_id: str) -> Reply:
        headers = {**request.headers, "X-Request-Id": request_id}
        body = request.body if request.method == "POST" or request.body else None
        try:
            with closing(HTTPConnection(self._address, timeout=TIMEOUT)) as connection:
                connection.request(request.method, request.target, body, headers)
                response = connection.getresponse()
                kept = {name: response.headers[name] for name in RETURNED}
                given = {name: value for name, value in kept.items() if value is not None}
                return Reply(response.status, given, response.read(LONGEST))
        except (OSError, HTTPException):
            return Reply(None, {}, b"")


@dataclass(frozen=True)
class PhoneRequest:
    """A request that the mini-program on a phone sends to the service."""

    phone: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_allowed(self) -> bool:
        """Return whether it is one of the requests of the native API that are passed on."""
        return bool(PATH.fullmatch(self.path) and QUERY.fullmatch(self.query))

    @property
    def appid(self) -> str:
        """Return the appid in the path, or an empty string."""
        found = PATH.fullmatch(self.path)
        return (found["appid"] or "") if found else ""

    @property
    def kind(self) -> str:
        """Return what the request does: the last word of the path."""
        found = PATH.fullmatch(self.path)
        own = found["call"] or found["own"] or "me" if found else ""
        if self.method == "DELETE":
            return "end-device" if own == "sessions" else "close-account"
        return own


@dataclass(frozen=True)
class Request:
    """A request to the service. `shown` is what is recorded of it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    shown: dict[str, Any]

    @classmethod
    def of_json(
        cls, method: str, path: str, content: dict[str, Any] | None = None, jwt: str = ""
    ) -> "Request":
        """Return a request with a JSON body."""
        headers = {"Content-Type": "application/json"}
        if jwt:
            headers["Authorization"] = f"Bearer {jwt}"
        body = b"" if content is None else json.dumps(content).encode()
        return cls(method, path, headers, body, {"method": method, "body": content})


def _user_agent(phone: str) -> str:
    device = _DEVICES[phone]
    return f"Mozilla/5.0 ({device}) MicroMessenger/8.0.50(0x18003237) NetType/WIFI Language/zh_CN"
