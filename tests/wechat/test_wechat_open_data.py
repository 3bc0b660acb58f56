"""Decryption of open data: WeChat's documented examples, and invalid data."""

import base64
import json
import random
from contextlib import suppress
from pathlib import Path

import pytest
from Crypto.Cipher import AES
from Crypto.Util.Padding import pad

from app.wechat import (
    ForeignWatermark,
    MalformedOpenData,
    OpenDataError,
    OpenDataTooOld,
    PhoneCountryMissing,
    PhoneInfo,
    PhoneNumberMissing,
    SessionKeyStale,
    SignatureMismatch,
    UnreadableOpenData,
    UserInfo,
    decrypt_phone,
    decrypt_user_info,
    raw_user_info,
    verify_signature,
)
from app.wechat.signatures import sha1_hex

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


def test_wechats_documented_profile_is_decrypted():
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


def test_wechats_documented_phone_number_is_decrypted():
    phone = decrypt(decrypt_phone, PHONE["encryptedData"])
    assert phone == PhoneInfo("13580006666", "13580006666", "86", MADE_AT)
    assert "13580006666" not in repr(phone)


def test_a_decrypted_country_code_may_be_a_json_number():
    data = encrypt_json(phoneNumber="+85212345678", purePhoneNumber="12345678", countryCode=852)
    assert decrypt(decrypt_phone, data).country_code == "852"


def test_spaces_in_encrypted_data_are_read_as_plus_signs():
    assert "+" in USER["encryptedData"]
    blanked = USER["encryptedData"].replace("+", " ")
    assert decrypt(decrypt_user_info, blanked).nickname == "Band"


def test_spaces_in_the_iv_of_open_data_are_read_as_plus_signs():
    iv = base64.b64encode(b"\xfb" * 16).decode()
    assert "+" in iv
    cipher = AES.new(base64.b64decode(KEY), AES.MODE_CBC, iv=b"\xfb" * 16)
    data = base64.b64encode(cipher.encrypt(pad(PHONE["plain"].encode(), 16))).decode()
    assert decrypt(decrypt_phone, data, iv=iv.replace("+", " ")).country_code == "86"


def test_a_changed_character_in_the_iv_raises_session_key_stale():
    assert IV == "r7BXXKkLb8qrSNn05n0qiA=="
    with pytest.raises(SessionKeyStale):
        decrypt(decrypt_user_info, USER["encryptedData"], iv="r7BXXKkLb8qrSNn05n2qiA==")


def test_random_session_keys_raise_session_key_stale_even_with_valid_padding():
    """About 90 of the 20,000 random keys produce valid padding."""
    rng = random.Random(2016)
    unreadable = encrypt(b'{"nickName":"Band,"watermark":{"appid":"%s"}}' % APPID.encode())
    vectors = USER["encryptedData"], PHONE["encryptedData"], unreadable
    with_padding = 0
    for number in range(20_000):
        key, data = rng.randbytes(16), vectors[number % 3]
        with pytest.raises(SessionKeyStale):
            decrypt(decrypt_user_info, data, key=base64.b64encode(key).decode())
        plain = AES.new(key, AES.MODE_CBC, iv=base64.b64decode(IV)).decrypt(base64.b64decode(data))
        last = plain[-1]
        with_padding += last in range(1, 17) and plain.endswith(bytes([last]) * last)
    assert 50 < with_padding < 150


UNREADABLE = [
    '{"nickName":"Band,"watermark":{"appid":"%s","timestamp":1}}',
    '{"nickName":"a"b","watermark":{"appid":"%s","timestamp":1}}',
    '{"nickName":"a\\x","watermark":{"appid":"%s","timestamp":1}}',
    '{"nickName":"Band","watermark":{"appid":"%s","timestamp":1}',
    '{"phoneNumber":13580006666x,"watermark":{"appid":"%s","timestamp":1}}',
    '{\n "nickName": "Band,\n "watermark": {"appid": "%s", "timestamp": 1}\n}',
    '\ufeff\r\n{\t"nickName": "Band,"watermark":{"appid":"%s","timestamp":1}}',
    '{\x08"nickName":"Band,"watermark":{"appid":"%s","timestamp":1}}',
]


@pytest.mark.parametrize("text", UNREADABLE)
@pytest.mark.parametrize("read", [decrypt_user_info, decrypt_phone])
def test_invalid_json_decrypted_with_the_right_key_raises_unreadable_open_data(read, text):
    """The padding and the watermark prove that the session_key was right."""
    with pytest.raises(UnreadableOpenData):
        decrypt(read, encrypt((text % APPID).encode()))


