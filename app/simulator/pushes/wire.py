"""Wire format of message push (消息推送): message, encryption, envelope and signatures."""

import base64
import hashlib
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from Crypto.Cipher import AES

from app.simulator.minting import new_nonce, original_id_of
from app.simulator.wechat_json import to_json
from app.simulator.world import App

Message = Mapping[str, str | int]

MODES = frozenset({"plain", "compatible", "safe"})
FORMATS = frozenset({"json", "xml"})
FAULTS = frozenset({"duplicate", "wrong_signature", "stale", "foreign_appid"})
HOUR = 3600
BLOCK = 32
_FOREIGN = "wxffffffffffffffff"
_CONTENT_TYPES = {"json": "application/json", "xml": "text/xml"}


@dataclass(frozen=True)
class Manner:
    """How a message is delivered: mode and format of WeChat's console, and faults."""

    mode: str
    data_format: str
    faults: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Delivery:
    """One request to the mini-program's server."""

    query: dict[str, str]
    body: bytes
    content_type: str


def write_delivery(message: Message, app: App, manner: Manner, now: float) -> Delivery:
    """Return a signed delivery. Each call uses a new nonce."""
    write = write_json if manner.data_format == "json" else write_xml
    timestamp = str(int(now - (HOUR if "stale" in manner.faults else 0)))
    query = {"timestamp": timestamp, "nonce": new_nonce()}
    query["signature"] = sign(app, *query.values())
    content = dict(message)
    if manner.mode != "plain":
        appid = _FOREIGN if "foreign_appid" in manner.faults else app.appid
        encrypt = encrypt_message(write(message), app.encoding_aes_key or "", appid)
        query |= {"encrypt_type": "aes", "msg_signature": _sign_over(app, query, encrypt)}
        content = content if manner.mode == "compatible" else _recipient(app)
        content["Encrypt"] = encrypt
    if "wrong_signature" in manner.faults:
        _spoil_signature(query)
    query["openid"] = str(message.get("FromUserName", ""))
    return Delivery(query, write(content).encode(), _CONTENT_TYPES[manner.data_format])


def sign(app: App, *parts: str) -> str:
    """Return the signature: SHA-1 over the sorted parts and the app's token."""
    text = "".join(sorted([app.push_token or "", *parts]))
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def encrypt_message(text: str, encoding_aes_key: str, appid: str) -> str:
    """Encrypt with AES-256-CBC. The plain text is random bytes, the length, the text, the appid."""
    key = base64.b64decode(encoding_aes_key + "=")
    content = text.encode()
    full = secrets.token_bytes(16) + struct.pack(">I", len(content)) + content + appid.encode()
    missing = BLOCK - len(full) % BLOCK
    cipher = AES.new(key, AES.MODE_CBC, key[:16])
    return base64.b64encode(cipher.encrypt(full + bytes([missing]) * missing)).decode()


def write_json(message: Message) -> str:
    """Return a message as JSON."""
    return to_json(dict(message))


def write_xml(message: Message) -> str:
    """Return a message as XML, with strings as CDATA."""
    elements = (f"<{name}>{_xml_value(value)}</{name}>" for name, value in message.items())
    return f"<xml>{''.join(elements)}</xml>"


def _xml_value(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    return f"<![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]>"


def _recipient(app: App) -> dict[str, str | int]:
    return {"ToUserName": original_id_of(app.appid)}


def _sign_over(app: App, query: Mapping[str, str], encrypt: str) -> str:
    return sign(app, query["timestamp"], query["nonce"], encrypt)


def _spoil_signature(query: dict[str, str]) -> None:
    """Invalidate the signature of a delivery.

    With encryption, msg_signature becomes the plain signature, a common mistake of servers.
    """
    if "msg_signature" in query:
        query["msg_signature"] = query["signature"]
    else:
        query["signature"] = query["signature"][::-1]
