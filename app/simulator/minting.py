"""Values that look like WeChat's own."""

import base64
import hmac
import secrets
import string

_LETTERS = string.digits + string.ascii_letters


def openid_of(appid: str, person: str) -> str:
    """Derive the openid of a person in one app, the same after every restart."""
    return _identity("openid", appid, person)


def unionid_of(open_platform: str, person: str) -> str:
    """Derive the unionid of a person under one Open Platform account."""
    return _identity("unionid", open_platform, person)


def original_id_of(appid: str) -> str:
    """Derive the original id (原始 ID) of a mini-program."""
    return "gh_" + hmac.digest(b"simulated original id", appid.encode(), "sha256").hex()[:12]


def sender_of(appid: str) -> str:
    """Derive the sender of an app's events, which looks like a person's openid and is none."""
    return _identity("sender", appid, "platform")


def new_nonce() -> str:
    """Make a nonce as pushes carry it."""
    return str(secrets.randbelow(2**31))


def new_login_code() -> str:
    """Make a code as wx.login gives it."""
    return "0" + _random_letters(31)


def new_phone_code() -> str:
    """Make a code as the phone number button gives it."""
    return secrets.token_hex(32)


def new_session_key() -> str:
    """Make a session_key: 16 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(16)).decode()


def new_access_token() -> str:
    """Make an access token of 137 characters."""
    return f"{10 + secrets.randbelow(90)}_{secrets.token_urlsafe(100)}"


def new_rid(now: float) -> str:
    """Make a request id; its first eight hex digits are the unix time."""
    return f"{int(now):08x}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"


def new_hint() -> str:
    """Make the hint that the phone number call puts into its error texts."""
    return _random_letters(10) + "-"


def _identity(kind: str, scope: str, person: str) -> str:
    # 20 bytes are 27 characters of base64url: with the leading "o", the 28 that WeChat's have.
    digest = hmac.digest(f"simulated {kind}".encode(), f"{scope}\0{person}".encode(), "sha256")
    return "o" + base64.urlsafe_b64encode(digest[:20]).decode().rstrip("=")


def _random_letters(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