@pytest.mark.parametrize("text", UNREADABLE)
def test_invalid_json_decrypted_with_a_wrong_key_or_iv_raises_session_key_stale(text):
    data = encrypt((text % APPID).encode())
    for wrong in ({"key": RAW["session_key"]}, {"iv": "AAAAAAAAAAAAAAAAAAAAAA=="}):
        with pytest.raises(SessionKeyStale):
            decrypt(decrypt_user_info, data, **wrong)


CONTROLS = [bytes([code]) for code in (*range(0x20), 0x7F)]
CUT = [b"\xe5", b"\xe5\xb0", b"\xf0\x9f\x8c", b"\xff", b"\xed\xa0\xbd"]
DAMAGED = (
    b'{"nickName":"%sBa%snd%s","gender":1,"city":"%s","extra":"%s","watermark":'
    b'{"appid":"%s","timestamp":%d}}'
)


@pytest.mark.parametrize("damage", CONTROLS + CUT, ids=repr)
def test_damaged_characters_in_a_profile_are_removed(damage):
    """Damaged characters are control characters and incomplete UTF-8 sequences."""
    plain = DAMAGED % (*[damage] * 5, APPID.encode(), MADE_AT)
    info = decrypt(decrypt_user_info, encrypt(plain))
    assert (info.nickname, info.city, info.gender) == ("Band", "", 1)


@pytest.mark.parametrize("damage", [b"\0", b"\x08", *CUT], ids=repr)
def test_damaged_characters_after_the_last_brace_are_removed(damage):
    """WeChat may append an incomplete UTF-8 character to valid JSON."""
    data = encrypt(USER["plain"].encode() + damage)
    assert decrypt(decrypt_user_info, data).nickname == "Band"


@pytest.mark.parametrize("damage", ["\x1d", "\x08", "\t", "\n", "\0", "\ufffd"], ids=repr)
def test_damaged_characters_in_raw_data_are_removed_after_the_signature_was_verified(damage):
    """The signature covers rawData with the damaged characters."""
    raw = f'{{"nickName":"{damage}Ba{damage}nd","gender":1}}'
    signature = sha1_hex(raw + KEY)
    verify_signature(raw, signature, KEY)
    assert raw_user_info(raw).nickname == "Band"
    with pytest.raises(SignatureMismatch):
        verify_signature(raw.replace(damage, ""), signature, KEY)


IDS = ["openId", "unionId"]
NUMBERS = ["phoneNumber", "purePhoneNumber"]
CUT_BYTES = [b"\xe5", b"\xd5"]


@pytest.mark.parametrize(
    ("field", "damage"),
    [
        *((field, damage) for field in IDS for damage in (b"\x1d", b"\n", *CUT_BYTES)),
        *((field, damage) for field in NUMBERS for damage in CUT_BYTES),
    ],
)
def test_damaged_characters_in_openid_unionid_or_phone_number_are_rejected(field, damage):
    """An attacker can cause such damage by changing the iv or the ciphertext.

    If damaged characters were removed, the remaining text could be the openid of another person.
    """
    plain = (
        b'{"nickName":"Band","phoneNumber":"13580006666","purePhoneNumber":"13580006666",'
        b'"countryCode":"86","openId":"oAlice","unionId":"uAlice",'
        b'"watermark":{"appid":"%s","timestamp":%d}}' % (APPID.encode(), MADE_AT)
    )
    assert decrypt(decrypt_user_info, encrypt(plain)).openid == "oAlice"
    name = b'"%s":"' % field.encode()
    damaged = encrypt(
        plain.replace(name + b"1", name + b"1" + damage)
        .replace(name + b"o", name + b"o" + damage)
        .replace(name + b"u", name + b"u" + damage)
    )
    read = decrypt_phone if "hone" in field else decrypt_user_info
    with pytest.raises((SessionKeyStale, MalformedOpenData)):
        decrypt(read, damaged)


@pytest.mark.parametrize("damage", [*CONTROLS, b"\\u0008", b"\xc2\x85"], ids=repr)
def test_control_characters_in_a_phone_number_and_country_code_are_removed(damage):
    """Control characters do not show that the session_key is stale."""
    plain = (
        b'{"phoneNumber":"135%s80006666%s","purePhoneNumber":"%s13580006666","countryCode":"8%s6",'
        b'"watermark":{"appid":"%s","timestamp":%d}}'
    ) % (*[damage] * 4, APPID.encode(), MADE_AT)
    phone = decrypt(decrypt_phone, encrypt(plain))
    assert phone == PhoneInfo("13580006666", "13580006666", "86", MADE_AT)


