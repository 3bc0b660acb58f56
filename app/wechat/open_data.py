"""Open data (开放数据校验与解密): user data that WeChat gives the client, signed or encrypted."""

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
# Every plaintext begins with OPENING (after white space and control characters) and contains
# WATERMARK.
OPENING, WATERMARK = re.compile(rb'(?:\xef\xbb\xbf)?[\x00-\x20]*\{[\x00-\x20]*"'), b'"watermark"'
IDS = ("openId", "unionId", "phoneNumber", "purePhoneNumber", "countryCode")


def verify_signature(raw_data: str, signature: str, session_key: str) -> None:
    """Raise SignatureMismatch unless `signature` is WeChat's signature of exactly this rawData.

    An empty session_key is rejected, because anyone can compute that signature.
    """
    expected = sha1_hex(raw_data + session_key)
    if not session_key or not signatures_match(expected, signature):
        raise SignatureMismatch


def raw_user_info(raw_data: str) -> UserInfo:
    """Return the profile in rawData whose signature was verified. Raise MalformedOpenData."""
    try:
        return read_user_info(parse_object(raw_data.encode("utf-8", "surrogatepass")))
    except WrongShape:
        raise MalformedOpenData(reason="rawData is not a profile") from None


def decrypt_user_info(
    encrypted_data: str, iv: str, session_key: str, appid: str, now: int, max_age: int
) -> UserInfo:
    """Decrypt the profile from wx.getUserInfo. `now` is in unix seconds, `max_age` in seconds.

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
    """Decrypt the phone number from the old button. `now` is in unix seconds, `max_age` in seconds.

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
    """Parse a decrypted text with valid padding. One in 200 wrong keys also yields valid padding.

    Raises UnreadableOpenData for invalid JSON if the key and iv were right, or else WrongShape.
    The watermark's name in the text proves the right key, and the opening proves the right iv.
    Raises SessionKeyStale for an id or number with invalid UTF-8.
    """
    try:
        data = parse_object(plaintext)
    except WrongShape:
        if OPENING.match(plaintext) and WATERMARK in plaintext:
            raise UnreadableOpenData(reason="decrypted, but not JSON") from None
        raise
    # WeChat may truncate human-written text within a character, but no id or number. Invalid UTF-8
    # there means that the iv or the ciphertext was changed. Control characters may be genuine.
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
    # If a client does not escape Base64 in a query or form, its plus signs arrive as spaces.
    return base64.replace(" ", "+")
