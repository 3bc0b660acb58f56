"""Open data (开放数据) as a phone hands it to its mini-program: signed, encrypted."""

import base64
import hashlib
import secrets
from typing import Any

from Crypto.Cipher import AES
from Crypto.Util.Padding import pad

from app.simulator.wechat_json import to_json
from app.simulator.world import Person


def encrypt(payload: dict[str, Any], session_key: str) -> dict[str, str]:
    """Encrypt with AES-128-CBC and PKCS#7 under the session_key and a fresh iv."""
    iv = secrets.token_bytes(16)
    cipher = AES.new(base64.b64decode(session_key), AES.MODE_CBC, iv)
    encrypted = cipher.encrypt(pad(to_json(payload).encode(), 16))
    return {
        "encryptedData": base64.b64encode(encrypted).decode(),
        "iv": base64.b64encode(iv).decode(),
    }


def sign(raw_data: str, session_key: str) -> str:
    """Sign rawData: SHA-1 over it and the session_key, as WeChat prescribes."""
    return hashlib.sha1((raw_data + session_key).encode(), usedforsecurity=False).hexdigest()


def user_info(person: Person) -> dict[str, Any]:
    """Describe a person as wx.getUserInfo does, without identity."""
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
    """Describe a phone number; only a foreign one carries its country code."""
    is_chinese = country_code == "86"
    return {
        "phoneNumber": phone if is_chinese else f"+{country_code}{phone}",
        "purePhoneNumber": phone,
        "countryCode": int(country_code) if as_int else country_code,
    }