def test_a_phone_number_with_only_control_characters_raises_phone_number_missing():
    fields = {"phoneNumber": "\x08", "purePhoneNumber": "13580006666", "countryCode": "86"}
    with pytest.raises(PhoneNumberMissing):
        decrypt(decrypt_phone, encrypt_json(**fields))


@pytest.mark.parametrize("garbled", [b"\xff" * 16, b"\x08" * 16, b"\xe5\x08" * 8], ids=repr)
def test_text_on_both_sides_of_damaged_characters_is_not_joined_to_a_phone_number(garbled):
    """An attacker who changes a ciphertext block garbles it and controls the next 16 bytes.

    If damaged characters were removed before parsing, the controlled bytes could form a phone
    number.
    """
    phone = b'"purePhoneNumber":"13800138000","phoneNumber":"13800138000","countryCode":"86"'
    fragment = b'",' + phone + b',"x":"'
    pieces = [fragment[start : start + 16] for start in range(0, len(fragment), 16)]
    plain = USER["plain"].encode()
    at = plain.index(b'avatarUrl":"') + 12
    for joined in (b"".join(pieces), garbled + garbled.join(pieces) + garbled):
        data = encrypt(plain[:at] + joined + plain[at:])
        if joined == fragment:
            assert decrypt(decrypt_phone, data).pure_phone_number == "13800138000"
        else:
            with pytest.raises(OpenDataError):
                decrypt(decrypt_phone, data)


@pytest.mark.parametrize("vector", [(decrypt_user_info, USER), (decrypt_phone, PHONE)])
def test_random_changes_of_the_plaintext_raise_only_documented_exceptions(vector):
    read, example = vector
    rng = random.Random(27)
    for _ in range(1_500):
        plain = bytearray(example["plain"].encode())
        for _ in range(rng.randrange(1, 4)):
            plain[rng.randrange(len(plain))] = rng.randrange(256)
        with suppress(OpenDataError, PhoneNumberMissing, PhoneCountryMissing):
            assert decrypt(read, encrypt(bytes(plain)))


@pytest.mark.parametrize("number", ["", "  ", None])
@pytest.mark.parametrize("field", ["phoneNumber", "purePhoneNumber"])
def test_a_missing_or_empty_phone_number_raises_phone_number_missing(field, number):
    """The client did not change the data, so the error is not MalformedOpenData."""
    fields = {"phoneNumber": "13580006666", "purePhoneNumber": "13580006666", "countryCode": "86"}
    with pytest.raises(PhoneNumberMissing):
        decrypt(decrypt_phone, encrypt_json(**fields | {field: number}))
    del fields[field]
    with pytest.raises(PhoneNumberMissing):
        decrypt(decrypt_phone, encrypt_json(**fields))


@pytest.mark.parametrize("code", [{}, {"countryCode": ""}, {"countryCode": None}])
def test_open_data_without_a_country_code_raises_phone_country_missing(code):
    """The client did not change the data, so the error is not MalformedOpenData."""
    fields = {"phoneNumber": "13580006666", "purePhoneNumber": "13580006666"}
    with pytest.raises(PhoneCountryMissing):
        decrypt(decrypt_phone, encrypt_json(**fields | code))


def test_the_watermark_of_open_data_is_checked_before_the_phone_number():
    foreign = {"appid": "wxglobex", "timestamp": MADE_AT}
    with pytest.raises(ForeignWatermark):
        decrypt(decrypt_phone, encrypt_json(phoneNumber="", watermark=foreign))


@pytest.mark.parametrize("key", ["", "c2hvcnQ=", "!", "密钥", "HyVFkGl5F5OQWJZZaNzBBg=="])
def test_a_malformed_or_wrong_session_key_raises_session_key_stale(key):
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
def test_invalid_ciphertext_raises_malformed_open_data(data):
    with pytest.raises(MalformedOpenData):
        decrypt(decrypt_user_info, data)


@pytest.mark.parametrize("iv", ["", "AAAA", IV[:-4], IV + "AAAA", "r7BXXKkLb8qrSNn05n0qiA", "向量"])
def test_an_iv_that_does_not_have_16_bytes_raises_malformed_open_data(iv):
    with pytest.raises(MalformedOpenData):
        decrypt(decrypt_user_info, USER["encryptedData"], iv=iv)


@pytest.mark.parametrize(
    "tail", [b"\x00", b"\x11" * 17, b"\x20" * 32, b"\x01\x02", b"\x03\x02\x03", b"\xff"]
)
def test_invalid_padding_raises_session_key_stale(tail):
    text = USER["plain"].encode()
    blanks = b" " * (-(len(text) + len(tail)) % 16)
    with pytest.raises(SessionKeyStale):
        decrypt(decrypt_user_info, encrypt(text + blanks + tail, padded=False))


