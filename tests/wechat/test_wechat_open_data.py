"""Open data: Tencent's own examples, and every way in which it can be wrong."""

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


def test_no_wrong_key_is_taken_for_the_right_one():
    """Of 20,000 random keys some 90 leave valid padding behind; all mean a new login."""
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
def test_invalid_json_in_correctly_decrypted_data_is_not_a_stale_key(read, text):
    """The padding and the name of the watermark show that the key was right."""
    with pytest.raises(UnreadableOpenData):
        decrypt(read, encrypt((text % APPID).encode()))


@pytest.mark.parametrize("text", UNREADABLE)
def test_invalid_json_under_another_key_or_iv_means_a_new_login(text):
    """Where the plaintext is garbage, the key is taken to be stale."""
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
def test_damaged_characters_in_a_profile_are_dropped(damage):
    """A control character or half a UTF-8 character in a text is dropped; the text is kept."""
    plain = DAMAGED % (*[damage] * 5, APPID.encode(), MADE_AT)
    info = decrypt(decrypt_user_info, encrypt(plain))
    assert (info.nickname, info.city, info.gender) == ("Band", "", 1)


@pytest.mark.parametrize("damage", [b"\0", b"\x08", *CUT], ids=repr)
def test_damage_after_the_last_brace_is_dropped(damage):
    """A text that is cut one byte too late is still valid JSON."""
    data = encrypt(USER["plain"].encode() + damage)
    assert decrypt(decrypt_user_info, data).nickname == "Band"


@pytest.mark.parametrize("damage", ["\x1d", "\x08", "\t", "\n", "\0", "\ufffd"], ids=repr)
def test_raw_data_is_tolerated_after_its_signature_was_verified_as_it_came(damage):
    """The signature covers the characters as they came. They are dropped afterwards."""
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
def test_an_id_with_damage_or_a_number_with_cut_characters_is_never_repaired(field, damage):
    """A changed iv or ciphertext damages ids too, so a repaired id could be another person's."""
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
def test_control_characters_in_a_phone_number_are_dropped(damage):
    """The number and its country code are kept, and the key is not called stale."""
    plain = (
        b'{"phoneNumber":"135%s80006666%s","purePhoneNumber":"%s13580006666","countryCode":"8%s6",'
        b'"watermark":{"appid":"%s","timestamp":%d}}'
    ) % (*[damage] * 4, APPID.encode(), MADE_AT)
    phone = decrypt(decrypt_phone, encrypt(plain))
    assert phone == PhoneInfo("13580006666", "13580006666", "86", MADE_AT)


def test_a_phone_number_of_control_characters_only_is_an_empty_number():
    fields = {"phoneNumber": "\x08", "purePhoneNumber": "13580006666", "countryCode": "86"}
    with pytest.raises(PhoneNumberMissing):
        decrypt(decrypt_phone, encrypt_json(**fields))


@pytest.mark.parametrize("garbled", [b"\xff" * 16, b"\x08" * 16, b"\xe5\x08" * 8], ids=repr)
def test_damage_never_joins_the_text_on_both_sides_of_it(garbled):
    """Controlled blocks that damage separates do not form a key or a value of a phone.

    A changed ciphertext block garbles its own 16 bytes and changes the next 16 at will. If all
    damage were dropped before parsing, the changed blocks would join.
    """
    phone = b'"purePhoneNumber":"13800138000","phoneNumber":"13800138000","countryCode":"86"'
    wanted = b'",' + phone + b',"x":"'
    pieces = [wanted[start : start + 16] for start in range(0, len(wanted), 16)]
    plain = USER["plain"].encode()
    at = plain.index(b'avatarUrl":"') + 12
    for joined in (b"".join(pieces), garbled + garbled.join(pieces) + garbled):
        data = encrypt(plain[:at] + joined + plain[at:])
        if joined == wanted:
            assert decrypt(decrypt_phone, data).pure_phone_number == "13800138000"
        else:
            with pytest.raises(OpenDataError):
                decrypt(decrypt_phone, data)


@pytest.mark.parametrize("vector", [(decrypt_user_info, USER), (decrypt_phone, PHONE)])
def test_random_damage_inside_is_read_or_refused_and_nothing_else(vector):
    """1,500 random changes of the plaintext raise our errors only."""
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
def test_an_empty_phone_number_has_an_error_of_its_own(field, number):
    """The client did not change the data, so it is not malformed."""
    fields = {"phoneNumber": "13580006666", "purePhoneNumber": "13580006666", "countryCode": "86"}
    with pytest.raises(PhoneNumberMissing):
        decrypt(decrypt_phone, encrypt_json(**fields | {field: number}))
    del fields[field]
    with pytest.raises(PhoneNumberMissing):
        decrypt(decrypt_phone, encrypt_json(**fields))


@pytest.mark.parametrize("code", [{}, {"countryCode": ""}, {"countryCode": None}])
def test_a_phone_without_its_country_code_has_an_error_of_its_own(code):
    """The client did not change the data, so it is not malformed."""
    fields = {"phoneNumber": "13580006666", "purePhoneNumber": "13580006666"}
    with pytest.raises(PhoneCountryMissing):
        decrypt(decrypt_phone, encrypt_json(**fields | code))


def test_a_foreign_phone_is_refused_as_foreign_though_it_is_empty():
    """The watermark is checked before the number."""
    foreign = {"appid": "wxglobex", "timestamp": MADE_AT}
    with pytest.raises(ForeignWatermark):
        decrypt(decrypt_phone, encrypt_json(phoneNumber="", watermark=foreign))


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


def test_escaped_control_characters_and_half_an_emoji_are_dropped_from_a_nickname():
    data = encrypt(
        b'{"nickName":"a\\ud83d\\u0000b","watermark":{"appid":"%s","timestamp":%d}}'
        % (APPID.encode(), MADE_AT)
    )
    assert decrypt(decrypt_user_info, data).nickname == "ab"


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
