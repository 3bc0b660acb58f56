"""What the load generator sends: a file for each row, a line for each request.

A line holds method, path, token and body; `@` in it becomes a text that no other request has.
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
    """Write a line."""
    return "\t".join((method, path, token, json.dumps(body) if body else "")) + "\n"


def of_everybody(path: str, people: Iterable[Person]) -> list[str]:
    """Let everybody ask for a path with each of their two tokens."""
    return [request("GET", path, one.token(which)) for which in (0, 1) for one in people]


def of_bare(path: str) -> list[str]:
    """Ask a bare view for nothing in particular; there is a line for each thread."""
    return [request("GET", path)] * THREADS


def of_bare_logins(people: Iterable[Person]) -> list[str]:
    """Let people log in with the plainly written login."""
    return [
        request("GET", f"/bare/login?appid={one.appid}&code=k.{one.openid}.@") for one in people
    ]


def of_known(people: Iterable[Person]) -> list[str]:
    """Let users log in once more."""
    return [request("POST", login_at(one.appid), code=f"k.{one.openid}.@") for one in people]


def of_new(people: Iterable[Person]) -> list[str]:
    """Let somebody new log in, in apps of all sizes, who becomes a user at once."""
    return [request("POST", login_at(registering(one)), code="n.@") for one in people]


def of_strangers(strangers: Iterable[Stranger]) -> list[str]:
    """Let strangers tap the phone button, in the old way."""
    now = int(datetime.now(UTC).timestamp())
    return [of_stranger(one, now) for one in strangers]


def of_stranger(stranger: Stranger, now: int) -> str:
    """Write what the button gave to somebody's mini-program."""
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
    """Give the path of an app's login."""
    return f"/v1/apps/{appid}/login"


def registering(person: Person) -> str:
    """Give the appid of a person's app, or of its sister if only that registers at the login."""
    return APPIDS[person.app & ~1]


def save(lines: Sequence[str], path: Path) -> Path:
    """Write a feed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines))
    return path
