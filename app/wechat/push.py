"""Message push (消息推送): the signatures and the envelope of what WeChat sends to our URL."""

import json
import os
import struct
from base64 import b64encode
from dataclasses import dataclass, field

from Crypto.Cipher import AES
from Crypto.Cipher._mode_cbc import CbcMode
from Crypto.Util.Padding import pad, unpad

from app.wechat.damaged_text import marked_text
from app.wechat.errors import AppMisconfigured, PushSignatureMismatch, UndecryptablePush
from app.wechat.json_fields import WrongShape, base64_of
from app.wechat.signatures import sha1_hex, signatures_match

ENCODING_AES_KEY_CHARS = 43
PADDING_BLOCK = 32  # twice the cipher's block: WeChat pads with 1 to 32 bytes
RANDOM_BYTES = 16
HEAD = RANDOM_BYTES + 4  # random bytes, then the message's length


@dataclass(frozen=True, slots=True)
class PushMessage:
    """A decrypted message and the appid it was encrypted for, which the caller has to compare.

    A mark stands in the message for each damaged character (app/wechat/damaged_text.py).
    """

    message: str = field(repr=False)
    appid: str


def plain_signature(token: str, timestamp: str, nonce: str) -> str:
    """Sign a URL verification or an unencrypted push. The signature does not cover the body."""
    return sha1_hex("".join(sorted([token, timestamp, nonce])))


def message_signature(token: str, timestamp: str, nonce: str, encrypt: str) -> str:
    """Sign an encrypted push or reply (msg_signature), its body included."""
    return sha1_hex("".join(sorted([token, timestamp, nonce, encrypt])))


def verify_plain_signature(signature: str, token: str, timestamp: str, nonce: str) -> None:
    """Check `signature`; raises PushSignatureMismatch, also for an app without a push token."""
    _verify(signature, plain_signature(token, timestamp, nonce), token)


def verify_message_signature(
    signature: str, token: str, timestamp: str, nonce: str, encrypt: str
) -> None:
    """Check `msg_signature`; raises PushSignatureMismatch, also for an app without a push token."""
    _verify(signature, message_signature(token, timestamp, nonce, encrypt), token)


def decrypt_message(encoding_aes_key: str, encrypt: str) -> PushMessage:
    """Decrypt the Encrypt of a push, after its msg_signature was verified.

    Raises UndecryptablePush, or AppMisconfigured if the key is not an EncodingAESKey.
    """
    key = _aes_key(encoding_aes_key)
    try:
        sealed = _cipher(key).decrypt(base64_of(encrypt))
        return _unseal(unpad(sealed, PADDING_BLOCK))
    except (ValueError, struct.error):
        raise UndecryptablePush from None


def encrypt_message(
    encoding_aes_key: str, message: str, appid: str, random_bytes: bytes | None = None
) -> str:
    """Seal a reply; `random_bytes`, 16 of them, are given only to repeat a known example.

    Raises AppMisconfigured when the EncodingAESKey is none.
    """
    key = _aes_key(encoding_aes_key)
    body = message.encode()
    head = (random_bytes or os.urandom(RANDOM_BYTES)) + struct.pack(">I", len(body))
    sealed = _cipher(key).encrypt(pad(head + body + appid.encode(), PADDING_BLOCK))
    return b64encode(sealed).decode()


def encrypted_reply(encrypt: str, token: str, timestamp: int, nonce: str) -> str:
    """Put a sealed reply into its JSON envelope, signed; `nonce` is the push's own.

    Only some messages want such a reply; every other is answered with `success`, in the clear.
    """
    signature = message_signature(token, str(timestamp), nonce, encrypt)
    reply = {"Encrypt": encrypt, "MsgSignature": signature, "TimeStamp": timestamp, "Nonce": nonce}
    return json.dumps(reply, separators=(",", ":"))


def _verify(signature: str, expected: str, token: str) -> None:
    # A signature with an empty token proves nothing.
    if not token or not signatures_match(expected, signature):
        raise PushSignatureMismatch


def _aes_key(encoding_aes_key: str) -> bytes:
    # 43 characters carry two bits more than the key; WeChat leaves them set and they are ignored.
    try:
        if len(encoding_aes_key) != ENCODING_AES_KEY_CHARS:
            raise WrongShape("EncodingAESKey")
        return base64_of(encoding_aes_key + "=", 32)
    except WrongShape:
        raise AppMisconfigured(reason="EncodingAESKey is not 43 characters of Base64") from None


def _cipher(key: bytes) -> CbcMode:
    # The page leaves the IV out; WeChat's sample code takes the key's first 16 bytes.
    return AES.new(key, AES.MODE_CBC, iv=key[: AES.block_size])


def _unseal(content: bytes) -> PushMessage:
    (length,) = struct.unpack(">I", content[RANDOM_BYTES:HEAD])
    message, appid = content[HEAD : HEAD + length], content[HEAD + length :]
    if not appid:
        raise WrongShape("length")
    return PushMessage(marked_text(message), appid.decode("utf-8"))
