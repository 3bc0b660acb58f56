"""Feeds: files with the requests that the load generator sends.

Each benchmark row has a feed. Each line is a request: method, path, login token, body, and further
headers as `Name: value`, separated by tabs. The load generator replaces `@` in path and body by a
text that is unique for each request.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path

from Crypto.Cipher import AES
from Crypto.Util.Padding import pad

from tests.bench.data.people import APPIDS, Person, session_key_of
from tests.bench.load.generator import THREADS


def request(method: str, path: str, token: str = "", **body: str) -> str:
    """Return the line of a request. The body is JSON."""
    return "\t".join((method, path, token, json.dumps(body) if body else "")) + "\n"


def request_with(method: str, path: str, headers: Mapping[str, str]) -> str:
    """Return the line of a request with headers and without a login token and a body."""
    others = [f"{name}: {value}" for name, value in headers.items()]
    return "\t".join((method, path, "", "", *others)) + "\n"


@dataclass(frozen=True)
class Request:
    """A request of a feed."""

    method: str
    path: str
    body: str
    headers: Mapping[str, str]


def parse(line: str, unique: str) -> Request:
    """Return the request of a line, with `unique` in the place of `@`."""
    method, path, token, body, *others = line.rstrip("\n").split("\t")
    headers = dict(other.split(": ", 1) for other in others)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body:
        headers["Content-Type"] = "application/json"
    return Request(method, path.replace("@", unique), body.replace("@", unique), headers)


def both_sessions(path: str, people: Iterable[Person]) -> list[str]:
    """Return GET requests of a path with the login tokens of both sessions of each person."""
    return [request("GET", path, one.token(which)) for which in (0, 1) for one in people]


def refreshes(people: Iterable[Person]) -> list[str]:
    """Return a refresh of each session of each person."""
    return [
        request(
            "POST",
            f"/v1/apps/{one.appid}/refresh",
            one.token(which),
            refresh_token=str(one.refresh_token(which)),
        )
        for which in (0, 1)
        for one in people
    ]


def bare_requests(path: str) -> list[str]:
    """Return a GET request of a bare view for each thread of the load generator."""
    return [request("GET", path)] * THREADS


def bare_logins(people: Iterable[Person]) -> list[str]:
    """Return logins of known openids at the bare login view."""
    return [
        request("GET", f"/bare/login?appid={one.appid}&code=k.{one.openid}.@") for one in people
    ]


def known_logins(people: Iterable[Person]) -> list[str]:
    """Return logins of existing users."""
    return [request("POST", login_at(one.appid), code=f"k.{one.openid}.@") for one in people]


def new_logins(people: Iterable[Person]) -> list[str]:
    """Return logins of new users, in apps of all sizes that register users at login."""
    return [request("POST", login_at(registering_appid(one)), code="n.@") for one in people]


def phone_binds(people: Iterable[Person]) -> list[str]:
    """Return requests that bind the phone number of an unlinked person, with encryptedData."""
    now = int(datetime.now(UTC).timestamp())
    return [phone_bind(one, now) for one in people]


def phone_bind(person: Person, now: int) -> str:
    """Return the request that binds a phone number. `now` is a Unix time."""
    number = person.phone.removeprefix("+86")
    phone = {
        "phoneNumber": number,
        "purePhoneNumber": number,
        "countryCode": "86",
        "watermark": {"timestamp": now, "appid": person.appid},
    }
    key, iv = session_key_of(person.openid), md5(number.encode(), usedforsecurity=False).digest()
    path, sealed = f"/v1/apps/{person.appid}/phone", encrypted(json.dumps(phone), key, iv)
    iv_text = b64encode(iv).decode()
    return request("POST", path, person.token(0), encryptedData=sealed, iv=iv_text)


def encrypted(text: str, session_key: str, iv: bytes) -> str:
    """Return a text encrypted with a session_key, as WeChat encrypts `encryptedData`."""
    key = AES.new(b64decode(session_key), AES.MODE_CBC, iv=iv)
    return b64encode(key.encrypt(pad(text.encode(), AES.block_size))).decode()


def login_at(appid: str) -> str:
    """Return the login path of an app."""
    return f"/v1/apps/{appid}/login"


def registering_appid(person: Person) -> str:
    """Return the appid of the app of the person's tenant that registers users at login."""
    return APPIDS[person.app & ~1]


def save(lines: Sequence[str], path: Path) -> Path:
    """Write a feed to a file. Return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines))
    return path
