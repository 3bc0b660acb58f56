"""Errors and malformed responses of WeChat, and invalid open data from clients."""

import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from Crypto.Cipher import AES
from Crypto.Util.Padding import pad
from flask import Flask

from app.services.login.code_failures import CodeFailures
from app.services.runtime.rate_limits import RateLimits
from app.wechat import WeChatClient, http_connections
from app.wechat.signatures import sha1_hex
from tests.api.test_bad_input import nothing_written
from tests.fixtures.login_codes import clear_code_flights
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, Client, Person, Reader, WeChat, failure

CODE_TO_SESSION = "/sns/jscode2session"
STABLE_TOKEN = "/cgi-bin/stable_token"
PHONE_NUMBER = "/wxa/business/getuserphonenumber"

CODE_INVALID = (400, "code_invalid")
CODE_USED = (400, "code_used")
BLOCKED = (403, "wechat_person_blocked")
RATE_LIMITED = (429, "wechat_rate_limited")
MISCONFIGURED = (502, "wechat_app_misconfigured")
UNAVAILABLE = (503, "wechat_unavailable")
MALFORMED = (422, "open_data_malformed")
KEY_EXPIRED = (409, "session_key_expired")
SIGNATURE_WRONG = (422, "signature_wrong")
FOREIGN = (422, "watermark_foreign")
OF_ANOTHER = (422, "open_data_of_another")
TOO_OLD = (422, "open_data_too_old")
PHONE_INVALID = (422, "phone_invalid")
UNREADABLE = (422, "open_data_unreadable")
NO_NUMBER = (422, "phone_number_missing")
NO_COUNTRY = (422, "phone_country_missing")

# Simulated faults of WeChat, and the expected response of the service.
FAULTS: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"kind": "busy"}, UNAVAILABLE),
    ({"kind": "rate_limited"}, RATE_LIMITED),
    ({"kind": "errcode", "errcode": 45009}, RATE_LIMITED),
    ({"kind": "blocked"}, BLOCKED),
    ({"kind": "errcode", "errcode": 40125}, MISCONFIGURED),
    ({"kind": "errcode", "errcode": 40164}, MISCONFIGURED),
    ({"kind": "errcode", "errcode": 48001}, MISCONFIGURED),
    ({"kind": "errcode", "errcode": 99999}, MISCONFIGURED),
    ({"kind": "errcode", "errcode": -99999}, UNAVAILABLE),
    ({"kind": "timeout", "seconds": 0.8}, UNAVAILABLE),
    ({"kind": "html"}, UNAVAILABLE),
    ({"kind": "empty"}, UNAVAILABLE),
    ({"kind": "truncated"}, UNAVAILABLE),
    ({"kind": "not_json_object"}, UNAVAILABLE),
    ({"kind": "http_500"}, UNAVAILABLE),
    ({"kind": "drop"}, UNAVAILABLE),
]
# This fault comes last, because its abandoned call would consume the next fault.
SLOW: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"kind": "slow", "seconds": 0.8}, UNAVAILABLE),
]
ONLY_LOGIN: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"kind": "missing_openid"}, UNAVAILABLE),
    ({"kind": "errcode", "errcode": 40013}, MISCONFIGURED),
    ({"kind": "errcode", "errcode": 40029}, CODE_INVALID),
]
ONLY_PHONE: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"kind": "stale_token"}, UNAVAILABLE),
    ({"kind": "errcode", "errcode": 40013}, CODE_INVALID),
    ({"kind": "errcode", "errcode": 40003}, CODE_INVALID),
    ({"kind": "errcode", "errcode": 40163}, CODE_INVALID),
    ({"kind": "empty_phone"}, NO_NUMBER),
    ({"kind": "no_country_code"}, NO_COUNTRY),
]


@contextmanager
def timeout_for(fault: dict[str, Any]) -> Iterator[None]:
    """Shorten the read timeout during the faults that simulate a timeout.

    Other faults keep the real timeout, because responses may be slow on a busy machine.
    """
    with pytest.MonkeyPatch.context() as patch:
        if fault["kind"] in ("timeout", "slow"):
            patch.setattr(http_connections, "READ_TIMEOUT", 0.5)
        yield


def refuse(client: Client, rows: Reader, what: str, token: str | None, **body: str) -> Any:
    """Send a request that must fail. Assert that nothing is written. Return status and code."""
    with nothing_written(rows):
        return failure(client.post(what, token, **body))


