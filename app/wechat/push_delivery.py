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

# WeChat signs when it sends, and sends again within seconds. The rest is for clocks that differ,
# ours among them; as much as for open data.
STALE_AFTER = 300
UNIX_SECONDS = re.compile(r"[1-9][0-9]{9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PushSecrets:
    """What WeChat's console has for the message push of an app; a key unless it is in the clear."""

    token: str = field(repr=False)
    encoding_aes_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PushQuery:
    """The query of a push."""

    timestamp: str
    nonce: str
    signature: str = field(default="", repr=False)
    msg_signature: str = field(default="", repr=False)


def verify_url(query: PushQuery, secrets: PushSecrets, now: int) -> None:
    """Check that it is WeChat who asks whether our URL is ours; `now` in unix seconds.

    Raises PushSignatureMismatch or StalePush.
    """
    verify_plain_signature(query.signature, secrets.token, query.timestamp, query.nonce)
    _refuse_stale(query.timestamp, now)


def open_push(content: bytes, query: PushQuery, secrets: PushSecrets, appid: str, now: int) -> Push:
    """Read what WeChat delivers, in the clear or encrypted; `now` in unix seconds.

    With an EncodingAESKey only Encrypt is read: what stands in the clear beside it (兼容模式)
    is unproven. Raises a PushError, AppMisconfigured when the EncodingAESKey is none.
    A sender without a valid signature learns nothing but PushSignatureMismatch.
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
        # msg_signature cannot be checked without Encrypt. WeChat signs the query as well.
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
    """Refuse an old signature, so that a push that was seen cannot be replayed later."""
    if not UNIX_SECONDS.fullmatch(timestamp) or abs(now - int(timestamp)) > STALE_AFTER:
        raise StalePush
