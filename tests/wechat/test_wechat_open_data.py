"""Open data: Tencent's own examples, and every way in which it can be wrong."""

import base64
import json
import random
from pathlib import Path

import pytest
from Crypto.Cipher import AES
from Crypto.Util.Padding import pad

from app.wechat import (
    ForeignWatermark,
    MalformedOpenData,
    OpenDataError,
    OpenDataTooOld,
    PhoneInfo,
    SessionKeyStale,
    SignatureMismatch,
    UserInfo,
    decrypt_phone,
    decrypt_user_info,
    raw_user_info,
    verify_signature,
)

VECTORS = json.loads(Path(__file__).with_name("wechat_vectors.json").read_text("utf-8"))
USER, PHONE = VECTORS["open"]
RAW = VECTORS["raw"][0]
APPID, KEY, IV = USER["appid"], USER["session_key"], USER["iv"]
MADE_AT = 1477314187
DAY = 86400


def decrypt(read, data, *, iv=IV, key=KEY, appid=APPID, now=MADE_AT):
    return read(data, iv, key, appid, now, DAY)


def encrypt(plain: bytes, *, padded: bool = True) -> str:
    cipher = AES.new(base64.b64decode(KEY), AES.MODE_CBC, iv=base64.b64decode(IV))
    return base64.b64encode(cipher.encrypt(pad(plain, 16) if padded else plain)).decode()


def encrypt_json(**data) -> str:
    data.setdefault("watermark", {"appid": APPID, "timestamp": MADE_AT})
    return encrypt(json.dumps(data).encode())


def test_the_official_profile_is_read():
    assert decrypt(decrypt_user_info, USER["encryptedData"]) == UserInfo(
        nickname="Band",
        avatar_url=json.loads(USER["plain"])["avatarUrl"],
        gender=1,
        language="zh_CN",
        city="Guangzhou",
        province="Guangdong",
        country="CN",
        openid="oGZUI0egBJY1zhBYw2KhdUfwVJJE",
        union_id="ocMvos6NjeKLIBqg5Mr9QjxrP1FA",
    )


def test_the_phone_example_is_read():
    phone = decrypt(decrypt_phone, PHONE["encryptedData"])
    assert phone == PhoneInfo("13580006666", "13580006666", "86", MADE_AT)
    assert "13580006666" not in repr(phone)


def test_a_country_code_may_be_a_number():
    data = encrypt_json(phoneNumber="+85212345678", purePhoneNumber="12345678", countryCode=852)
    assert decrypt(decrypt_phone, data).country_code == "852"


def test_plus_signs_that_became_blanks_are_put_back():
    assert "+" in USER["encryptedData"]
    blanked = USER["encryptedData"].replace("+", " ")
    assert decrypt(decrypt_user_info, blanked).nickname == "Band"


def test_a_blank_in_the_iv_is_a_plus_sign():
    iv = base64.b64encode(b"\xfb" * 16).decode()
    assert "+" in iv
    cipher = AES.new(base64.b64decode(KEY), AES.MODE_CBC, iv=b"\xfb" * 16)
    data = base64.b64encode(cipher.encrypt(pad(PHONE["plain"].encode(), 16))).decode()
    assert decrypt(decrypt_phone, data, iv=iv.replace("+", " ")).country_code == "86"


def test_one_slip_in_the_iv_is_not_a_silently_wrong_openid():
    assert IV == "r7BXXKkLb8qrSNn05n0qiA=="
    with pytest.raises(SessionKeyStale):
        decrypt(decrypt_user_info, USER["encryptedData"], iv="r7BXXKkLb8qrSNn05n2qiA==")


def test_no_wrong_key_ever_opens_anything():
    rng = random.Random(2016)
    for _ in range(2000):
        key = base64.b64encode(rng.randbytes(16)).decode()
        with pytest.raises((SessionKeyStale, ForeignWatermark)):
            decrypt(decrypt_user_info, USER["encryptedData"], key=key)


@pytest.mark.parametrize("key", ["", "c2hvcnQ=", "!", "密钥", "HyVFkGl5F5OQWJZZaNzBBg=="])
def test_a_key_that_does_not_fit_means_a_new_login(key):
    with pytest.raises(SessionKeyStale):
        decrypt(decrypt_user_info, USER["encryptedData"], key=key)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "A",
        "====",
        "not base64!",
        "密文",
        "\ud800",
        "MTUgYnl0ZXMgbG9uZy4u",
        IV + "\n",
        IV + "====",
    ],
)
def test_what_is_no_ciphertext_is_malformed(data):
    with pytest.raises(MalformedOpenData):
        decrypt(decrypt_user_info, data)


@pytest.mark.parametrize("iv", ["", "AAAA", IV[:-4], IV + "AAAA", "r7BXXKkLb8qrSNn05n0qiA", "向量"])
def test_an_iv_of_other_than_16_bytes_is_malformed(iv):
    with pytest.raises(MalformedOpenData):
        decrypt(decrypt_user_info, USER["encryptedData"], iv=iv)


