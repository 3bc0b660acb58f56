"""Verification and decryption of a delivery of message push (消息推送).

`msg_signature` covers the body. Without an EncodingAESKey, only `signature` exists, which does not
cover the body.
"""

import re
from dataclasses import dataclass, field

from app.wechat.damaged_text import marked_text
from app.wechat.errors import (
    ForeignPush,
    IncompletePush,
    MalformedPush,
    PushError,
    PushKeyMissing,
    StalePush,
    UnencryptedPush,
)
from app.wechat.json_fields import WrongShape
from app.wechat.push import decrypt_message, verify_message_signature, verify_plain_signature
from app.wechat.push_events import Push, read_push
from app.wechat.push_fields import parse_fields

# Seconds. WeChat signs a push when it sends it, and repeats it within seconds. The remaining time
# allows for clock differences, as for open data (`FUTURE_LEEWAY`).
STALE_AFTER = 300
UNIX_SECONDS = re.compile(r"[1-9][0-9]{9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PushSecrets:
    """The push token of an app, and its EncodingAESKey, or None for unencrypted pushes."""

    token: str = field(repr=False)
    encoding_aes_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PushQuery:
    """The query parameters of a push. Empty signatures were not sent."""

    timestamp: str
    nonce: str
    signature: str = field(default="", repr=False)
    msg_signature: str = field(default="", repr=False)


def verify_url(query: PushQuery, secrets: PushSecrets, now: int) -> None:
    """Verify that WeChat sent this request to verify the push URL. `now` is in unix seconds.

    Raises PushSignatureMismatch or StalePush.
    """
    verify_plain_signature(query.signature, secrets.token, query.timestamp, query.nonce)
    _refuse_stale(query.timestamp, now)


def open_push(content: bytes, query: PushQuery, secrets: PushSecrets, appid: str, now: int) -> Push:
    """Verify, decrypt and parse a push. `now` is in unix seconds.

    For an app with an EncodingAESKey only the Encrypt field is read, because the unencrypted fields
    beside it (兼容模式) are not signed. Raises a PushError, or AppMisconfigured if the
    EncodingAESKey is malformed. Without a valid signature, PushSignatureMismatch is raised before
    any other error of the content is reported.
    """
    if secrets.encoding_aes_key is None:
        return _open_clear(content, query, secrets, now)
    encrypt = _signed_encrypt(content, query, secrets, now)
    opened = decrypt_message(secrets.encoding_aes_key, encrypt)
    if opened.appid != appid:
        raise ForeignPush
    return read_push(opened.message)


def _open_clear(content: bytes, query: PushQuery, secrets: PushSecrets, now: int) -> Push:
    verify_url(query, secrets, now)
    if _find_encrypt(content) is not None:
        raise PushKeyMissing
    return read_push(marked_text(content))


def _signed_encrypt(content: bytes, query: PushQuery, secrets: PushSecrets, now: int) -> str:
    try:
        encrypt = _find_encrypt(content)
        if encrypt is None:
            raise UnencryptedPush
    except PushError as cause:
        # Without Encrypt, msg_signature cannot be verified. `signature` is verified instead.
        verify_url(query, secrets, now)
        raise cause from None
    signed = query.timestamp, query.nonce, encrypt
    verify_message_signature(query.msg_signature, secrets.token, *signed)
    _refuse_stale(query.timestamp, now)
    return encrypt


def _find_encrypt(content: bytes) -> str | None:
    try:
        encrypt = parse_fields(content).get("Encrypt")
    except WrongShape:
        raise MalformedPush from None
    if encrypt is None or isinstance(encrypt, str):
        return encrypt
    raise IncompletePush(reason="missing or wrong: Encrypt")


def _refuse_stale(timestamp: str, now: int) -> None:
    """Raise StalePush for an old timestamp, so that a recorded push cannot be replayed later."""
    if not UNIX_SECONDS.fullmatch(timestamp) or abs(now - int(timestamp)) > STALE_AFTER:
        raise StalePush
