"""Open data (开放数据校验与解密): what WeChat hands to the client, signed or encrypted for us."""

import re

from Crypto.Cipher import AES
from Crypto.Util.Padding import unpad

from app.wechat.damaged_text import MARK
from app.wechat.errors import (
    MalformedOpenData,
    OpenDataTooOld,
    SessionKeyStale,
    SignatureMismatch,
    UnreadableOpenData,
)
from app.wechat.json_fields import JsonObject, WrongShape, base64_of, parse_object
from app.wechat.records import (
    SESSION_KEY_BYTES,
    PhoneInfo,
    UserInfo,
    read_phone,
    read_user_info,
    read_watermark,
)
from app.wechat.signatures import sha1_hex, signatures_match

FUTURE_LEEWAY = 300  # seconds by which WeChat's clock may be ahead of ours
# How every plaintext begins, apart from white space and control characters, and a name that every
# one holds.
OPENING, WATERMARK = re.compile(rb'(?:\xef\xbb\xbf)?[\x00-\x20]*\{[\x00-\x20]*"'), b'"watermark"'
IDS = ("openId", "unionId", "phoneNumber", "purePhoneNumber", "countryCode")


def verify_signature(raw_data: str, signature: str, session_key: str) -> None:
    """Check that rawData is, to the letter, what WeChat gave the client.

    Raises SignatureMismatch, also without a session_key, because an empty one proves nothing.
    """
    expected = sha1_hex(raw_data + session_key)
    if not session_key or not signatures_match(expected, signature):
        raise SignatureMismatch


def raw_user_info(raw_data: str) -> UserInfo:
    """Read the profile in verified rawData. Raises MalformedOpenData."""
    try:
        return read_user_info(parse_object(raw_data.encode("utf-8", "surrogatepass")))
    except WrongShape:
        raise MalformedOpenData(reason="rawData is not a profile") from None


def decrypt_user_info(
    encrypted_data: str, iv: str, session_key: str, appid: str, now: int, max_age: int
) -> UserInfo:
    """Decrypt the profile of wx.getUserInfo; `now` in unix seconds, `max_age` in seconds.

    Raises MalformedOpenData, SessionKeyStale, UnreadableOpenData, ForeignWatermark or
    OpenDataTooOld.
    """
    data = _decrypt(encrypted_data, iv, session_key)
    try:
        _check_watermark(data, appid, now, max_age)
        return read_user_info(data)
    except WrongShape:
        raise MalformedOpenData(reason="not a profile") from None


def decrypt_phone(
    encrypted_data: str, iv: str, session_key: str, appid: str, now: int, max_age: int
) -> PhoneInfo:
    """Decrypt the phone of the old button; `now` in unix seconds, `max_age` in seconds.

    Raises MalformedOpenData, SessionKeyStale, UnreadableOpenData, ForeignWatermark,
    OpenDataTooOld, PhoneNumberMissing or PhoneCountryMissing.
    """
    data = _decrypt(encrypted_data, iv, session_key)
    try:
        made_at = _check_watermark(data, appid, now, max_age)
        if not data.keys() & {"phoneNumber", "purePhoneNumber"}:
            raise WrongShape("not a phone")
        return read_phone(data, made_at)
    except WrongShape:
        raise MalformedOpenData(reason="not a phone") from None


def _check_watermark(data: JsonObject, appid: str, now: int, max_age: int) -> int:
    made_at = read_watermark(data, appid)
    if not now - max_age <= made_at <= now + FUTURE_LEEWAY:
        raise OpenDataTooOld
    return made_at


def _decrypt(encrypted_data: str, iv: str, session_key: str) -> JsonObject:
    ciphertext, vector = _ciphertext(encrypted_data, iv)
    try:
        key = base64_of(session_key, SESSION_KEY_BYTES)
        plaintext = AES.new(key, AES.MODE_CBC, iv=vector).decrypt(ciphertext)
        return _read_plaintext(unpad(plaintext, AES.block_size))
    except ValueError:
        raise SessionKeyStale from None


def _read_plaintext(plaintext: bytes) -> JsonObject:
    """Parse a plaintext with valid padding, which 1 in 200 wrong keys leave behind as well.

    No wrong key leaves the watermark's name behind, so where that is found, the key was right. The
    opening shows that the iv was right too.
    """
    try:
        data = parse_object(plaintext)
    except WrongShape:
        if OPENING.match(plaintext) and WATERMARK in plaintext:
            raise UnreadableOpenData(reason="decrypted, but not JSON") from None
        raise
    # WeChat cuts what people typed inside a character, never an id or a number. A changed iv or
    # ciphertext leaves bytes that are not UTF-8 anywhere. Control characters are no sign of it.
    if any(MARK in str(data.get(name)) for name in IDS):
        raise SessionKeyStale
    return data


def _ciphertext(encrypted_data: str, iv: str) -> tuple[bytes, bytes]:
    try:
        ciphertext = base64_of(_with_plus_signs(encrypted_data))
        vector = base64_of(_with_plus_signs(iv), AES.block_size)
    except WrongShape:
        raise MalformedOpenData(reason="encryptedData or iv is not its Base64") from None
    if not ciphertext or len(ciphertext) % AES.block_size:
        raise MalformedOpenData(reason="encryptedData is not whole blocks")
    return ciphertext, vector


def _with_plus_signs(base64: str) -> str:
    # Clients that put Base64 in a query or form unescaped turn its plus signs into blanks.
    return base64.replace(" ", "+")