@pytest.mark.parametrize(
    "tail", [b"\x00", b"\x11" * 17, b"\x20" * 32, b"\x01\x02", b"\x03\x02\x03", b"\xff"]
)
def test_padding_is_strict(tail):
    text = USER["plain"].encode()
    blanks = b" " * (-(len(text) + len(tail)) % 16)
    with pytest.raises(SessionKeyStale):
        decrypt(decrypt_user_info, encrypt(text + blanks + tail, padded=False))


@pytest.mark.parametrize("plain", [b"", b"\xff\xfe", b"{", b"[]", b"7", b"null", b"{}x"])
def test_a_plaintext_that_is_no_json_object_means_a_new_login(plain):
    with pytest.raises(SessionKeyStale):
        decrypt(decrypt_user_info, encrypt(plain))


@pytest.mark.parametrize("read", [decrypt_user_info, decrypt_phone])
@pytest.mark.parametrize(
    "watermark",
    [None, [], "wx", {}, {"timestamp": MADE_AT}, {"appid": None}, {"appid": "wxglobex"}],
)
def test_another_apps_data_is_refused(read, watermark):
    with pytest.raises(ForeignWatermark):
        decrypt(read, encrypt_json(nickName="Band", watermark=watermark))


@pytest.mark.parametrize("vector", [(decrypt_user_info, USER), (decrypt_phone, PHONE)])
def test_our_data_is_refused_at_the_neighbours(vector):
    read, example = vector
    with pytest.raises(ForeignWatermark):
        decrypt(read, example["encryptedData"], appid="wxglobex")


@pytest.mark.parametrize("age", [-300, 0, DAY])
def test_data_within_its_age_is_taken(age):
    assert decrypt(decrypt_phone, PHONE["encryptedData"], now=MADE_AT + age)


@pytest.mark.parametrize("age", [-301, DAY + 1, 10 * DAY])
def test_data_beyond_its_age_is_refused(age):
    with pytest.raises(OpenDataTooOld):
        decrypt(decrypt_phone, PHONE["encryptedData"], now=MADE_AT + age)


@pytest.mark.parametrize("made_at", [None, "1477314187", True, 1477314187.5])
def test_data_without_a_time_is_malformed(made_at):
    with pytest.raises(MalformedOpenData):
        decrypt(
            decrypt_user_info,
            encrypt_json(nickName="Band", watermark={"appid": APPID, "timestamp": made_at}),
        )


def test_a_phone_is_no_profile_and_a_profile_no_phone():
    with pytest.raises(MalformedOpenData):
        decrypt(decrypt_user_info, PHONE["encryptedData"])
    with pytest.raises(MalformedOpenData):
        decrypt(decrypt_phone, USER["encryptedData"])


def test_a_profile_of_today_has_little_in_it():
    info = decrypt(decrypt_user_info, encrypt_json(nickName="微信用户😀", is_demote=True, gender=0))
    assert info == UserInfo("微信用户😀", "", 0, "", "", "", "", None, None)


def test_a_nickname_is_made_fit_for_a_database():
    data = encrypt(
        b'{"nickName":"a\\ud83d\\u0000b","watermark":{"appid":"%s","timestamp":%d}}'
        % (APPID.encode(), MADE_AT)
    )
    assert decrypt(decrypt_user_info, data).nickname == "a?b"


def test_damaged_data_raises_our_errors_only():
    rng = random.Random(1)
    original = base64.b64decode(USER["encryptedData"])
    for _ in range(500):
        damaged = bytearray(original)
        damaged[rng.randrange(len(damaged))] ^= rng.randrange(1, 256)
        with pytest.raises(OpenDataError):
            decrypt(decrypt_phone, base64.b64encode(damaged).decode())


def test_the_official_signature_is_right():
    verify_signature(RAW["rawData"], RAW["signature"], RAW["session_key"])
    assert raw_user_info(RAW["rawData"]).nickname == "Band"
    assert raw_user_info(RAW["rawData"]).openid is None


@pytest.mark.parametrize(
    "change",
    [
        {"rawData": RAW["rawData"] + " "},
        {"rawData": RAW["rawData"].replace("Band", "Bank")},
        {"rawData": "\ud800"},
        {"signature": RAW["signature"].upper()},
        {"signature": ""},
        {"signature": "签名"},
        {"signature": "\ud800"},
        {"session_key": KEY},
    ],
)
def test_a_signature_covers_every_letter(change):
    given = RAW | change
    with pytest.raises(SignatureMismatch):
        verify_signature(given["rawData"], given["signature"], given["session_key"])


def test_an_empty_session_key_verifies_nothing():
    signed_by_anybody = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
    with pytest.raises(SignatureMismatch):
        verify_signature("", signed_by_anybody, "")


@pytest.mark.parametrize(
    "raw", ["", "[]", "{}", '{"nickName":7}', '{"nickName":"x","gender":"1"}', "\ud800"]
)
def test_raw_data_that_is_no_profile_is_malformed(raw):
    with pytest.raises(MalformedOpenData):
        raw_user_info(raw)


def test_raw_data_may_be_chinese_with_emoji():
    assert raw_user_info('{"nickName":"爱丽丝😀","gender":2}').nickname == "爱丽丝😀"
