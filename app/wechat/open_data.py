"""Open data (开放数据校验与解密): what WeChat hands to the client, signed or encrypted for us."""

from Crypto.Cipher import AES
from Crypto.Util.Padding import unpad

from app.wechat.errors import (
    MalformedOpenData,
    OpenDataTooOld,
    SessionKeyStale,
    SignatureMismatch,
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


def verify_signature(raw_data: str, signature: str, session_key: str) -> None:
    """Check that rawData is, to the letter, what WeChat gave the client.

    Raises SignatureMismatch, also without a session_key: anybody can sign with an empty one.
    """
    expected = sha1_hex(raw_data + session_key)
    if not session_key or not signatures_match(expected, signature):
        raise SignatureMismatch


def raw_user_info(raw_data: str) -> UserInfo:
    """Read the profile in rawData whose signature was verified; raises MalformedOpenData."""
    try:
        return read_user_info(parse_object(raw_data.encode()))
    except (WrongShape, UnicodeEncodeError):
        raise MalformedOpenData(reason="rawData is not a profile") from None


def decrypt_user_info(
    encrypted_data: str, iv: str, session_key: str, appid: str, now: int, max_age: int
) -> UserInfo:
    """Decrypt the profile of wx.getUserInfo; `now` in unix seconds, `max_age` in seconds.

    Raises MalformedOpenData, SessionKeyStale, ForeignWatermark or OpenDataTooOld.
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

    Raises MalformedOpenData, SessionKeyStale, ForeignWatermark or OpenDataTooOld.
    """
    data = _decrypt(encrypted_data, iv, session_key)
    try:
        return read_phone(data, _check_watermark(data, appid, now, max_age))
    except WrongShape:
        raise MalformedOpenData(reason="not a phone") from None


def _check_watermark(data: JsonObject, appid: str, now: int, max_age: int) -> int:
    made_at = read_watermark(data, appid)
    if not now - max_age <= made_at <= now + FUTURE_LEEWAY:
        raise OpenDataTooOld
    return made_at


def _decrypt(encrypted_data: str, iv: str, session_key: str) -> JsonObject:
    ciphertext, vector = _ciphertext(encrypted_data, iv)
    # AES-CBC cannot tell a wrong key: 1 in 200 random ones leaves correct padding. Only padding,
    # UTF-8, JSON and the watermark together can, and whichever fails first means the same.
    try:
        key = base64_of(session_key, SESSION_KEY_BYTES)
        plaintext = AES.new(key, AES.MODE_CBC, iv=vector).decrypt(ciphertext)
        return parse_object(unpad(plaintext, AES.block_size))
    except ValueError:
        raise SessionKeyStale from None


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
