"""Signatures and encryption of message push (消息推送)."""

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
PADDING_BLOCK = 32  # WeChat pads with 1 to 32 bytes, although the cipher's block has 16
RANDOM_BYTES = 16
HEAD = RANDOM_BYTES + 4  # random bytes and the length of the message


@dataclass(frozen=True, slots=True)
class PushMessage:
    """A decrypted message, and the appid for which WeChat encrypted it.

    The caller must compare `appid` with the app that received the push. In `message`, illegal
    characters are replaced by MARK (app/wechat/damaged_text.py).
    """

    message: str = field(repr=False)
    appid: str


def plain_signature(token: str, timestamp: str, nonce: str) -> str:
    """Return the `signature` of a URL verification or push. It does not cover the body."""
    return sha1_hex("".join(sorted([token, timestamp, nonce])))


def message_signature(token: str, timestamp: str, nonce: str, encrypt: str) -> str:
    """Return the `msg_signature` of an encrypted push or reply. It covers the encrypted body."""
    return sha1_hex("".join(sorted([token, timestamp, nonce, encrypt])))


def verify_plain_signature(signature: str, token: str, timestamp: str, nonce: str) -> None:
    """Raise PushSignatureMismatch if `signature` is wrong or `token` is empty."""
    _verify(signature, plain_signature(token, timestamp, nonce), token)


def verify_message_signature(
    signature: str, token: str, timestamp: str, nonce: str, encrypt: str
) -> None:
    """Raise PushSignatureMismatch if `signature`, a msg_signature, is wrong or `token` is empty."""
    _verify(signature, message_signature(token, timestamp, nonce, encrypt), token)


def decrypt_message(encoding_aes_key: str, encrypt: str) -> PushMessage:
    """Decrypt the Encrypt field of a push. The caller must have verified its msg_signature.

    Raises UndecryptablePush, or AppMisconfigured if `encoding_aes_key` is malformed.
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
    """Encrypt a message for the Encrypt field of a push or reply.

    Tests pass 16 `random_bytes` to reproduce a known example. Raises AppMisconfigured if
    `encoding_aes_key` is malformed.
    """
    key = _aes_key(encoding_aes_key)
    body = message.encode()
    head = (random_bytes or os.urandom(RANDOM_BYTES)) + struct.pack(">I", len(body))
    sealed = _cipher(key).encrypt(pad(head + body + appid.encode(), PADDING_BLOCK))
    return b64encode(sealed).decode()


def encrypted_reply(encrypt: str, token: str, timestamp: int, nonce: str) -> str:
    """Return the signed JSON envelope of an encrypted reply. `nonce` is the nonce of the push.

    Only some messages need an encrypted reply. The response to all others is the text `success`.
    """
    signature = message_signature(token, str(timestamp), nonce, encrypt)
    reply = {"Encrypt": encrypt, "MsgSignature": signature, "TimeStamp": timestamp, "Nonce": nonce}
    return json.dumps(reply, separators=(",", ":"))


def _verify(signature: str, expected: str, token: str) -> None:
    # Anyone can compute a signature with an empty token.
    if not token or not signatures_match(expected, signature):
        raise PushSignatureMismatch


def _aes_key(encoding_aes_key: str) -> bytes:
    # 43 characters hold two more bits than the key. WeChat may set them; decoding ignores them.
    try:
        if len(encoding_aes_key) != ENCODING_AES_KEY_CHARS:
            raise WrongShape("EncodingAESKey")
        return base64_of(encoding_aes_key + "=", 32)
    except WrongShape:
        raise AppMisconfigured(reason="EncodingAESKey is not 43 characters of Base64") from None


def _cipher(key: bytes) -> CbcMode:
    # WeChat's page does not specify the IV. Its sample code uses the first 16 bytes of the key.
    return AES.new(key, AES.MODE_CBC, iv=key[: AES.block_size])


def _unseal(content: bytes) -> PushMessage:
    (length,) = struct.unpack(">I", content[RANDOM_BYTES:HEAD])
    message, appid = content[HEAD : HEAD + length], content[HEAD + length :]
    if not appid:
        raise WrongShape("length")
    return PushMessage(marked_text(message), appid.decode("utf-8"))
