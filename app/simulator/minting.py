"""Generated identifiers, codes and keys in WeChat's formats."""

import base64
import hmac
import secrets
import string

_LETTERS = string.digits + string.ascii_letters


def openid_of(appid: str, person: str) -> str:
    """Derive the openid of a person in one app. It is the same after a restart."""
    return _identity("openid", appid, person)


def unionid_of(open_platform: str, person: str) -> str:
    """Derive the unionid of a person under one Open Platform account."""
    return _identity("unionid", open_platform, person)


def original_id_of(appid: str) -> str:
    """Derive the original id (原始 ID) of a mini-program."""
    return "gh_" + hmac.digest(b"simulated original id", appid.encode(), "sha256").hex()[:12]


def sender_of(appid: str) -> str:
    """Derive the sender of an app's events. It looks like an openid but belongs to no person."""
    return _identity("sender", appid, "platform")


def new_nonce() -> str:
    """Return a nonce for a push."""
    return str(secrets.randbelow(2**31))


def new_login_code() -> str:
    """Return a code in the format of wx.login."""
    return "0" + _random_letters(31)


def new_phone_code() -> str:
    """Return a code in the format of the phone number button."""
    return secrets.token_hex(32)


def new_session_key() -> str:
    """Return a session_key: 16 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(16)).decode()


def new_access_token() -> str:
    """Return an access token of 137 characters."""
    return f"{10 + secrets.randbelow(90)}_{secrets.token_urlsafe(100)}"


def new_rid(now: float) -> str:
    """Return a request id. Its first eight hex digits are the Unix time."""
    return f"{int(now):08x}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"


def new_hint() -> str:
    """Return the hint that the phone number call adds to its error messages."""
    return _random_letters(10) + "-"


def _identity(kind: str, scope: str, person: str) -> str:
    # 20 bytes are 27 characters of base64url. With the leading "o" that is WeChat's length, 28.
    digest = hmac.digest(f"simulated {kind}".encode(), f"{scope}\0{person}".encode(), "sha256")
    return "o" + base64.urlsafe_b64encode(digest[:20]).decode().rstrip("=")


def _random_letters(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