def test_a_login_during_any_wechat_fault_fails_and_the_next_login_succeeds(
    app: Flask, client: Client, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    for fault, expected in FAULTS + ONLY_LOGIN + SLOW:
        wechat.fault(path=CODE_TO_SESSION, times=1, **fault)
        with timeout_for(fault):
            refused = refuse(client, rows, "login", None, code=alice.wx_login())
        assert (fault, refused) == (fault, expected)
        # After errcode 45011, the limiter would block this device for a minute. Reset it.
        app.extensions["code_failures"] = CodeFailures(RateLimits(), 30)
    assert rows.count("login_sessions") == rows.count("social_accounts") == 0
    assert not client.log_in(alice)["bound"]


@pytest.mark.parametrize("path", [STABLE_TOKEN, PHONE_NUMBER])
def test_a_phone_binding_during_any_wechat_fault_fails_and_the_next_one_succeeds(
    path: str, client: Client, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    token = client.log_in(alice)["token"]
    for fault, expected in FAULTS + (ONLY_PHONE if path == PHONE_NUMBER else []) + SLOW:
        # A rejected access token is renewed once, so two failures are needed.
        wechat.fault(path=path, times=2 if fault["kind"] == "stale_token" else 1, **fault)
        with timeout_for(fault):
            refused = refuse(client, rows, "phone", token, **alice.tap_phone_new())
        assert (fault, refused) == (fault, expected)
    assert client.post("phone", token, **alice.tap_phone_new()).json["bound"]


def test_login_and_phone_binding_get_503_if_wechat_is_unreachable(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = client.log_in(alice)["token"]
    monkeypatch.setitem(app.extensions, "wechat_client", WeChatClient("http://127.0.0.1:1"))
    answer = client.post("login", code="code")
    assert failure(answer) == UNAVAILABLE
    assert answer.headers["Retry-After"] == "5"
    assert refuse(client, rows, "phone", token, code="code") == UNAVAILABLE


def test_login_succeeds_with_a_slow_wechat_response_within_the_timeout(
    client: Client, alice: Person, wechat: WeChat
) -> None:
    wechat.fault("slow", seconds=0.05)
    wechat.fault("extra_fields")
    assert client.log_in(alice)["token"]


def test_a_login_code_is_valid_once_for_one_app_and_for_five_minutes(
    app: Flask, client: Client, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    used, late, foreign = alice.wx_login(), alice.wx_login(), alice.wx_login(ACME_CLUB)
    assert client.post("login", code=used).status_code == 200
    rows("UPDATE code_exchanges SET asked_at = asked_at - interval '31 seconds'")
    assert refuse(client, rows, "login", None, code=used) == CODE_USED
    rows("DELETE FROM code_exchanges")
    clear_code_flights(app)
    assert refuse(client, rows, "login", None, code=used) == CODE_USED
    reused = alice.wx_login()
    assert client.post("login", code=reused).status_code == 200
    rows("DELETE FROM code_exchanges")
    clear_code_flights(app)
    wechat.fault("reused_as_40029", times=1)
    assert refuse(client, rows, "login", None, code=reused) == CODE_INVALID
    wechat.control("clock", advance=301)
    assert refuse(client, rows, "login", None, code=late) == CODE_INVALID
    assert refuse(client, rows, "login", None, code=foreign) == CODE_INVALID
    phone = alice.tap_phone()["code"]
    for invalid in (phone, used.lower(), "&appid=x", "花", "a b", "../..", "%00", "a" * 128):
        assert refuse(client, rows, "login", None, code=invalid) == CODE_INVALID


def test_a_phone_code_is_valid_once_for_one_person_and_for_five_minutes(
    client: Client, alice: Person, bob: Person, wechat: WeChat, rows: Reader
) -> None:
    alices, bobs = client.log_in(alice)["token"], client.log_in(bob)["token"]
    used, late = alice.tap_phone()["code"], bob.tap_phone()["code"]
    foreign = bob.tap_phone(ACME_CLUB)["code"]
    assert refuse(client, rows, "phone", bobs, code=used) == CODE_INVALID
    used = alice.tap_phone()["code"]
    assert client.post("phone", alices, code=used).status_code == 200
    assert refuse(client, rows, "phone", bobs, code=used) == CODE_INVALID
    assert refuse(client, rows, "phone", bobs, code=foreign) == CODE_INVALID
    wechat.control("clock", advance=301)
    for code in (late, bob.wx_login(), "花", "a" * 128):
        assert refuse(client, rows, "phone", bobs, code=code) == CODE_INVALID


Tapped = dict[str, str]


def session_key(person: Person) -> bytes:
    """Return the person's current session_key from the simulated WeChat."""
    query = {"person": person.name, "appid": ACME_SHOP.appid}
    return b64decode(person.wechat.ask("session-key", **query)["session_key"])


def encrypted(person: Person, content: bytes) -> Tapped:
    """Encrypt content with a person's session_key, as WeChat does."""
    cipher = AES.new(session_key(person), AES.MODE_CBC, iv=b"0123456789abcdef")
    ciphertext = cipher.encrypt(pad(content, 16))
    return {
        "encryptedData": b64encode(ciphertext).decode(),
        "iv": b64encode(b"0123456789abcdef").decode(),
    }


def with_watermark(person: Person, age: int = 0, **data: Any) -> Tapped:
    """Encrypt the fields with a valid watermark that is `age` seconds old."""
    made = {"appid": ACME_SHOP.appid, "timestamp": int(time.time()) - age}
    return encrypted(person, json.dumps({"watermark": made, **data}).encode())


def number(**wrong: Any) -> dict[str, Any]:
    """Return open data of a phone number, with some fields replaced."""
    good = {"phoneNumber": "13800138001", "purePhoneNumber": "13800138001", "countryCode": "86"}
    return good | wrong


def blocks(tapped: Tapped, count: int) -> str:
    """Return the first blocks of a ciphertext."""
    return b64encode(b64decode(tapped["encryptedData"])[: 16 * count]).decode()


# Damage to encrypted phone or profile data, and the expected error.
DAMAGES: list[tuple[str, Callable[[Tapped], Tapped], tuple[int, str]]] = [
    ("no base64", lambda tapped: tapped | {"encryptedData": "!" * 64}, MALFORMED),
    ("URL base64", lambda tapped: tapped | {"encryptedData": "-_" * 64}, MALFORMED),
    ("cut", lambda tapped: tapped | {"encryptedData": tapped["encryptedData"][:-5]}, MALFORMED),
    ("padding gone", lambda tapped: tapped | {"iv": tapped["iv"].rstrip("=")}, MALFORMED),
    ("no block", lambda tapped: tapped | {"encryptedData": "AAAA"}, MALFORMED),
    ("only padding", lambda tapped: tapped | {"encryptedData": "===="}, MALFORMED),
    ("short iv", lambda tapped: tapped | {"iv": "AAAA"}, MALFORMED),
    ("iv in Chinese", lambda tapped: tapped | {"iv": "向量"}, MALFORMED),
    ("wrong iv", lambda tapped: tapped | {"iv": b64encode(b"x" * 16).decode()}, KEY_EXPIRED),
    ("blocks gone", lambda tapped: tapped | {"encryptedData": blocks(tapped, 2)}, KEY_EXPIRED),
    ("noise", lambda tapped: tapped | {"encryptedData": "AAAA" * 64}, KEY_EXPIRED),
]


def test_damaged_encrypted_phone_data_is_rejected(
    client: Client, alice: Person, rows: Reader
) -> None:
    token = client.log_in(alice)["token"]
    for name, damage_data, expected in DAMAGES:
        refused = refuse(client, rows, "phone", token, **damage_data(alice.tap_phone_old()))
        assert (name, refused) == (name, expected)


def test_damaged_encrypted_profile_data_is_rejected(
    client: Client, alice: Person, rows: Reader
) -> None:
    token = client.log_in(alice)["token"]
    for name, damage_data, expected in DAMAGES:
        refused = refuse(client, rows, "profile", token, **damage_data(alice.tap_user_info()))
        assert (name, refused) == (name, expected)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"stale": True}, KEY_EXPIRED),
        ({"watermark_appid": ACME_CLUB.appid}, FOREIGN),
        ({"watermark_appid": "wx0000000000000000"}, FOREIGN),
        ({"age": 700}, TOO_OLD),
    ],
)
def test_phone_data_with_a_stale_key_foreign_watermark_or_old_timestamp_is_rejected(
    how: dict[str, Any], expected: tuple[int, str], client: Client, alice: Person, rows: Reader
) -> None:
    token = client.log_in(alice)["token"]
    assert refuse(client, rows, "phone", token, **alice.tap_phone_old(**how)) == expected
    assert client.post("phone", token, **alice.tap_phone_old()).json["bound"]


