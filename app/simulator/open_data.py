"""Open data (开放数据) that a phone returns to a mini-program, signed and encrypted."""

import base64
import hashlib
import secrets
from typing import Any

from Crypto.Cipher import AES
from Crypto.Util.Padding import pad

from app.simulator.wechat_json import to_json
from app.simulator.world import Person


def encrypt(payload: dict[str, Any], session_key: str) -> dict[str, str]:
    """Encrypt a payload with AES-128-CBC and PKCS#7, the session_key and a random iv."""
    iv = secrets.token_bytes(16)
    cipher = AES.new(base64.b64decode(session_key), AES.MODE_CBC, iv)
    encrypted = cipher.encrypt(pad(to_json(payload).encode(), 16))
    return {
        "encryptedData": base64.b64encode(encrypted).decode(),
        "iv": base64.b64encode(iv).decode(),
    }


def sign(raw_data: str, session_key: str) -> str:
    """Return the signature of rawData: SHA-1 over rawData and the session_key."""
    return hashlib.sha1((raw_data + session_key).encode(), usedforsecurity=False).hexdigest()


def user_info(person: Person) -> dict[str, Any]:
    """Return the user info of wx.getUserInfo, without openid and unionid."""
    return {
        "nickName": person.nickname,
        "gender": person.gender,
        "language": "zh_CN",
        "city": "Guangzhou",
        "province": "Guangdong",
        "country": "CN",
        "avatarUrl": person.avatar_url,
    }


def phone_info(phone: str, country_code: str, *, as_int: bool) -> dict[str, Any]:
    """Return the phone info. Only a foreign number includes its country code."""
    is_chinese = country_code == "86"
    return {
        "phoneNumber": phone if is_chinese else f"+{country_code}{phone}",
        "purePhoneNumber": phone,
        "countryCode": int(country_code) if as_int else country_code,
    }
