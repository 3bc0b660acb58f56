"""Masking of recorded requests. Texts are masked unless their field is known to be harmless.

A masked secret keeps a mark of four letters and digits. It is the same wherever the secret occurs,
so a reader can follow a code from the phone to WeChat.
"""

import hmac
import json
import re
import secrets
from base64 import b32encode
from collections.abc import Mapping
from typing import Any

_KEY = secrets.token_bytes(32)

PHONE = frozenset({"phone", "phoneNumber", "purePhoneNumber"})
IDENTITY = frozenset({"openid", "unionid", "OpenID", "FromUserName", "ToUserName"})
# Texts that are shown. Numbers, booleans and null always are.
SHOWN = frozenset(
    {
        *("account", "nickname", "nickName", "avatar_url", "appid", "AppID", "grant_type"),
        *("errmsg", "detail", "title", "countryCode", "Event", "RevokeInfo", "person", "device"),
        *("created_at", "first_seen_at", "last_seen_at", "sig_method", "MsgType", "body", "action"),
        *("method", "path", "type", "status", "app_name", "name"),
    }
)
_TOKEN = re.compile(r"wx[pr]_[\w.-]+|eyJ[\w.-]{20,}|[A-Za-z0-9+/_=-]{40,}")
_NUMBER = re.compile(r"(?<![\w.])(\+?\d{3,5})\d{4}(\d{4})(?![\w.])")
_RID = re.compile(r",? ?(hint: \[[^]]*\])? ?rid: [\w-]+")


def mask(value: Any, *, is_problem: bool = False) -> Any:
    """Return a copy of a JSON value without its secrets.

    In a problem of the service, `code` is the code of the error.
    """
    if isinstance(value, list):
        return [mask(entry, is_problem=is_problem) for entry in value]
    if isinstance(value, Mapping):
        return {name: _masked(name, entry, is_problem) for name, entry in value.items()}
    return _cleaned(value) if isinstance(value, str) else value


def mask_phone(number: str) -> str:
    """Return a phone number without its middle digits."""
    return f"{number[:-8]}****{number[-4:]}" if len(number) > 8 else "****"


def read_json(body: bytes) -> Any:
    """Return a body as a JSON value, or a note of its size if it is not JSON."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return {"body": f"{len(body)} bytes"}


def _masked(name: str, value: Any, is_problem: bool) -> Any:
    if not isinstance(value, str) or not value:
        return mask(value, is_problem=is_problem)
    if name in PHONE:
        return mask_phone(value)
    if name in IDENTITY:
        return f"{value[:4]}…{value[-3:]}"
    if name in SHOWN or (is_problem and name == "code"):
        return _cleaned(value)
    return _hidden(value)


def _hidden(secret: str) -> str:
    """Return the mark of a secret, with the prefix that tells the kinds of tokens apart."""
    prefix = secret[:4] if secret.startswith(("wxp_", "wxr_")) else ""
    digest = hmac.digest(_KEY, secret.encode(errors="replace"), "sha256")
    return f"{prefix}•••• {b32encode(digest[:3]).decode()[:4].lower()}"


def _cleaned(text: str) -> str:
    """Mask what looks like a token or a phone number, and remove WeChat's request id."""
    text = _RID.sub("", text)
    if not text.startswith("https://"):
        text = _TOKEN.sub(lambda found: _hidden(found[0]), text)
    return _NUMBER.sub(r"\1****\2", text)
