"""The requests that the load generator sends: a file per row, a line per request.

A line contains method, path, token and body. `@` is replaced by a unique text.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path

from Crypto.Cipher import AES
from Crypto.Util.Padding import pad

from tests.bench.data.people import APPIDS, Person, Stranger, session_key_of
from tests.bench.load.generator import THREADS


def request(method: str, path: str, token: str = "", **body: str) -> str:
    """Return a line."""
    return "\t".join((method, path, token, json.dumps(body) if body else "")) + "\n"


def of_all(path: str, people: Iterable[Person]) -> list[str]:
    """Request a path with both tokens of each person."""
    return [request("GET", path, one.token(which)) for which in (0, 1) for one in people]


def of_bare(path: str) -> list[str]:
    """Request a bare view. There is a line for each thread."""
    return [request("GET", path)] * THREADS


def of_bare_logins(people: Iterable[Person]) -> list[str]:
    """Log people in with the bare login."""
    return [
        request("GET", f"/bare/login?appid={one.appid}&code=k.{one.openid}.@") for one in people
    ]


def of_known(people: Iterable[Person]) -> list[str]:
    """Log known users in."""
    return [request("POST", login_at(one.appid), code=f"k.{one.openid}.@") for one in people]


def of_new(people: Iterable[Person]) -> list[str]:
    """Log new people in, in apps of all sizes that register at login."""
    return [request("POST", login_at(registering_appid(one)), code="n.@") for one in people]


def of_strangers(strangers: Iterable[Stranger]) -> list[str]:
    """Send phone numbers of people without a user, by the old button."""
    now = int(datetime.now(UTC).timestamp())
    return [of_stranger(one, now) for one in strangers]


def of_stranger(stranger: Stranger, now: int) -> str:
    """Return the request with the data of the phone button."""
    number = stranger.phone.removeprefix("+86")
    phone = {
        "phoneNumber": number,
        "purePhoneNumber": number,
        "countryCode": "86",
        "watermark": {"timestamp": now, "appid": stranger.appid},
    }
    key, iv = session_key_of(stranger.openid), md5(number.encode(), usedforsecurity=False).digest()
    path, sealed = f"/v1/apps/{stranger.appid}/phone", encrypted(json.dumps(phone), key, iv)
    iv_text = b64encode(iv).decode()
    return request("POST", path, stranger.token(0), encryptedData=sealed, iv=iv_text)


def encrypted(text: str, session_key: str, iv: bytes) -> str:
    """Encrypt open data as WeChat does."""
    key = AES.new(b64decode(session_key), AES.MODE_CBC, iv=iv)
    return b64encode(key.encrypt(pad(text.encode(), AES.block_size))).decode()


def login_at(appid: str) -> str:
    """Return the path of an app's login."""
    return f"/v1/apps/{appid}/login"


def registering_appid(person: Person) -> str:
    """Return the appid of a person's app or of its sister app, whichever registers at login."""
    return APPIDS[person.app & ~1]


def save(lines: Sequence[str], path: Path) -> Path:
    """Write a feed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines))
    return path