# With a stale session_key, either the signature check or the decryption fails first.
@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"stale": True}, {KEY_EXPIRED, SIGNATURE_WRONG}),
        ({"watermark_appid": ACME_CLUB.appid}, {FOREIGN}),
        ({"age": 700}, {TOO_OLD}),
    ],
)
def test_profile_data_with_a_stale_key_foreign_watermark_or_old_timestamp_is_rejected(
    how: dict[str, Any],
    expected: set[tuple[int, str]],
    client: Client,
    alice: Person,
    rows: Reader,
) -> None:
    token = client.log_in(alice)["token"]
    assert refuse(client, rows, "profile", token, **alice.tap_user_info(**how)) in expected
    assert client.post("profile", token, **alice.tap_user_info()).status_code == 200


def test_a_profile_with_a_wrong_signature_is_rejected(
    client: Client, alice: Person, rows: Reader
) -> None:
    token, tapped = client.log_in(alice)["token"], alice.tap_user_info()
    changed = tapped["rawData"].replace("alice", "admin")
    for wrong in (
        {"rawData": changed},
        {"rawData": tapped["rawData"] + " "},
        {"signature": "0" * 40},
        {"signature": "花" * 40},
    ):
        refused = refuse(client, rows, "profile", token, **tapped | wrong)
        assert (wrong, refused) == (wrong, SIGNATURE_WRONG)