@pytest.mark.parametrize("plain", [b"", b"\xff\xfe", b"{", b"[]", b"7", b"null", b"{}x"])
def test_a_plaintext_that_is_not_a_json_object_raises_session_key_stale(plain):
    with pytest.raises(SessionKeyStale):
        decrypt(decrypt_user_info, encrypt(plain))


@pytest.mark.parametrize("read", [decrypt_user_info, decrypt_phone])
@pytest.mark.parametrize(
    "watermark",
    [None, [], "wx", {}, {"timestamp": MADE_AT}, {"appid": None}, {"appid": "wxglobex"}],
)
def test_open_data_with_a_missing_or_foreign_watermark_raises_foreign_watermark(read, watermark):
    with pytest.raises(ForeignWatermark):
        decrypt(read, encrypt_json(nickName="Band", watermark=watermark))


@pytest.mark.parametrize("vector", [(decrypt_user_info, USER), (decrypt_phone, PHONE)])
def test_open_data_for_another_app_raises_foreign_watermark(vector):
    read, example = vector
    with pytest.raises(ForeignWatermark):
        decrypt(read, example["encryptedData"], appid="wxglobex")


@pytest.mark.parametrize("age", [-300, 0, DAY])
def test_open_data_within_the_maximum_age_is_accepted(age):
    assert decrypt(decrypt_phone, PHONE["encryptedData"], now=MADE_AT + age)


@pytest.mark.parametrize("age", [-301, DAY + 1, 10 * DAY])
def test_open_data_beyond_the_maximum_age_raises_open_data_too_old(age):
    with pytest.raises(OpenDataTooOld):
        decrypt(decrypt_phone, PHONE["encryptedData"], now=MADE_AT + age)


@pytest.mark.parametrize("made_at", [None, "1477314187", True, 1477314187.5])
def test_open_data_with_a_missing_or_invalid_timestamp_raises_malformed_open_data(made_at):
    with pytest.raises(MalformedOpenData):
        decrypt(
            decrypt_user_info,
            encrypt_json(nickName="Band", watermark={"appid": APPID, "timestamp": made_at}),
        )


def test_a_phone_read_as_profile_or_a_profile_read_as_phone_raises_malformed_open_data():
    with pytest.raises(MalformedOpenData):
        decrypt(decrypt_user_info, PHONE["encryptedData"])
    with pytest.raises(MalformedOpenData):
        decrypt(decrypt_phone, USER["encryptedData"])


def test_an_anonymous_profile_with_only_a_nickname_is_decrypted():
    info = decrypt(decrypt_user_info, encrypt_json(nickName="微信用户😀", is_demote=True, gender=0))
    assert info == UserInfo("微信用户😀", "", 0, "", "", "", "", None, None)


def test_escaped_control_characters_and_lone_surrogates_in_a_nickname_are_removed():
    data = encrypt(
        b'{"nickName":"a\\ud83d\\u0000b","watermark":{"appid":"%s","timestamp":%d}}'
        % (APPID.encode(), MADE_AT)
    )
    assert decrypt(decrypt_user_info, data).nickname == "ab"


def test_changed_ciphertext_raises_only_open_data_errors():
    rng = random.Random(1)
    original = base64.b64decode(USER["encryptedData"])
    for _ in range(500):
        damaged = bytearray(original)
        damaged[rng.randrange(len(damaged))] ^= rng.randrange(1, 256)
        with pytest.raises(OpenDataError):
            decrypt(decrypt_phone, base64.b64encode(damaged).decode())


def test_wechats_documented_signature_of_raw_data_is_valid():
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
def test_a_changed_raw_data_signature_or_session_key_raises_signature_mismatch(change):
    given = RAW | change
    with pytest.raises(SignatureMismatch):
        verify_signature(given["rawData"], given["signature"], given["session_key"])


def test_a_signature_with_an_empty_session_key_raises_signature_mismatch():
    signature_of_nothing = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
    with pytest.raises(SignatureMismatch):
        verify_signature("", signature_of_nothing, "")


@pytest.mark.parametrize(
    "raw", ["", "[]", "{}", '{"nickName":7}', '{"nickName":"x","gender":"1"}', "\ud800"]
)
def test_raw_data_that_is_not_a_profile_raises_malformed_open_data(raw):
    with pytest.raises(MalformedOpenData):
        raw_user_info(raw)


def test_raw_data_may_contain_chinese_and_emoji():
    assert raw_user_info('{"nickName":"爱丽丝😀","gender":2}').nickname == "爱丽丝😀"