def test_open_data_of_the_wrong_type_or_of_another_person_is_rejected(
    client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    token, bobs = client.log_in(alice)["token"], client.log_in(bob)["openid"]
    profile, phone = alice.tap_user_info(), alice.tap_phone_old()
    as_phone = {name: profile[name] for name in phone}
    assert refuse(client, rows, "phone", token, **as_phone) == MALFORMED
    assert refuse(client, rows, "profile", token, **profile | phone) == MALFORMED
    assert refuse(client, rows, "phone", token, **bob.tap_phone_old()) == KEY_EXPIRED
    of_bob = with_watermark(alice, nickName="bob", openId=bobs)
    assert refuse(client, rows, "profile", token, **profile | of_bob) == OF_ANOTHER


# Invalid content that is encrypted with the right session_key.
def test_invalid_content_of_correctly_encrypted_phone_data_is_rejected(
    client: Client, alice: Person, rows: Reader
) -> None:
    token = client.log_in(alice)["token"]
    deep = b"[" * 5_000
    for content in (b"", b"null", b"[]", b"{", b"\xff\xfe", deep, b'{"a":' + b"9" * 4_400 + b"}"):
        refused = refuse(client, rows, "phone", token, **encrypted(alice, content))
        assert (content[:9], refused) == (content[:9], KEY_EXPIRED)
    for mark in (b"{}", b'{"watermark": null}', b'{"watermark": {"timestamp": 1}}'):
        assert refuse(client, rows, "phone", token, **encrypted(alice, mark)) == FOREIGN
    early = with_watermark(alice, age=-3600, **number())
    assert refuse(client, rows, "phone", token, **early) == TOO_OLD
    for wrong in ({}, number(phoneNumber=1)):
        refused = refuse(client, rows, "phone", token, **with_watermark(alice, **wrong))
        assert (wrong, refused) == (wrong, MALFORMED)
    for wrong in (number(purePhoneNumber=None), number(phoneNumber=""), number(purePhoneNumber="")):
        refused = refuse(client, rows, "phone", token, **with_watermark(alice, **wrong))
        assert (wrong, refused) == (wrong, NO_NUMBER)
    for code in (None, "", "CN", "+", "++86", "8 6", "８６", 86.5, True, [86]):
        wrong = number(countryCode=code)
        refused = refuse(client, rows, "phone", token, **with_watermark(alice, **wrong))
        assert (wrong, refused) == (wrong, NO_COUNTRY)
    for wrong in (
        number(purePhoneNumber="1"),
        number(purePhoneNumber="letters"),
        number(countryCode="0"),
        number(countryCode="086"),
        number(countryCode="8600"),
        number(purePhoneNumber="138", phoneNumber="138"),
        number(countryCode="9" * 400),
        number(purePhoneNumber="1" * 300),
    ):
        refused = refuse(client, rows, "phone", token, **with_watermark(alice, **wrong))
        assert (wrong, refused) == (wrong, PHONE_INVALID)


def test_invalid_json_in_decrypted_open_data_fails_with_open_data_unreadable(
    client: Client, alice: Person, rows: Reader
) -> None:
    """A new login would not help, so the code differs from session_key_expired."""
    token = client.log_in(alice)["token"]
    broken = b'{"phoneNumber":"138,"watermark":{"appid":"%s"}}' % ACME_SHOP.appid.encode()
    refused = refuse(client, rows, "phone", token, **encrypted(alice, broken))
    assert refused == UNREADABLE
    profile = alice.tap_user_info() | encrypted(alice, broken)
    assert refuse(client, rows, "profile", token, **profile) == UNREADABLE


@pytest.mark.parametrize(
    ("fault", "code"),
    [("empty_phone", "phone_number_missing"), ("no_country_code", "phone_country_missing")],
)
def test_a_missing_phone_number_or_country_code_from_wechat_has_a_specific_error_code(
    client: Client, alice: Person, wechat: WeChat, fault: str, code: str
) -> None:
    """There is no Retry-After, because a retry gives the same result."""
    token = client.log_in(alice)["token"]
    wechat.fault(fault, path=PHONE_NUMBER, times=2)
    answer = client.post("phone", token, **alice.tap_phone_new())
    assert failure(answer) == (422, code)
    assert "Retry-After" not in answer.headers
    path, body = f"/apps/{ACME_SHOP.appid}/wx/auth/bindPhone", alice.tap_phone_new()
    by_dialect = client.send("POST", path, headers={"X-Litemall-Token": token}, json=body)
    assert by_dialect.json["errno"] == 707
    assert "手机号" in by_dialect.json["errmsg"]


def test_spaces_in_the_base64_of_open_data_are_read_as_plus_signs(
    client: Client, alice: Person
) -> None:
    """If a client does not escape plus signs in a form, they arrive as spaces."""
    token, plus = client.log_in(alice)["token"], {"encryptedData": "", "iv": ""}
    while "+" not in plus["encryptedData"]:
        plus = alice.tap_phone_old()
    with_blanks = {name: text.replace("+", " ") for name, text in plus.items()}
    assert client.post("phone", token, **with_blanks).json["bound"]


def give_nickname(client: Client, person: Person, nickname: str) -> Any:
    """Set a nickname at WeChat, send it as a profile and return the response."""
    person.wechat.control("people", name=person.name, nickname=nickname)
    token = client.log_in(person)["token"]
    answer = client.post("profile", token, **person.tap_user_info())
    assert answer.status_code == 200, answer.text
    return answer.json


CONTROLLED = "a\0l\x1b[31mi\x85\u2028ce 🌸小花"


def test_control_characters_in_wechats_nickname_are_not_stored(
    client: Client, alice: Person, rows: Reader
) -> None:
    give_nickname(client, alice, CONTROLLED)
    assert rows("SELECT nickname FROM social_accounts") == [("al[31mice 🌸小花",)]


def test_control_characters_in_wechats_nickname_are_not_in_the_response(
    client: Client, alice: Person
) -> None:
    assert give_nickname(client, alice, CONTROLLED)["nickname"] == "al[31mice 🌸小花"


@pytest.mark.parametrize("damage", [b"\x1d", b"\x08", b"\t", b"\n", b"\xe5\xb0"], ids=repr)
def test_damaged_characters_in_wechats_nickname_are_removed(
    damage: bytes, client: Client, alice: Person, rows: Reader
) -> None:
    """The nickname from rawData and the encrypted nickname are cleaned alike, so both match."""
    token = client.log_in(alice)["token"]
    raw = b'{"nickName":"Al%sice"}' % damage
    shown = raw.decode("utf-8", "replace")
    key = alice.wechat.ask("session-key", person="alice", appid=ACME_SHOP.appid)["session_key"]
    mark = b'"watermark":{"appid":"%s","timestamp":%d}}' % (
        ACME_SHOP.appid.encode(),
        int(time.time()),
    )
    body = encrypted(alice, raw[:-1] + b"," + mark)
    body |= {"rawData": shown, "signature": sha1_hex(shown + key)}
    answer = client.post("profile", token, **body)
    assert answer.status_code == 200, answer.text
    assert rows("SELECT nickname FROM social_accounts") == [("Alice",)]


@pytest.mark.parametrize("nickname", ["🌸", "𠮷野家", "❤️", "a'b\"c<d>&"])
def test_emoji_and_rare_characters_in_wechats_nickname_are_stored_unchanged(
    nickname: str, client: Client, alice: Person, rows: Reader
) -> None:
    assert give_nickname(client, alice, nickname)["nickname"] == nickname
    assert rows("SELECT nickname FROM social_accounts") == [(nickname,)]


@pytest.mark.parametrize("nickname", ["👨‍👩‍👧", "名　字"])
def test_joiners_and_wide_spaces_in_wechats_nickname_are_kept(
    nickname: str, client: Client, alice: Person, rows: Reader
) -> None:
    give_nickname(client, alice, nickname)
    assert rows("SELECT nickname FROM social_accounts") == [(nickname,)]
