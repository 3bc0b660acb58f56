"""What it gets when WeChat refuses, fails or talks nonsense, and when its data does not fit."""

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

from app.wechat import WeChatClient, transport
from app.wechat.signatures import sha1_hex
from tests.api.test_bad_input import nothing_written
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

# A fault of WeChat, and what it gets on every call.
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
# The last one: the call that nobody waits for any longer would meet the next fault in its place.
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
    ({"kind": "empty_phone"}, NO_NUMBER),
    ({"kind": "no_country_code"}, NO_COUNTRY),
]


@contextmanager
def patience_with(fault: dict[str, Any]) -> Iterator[None]:
    """Wait for a WeChat that is not to answer in time no longer than a test may take.

    For any other as long as the service does: on a busy machine, it may take its time.
    """
    with pytest.MonkeyPatch.context() as patch:
        if fault["kind"] in ("timeout", "slow"):
            patch.setattr(transport, "READ_TIMEOUT", 0.5)
        yield


def refusal(client: Client, rows: Reader, what: str, token: str | None, **body: str) -> Any:
    """Send what must be refused, see that nothing came of it, and give status and code."""
    with nothing_written(rows):
        return failure(client.post(what, token, **body))


def test_a_login_fails_as_wechat_does_and_works_again_after_it(
    client: Client, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    """Otherwise a bad minute of WeChat is a 500, a wrong person, or half a login."""
    for fault, expected in FAULTS + ONLY_LOGIN + SLOW:
        wechat.fault(path=CODE_TO_SESSION, times=1, **fault)
        with patience_with(fault):
            said = refusal(client, rows, "login", None, code=alice.wx_login())
        assert (fault, said) == (fault, expected)
    assert rows.count("login_sessions") == rows.count("social_accounts") == 0
    assert not client.log_in(alice)["bound"]


@pytest.mark.parametrize("path", [STABLE_TOKEN, PHONE_NUMBER])
def test_a_phone_fails_as_wechat_does_and_works_again_after_it(
    path: str, client: Client, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    """Otherwise a bad minute of WeChat is a 500, a phone without a user, or a lost login."""
    token = client.log_in(alice)["token"]
    for fault, expected in FAULTS + (ONLY_PHONE if path == PHONE_NUMBER else []) + SLOW:
        # A rejected access token is healed once, so it takes two to fail.
        wechat.fault(path=path, times=2 if fault["kind"] == "stale_token" else 1, **fault)
        with patience_with(fault):
            said = refusal(client, rows, "phone", token, **alice.tap_phone_new())
        assert (fault, said) == (fault, expected)
    assert client.post("phone", token, **alice.tap_phone_new()).json["bound"]


def test_nobody_at_wechats_address_is_told_as_such(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an outage of WeChat is a 500."""
    token = client.log_in(alice)["token"]
    monkeypatch.setitem(app.extensions, "wechat_client", WeChatClient("http://127.0.0.1:1"))
    answer = client.post("login", code="code")
    assert failure(answer) == UNAVAILABLE
    assert answer.headers["Retry-After"] == "5"
    assert refusal(client, rows, "phone", token, code="code") == UNAVAILABLE


def test_a_slow_wechat_is_waited_for(client: Client, alice: Person, wechat: WeChat) -> None:
    """Otherwise people cannot log in whenever WeChat takes its time."""
    wechat.fault("slow", seconds=0.05)
    wechat.fault("extra_fields")
    assert client.log_in(alice)["token"]


def test_a_login_code_works_once_for_one_app_and_for_five_minutes(
    client: Client, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    """Otherwise somebody who finds a code in a log becomes the person."""
    used, late, foreign = alice.wx_login(), alice.wx_login(), alice.wx_login(ACME_CLUB)
    assert client.post("login", code=used).status_code == 200
    rows("UPDATE code_exchanges SET asked_at = asked_at - interval '31 seconds'")
    assert refusal(client, rows, "login", None, code=used) == CODE_USED
    rows("DELETE FROM code_exchanges")
    assert refusal(client, rows, "login", None, code=used) == CODE_USED
    wechat.fault("reused_as_40029", times=1)
    assert refusal(client, rows, "login", None, code=used) == CODE_INVALID
    wechat.control("clock", advance=301)
    assert refusal(client, rows, "login", None, code=late) == CODE_INVALID
    assert refusal(client, rows, "login", None, code=foreign) == CODE_INVALID
    phone = alice.tap_phone()["code"]
    for nonsense in (phone, used.lower(), "&appid=x", "花", "a b", "../..", "%00", "a" * 128):
        assert refusal(client, rows, "login", None, code=nonsense) == CODE_INVALID


def test_a_phone_code_works_once_for_one_person_and_for_five_minutes(
    client: Client, alice: Person, bob: Person, wechat: WeChat, rows: Reader
) -> None:
    """Otherwise somebody gets, with another's code, another's number and user."""
    alices, bobs = client.log_in(alice)["token"], client.log_in(bob)["token"]
    used, late = alice.tap_phone()["code"], bob.tap_phone()["code"]
    foreign = bob.tap_phone(ACME_CLUB)["code"]
    assert refusal(client, rows, "phone", bobs, code=used) == CODE_INVALID
    used = alice.tap_phone()["code"]
    assert client.post("phone", alices, code=used).status_code == 200
    assert refusal(client, rows, "phone", bobs, code=used) == CODE_INVALID
    assert refusal(client, rows, "phone", bobs, code=foreign) == CODE_INVALID
    wechat.control("clock", advance=301)
    for code in (late, bob.wx_login(), "花", "a" * 128):
        assert refusal(client, rows, "phone", bobs, code=code) == CODE_INVALID


Tapped = dict[str, str]


def session_key(person: Person) -> bytes:
    """Give the session_key that only WeChat and we know."""
    query = {"person": person.name, "appid": ACME_SHOP.appid}
    return b64decode(person.wechat.ask("session-key", **query)["session_key"])


def encrypted(person: Person, content: bytes) -> Tapped:
    """Encrypt anything as WeChat would for this person."""
    cipher = AES.new(session_key(person), AES.MODE_CBC, iv=b"0123456789abcdef")
    ciphertext = cipher.encrypt(pad(content, 16))
    return {
        "encryptedData": b64encode(ciphertext).decode(),
        "iv": b64encode(b"0123456789abcdef").decode(),
    }


def vouched(person: Person, age: int = 0, **data: Any) -> Tapped:
    """Encrypt fields with a good watermark."""
    made = {"appid": ACME_SHOP.appid, "timestamp": int(time.time()) - age}
    return encrypted(person, json.dumps({"watermark": made, **data}).encode())


def number(**wrong: Any) -> dict[str, Any]:
    """Describe a phone, wrongly."""
    good = {"phoneNumber": "13800138001", "purePhoneNumber": "13800138001", "countryCode": "86"}
    return good | wrong


def blocks(tapped: Tapped, count: int) -> str:
    """Keep the first blocks of a ciphertext."""
    return b64encode(b64decode(tapped["encryptedData"])[: 16 * count]).decode()


# What may be done to open data of either kind, and what it gets.
SPOILED: list[tuple[str, Callable[[Tapped], Tapped], tuple[int, str]]] = [
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


def test_a_spoiled_phone_is_refused(client: Client, alice: Person, rows: Reader) -> None:
    """Otherwise somebody gets a number by sending noise, or the noise is a 500."""
    token = client.log_in(alice)["token"]
    for name, spoil, expected in SPOILED:
        said = refusal(client, rows, "phone", token, **spoil(alice.tap_phone_old()))
        assert (name, said) == (name, expected)


def test_a_spoiled_profile_is_refused(client: Client, alice: Person, rows: Reader) -> None:
    """Otherwise somebody gets a verified name by sending noise, or the noise is a 500."""
    token = client.log_in(alice)["token"]
    for name, spoil, expected in SPOILED:
        said = refusal(client, rows, "profile", token, **spoil(alice.tap_user_info()))
        assert (name, said) == (name, expected)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"stale": True}, KEY_EXPIRED),
        ({"watermark_appid": ACME_CLUB.appid}, FOREIGN),
        ({"watermark_appid": "wx0000000000000000"}, FOREIGN),
        ({"age": 700}, TOO_OLD),
    ],
)
def test_a_phone_of_another_key_app_or_time_is_refused(
    how: dict[str, Any], expected: tuple[int, str], client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a number that was given elsewhere, or long ago, is taken as given here."""
    token = client.log_in(alice)["token"]
    assert refusal(client, rows, "phone", token, **alice.tap_phone_old(**how)) == expected
    assert client.post("phone", token, **alice.tap_phone_old()).json["bound"]


# The signature covers rawData and key, so a stale key shows there first; see the report.
@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"stale": True}, {KEY_EXPIRED, SIGNATURE_WRONG}),
        ({"watermark_appid": ACME_CLUB.appid}, {FOREIGN}),
        ({"age": 700}, {TOO_OLD}),
    ],
)
def test_a_profile_of_another_key_app_or_time_is_refused(
    how: dict[str, Any],
    expected: set[tuple[int, str]],
    client: Client,
    alice: Person,
    rows: Reader,
) -> None:
    """Otherwise a profile that was given elsewhere, or long ago, is taken as given here."""
    token = client.log_in(alice)["token"]
    assert refusal(client, rows, "profile", token, **alice.tap_user_info(**how)) in expected
    assert client.post("profile", token, **alice.tap_user_info()).status_code == 200


def test_a_signature_that_does_not_fit_is_refused(
    client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise the client may write into what WeChat is said to have signed."""
    token, tapped = client.log_in(alice)["token"], alice.tap_user_info()
    changed = tapped["rawData"].replace("alice", "admin")
    for wrong in (
        {"rawData": changed},
        {"rawData": tapped["rawData"] + " "},
        {"signature": "0" * 40},
        {"signature": "花" * 40},
    ):
        said = refusal(client, rows, "profile", token, **tapped | wrong)
        assert (wrong, said) == (wrong, SIGNATURE_WRONG)


def test_data_of_another_kind_or_person_is_refused(
    client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    """Otherwise what one person allowed is booked to another."""
    token, bobs = client.log_in(alice)["token"], client.log_in(bob)["openid"]
    profile, phone = alice.tap_user_info(), alice.tap_phone_old()
    as_phone = {name: profile[name] for name in phone}
    assert refusal(client, rows, "phone", token, **as_phone) == MALFORMED
    assert refusal(client, rows, "profile", token, **profile | phone) == MALFORMED
    assert refusal(client, rows, "phone", token, **bob.tap_phone_old()) == KEY_EXPIRED
    of_bob = vouched(alice, nickName="bob", openId=bobs)
    assert refusal(client, rows, "profile", token, **profile | of_bob) == OF_ANOTHER


# What comes out of the encrypted data when WeChat itself, or the holder of its key, is at fault.
def test_encrypted_nonsense_is_refused(client: Client, alice: Person, rows: Reader) -> None:
    """Otherwise what nobody expected inside is a 500, or a number that cannot exist."""
    token = client.log_in(alice)["token"]
    deep = b"[" * 5_000
    for content in (b"", b"null", b"[]", b"{", b"\xff\xfe", deep, b'{"a":' + b"9" * 4_400 + b"}"):
        said = refusal(client, rows, "phone", token, **encrypted(alice, content))
        assert (content[:9], said) == (content[:9], KEY_EXPIRED)
    for mark in (b"{}", b'{"watermark": null}', b'{"watermark": {"timestamp": 1}}'):
        assert refusal(client, rows, "phone", token, **encrypted(alice, mark)) == FOREIGN
    early = vouched(alice, age=-3600, **number())
    assert refusal(client, rows, "phone", token, **early) == TOO_OLD
    for wrong in ({}, number(phoneNumber=1)):
        said = refusal(client, rows, "phone", token, **vouched(alice, **wrong))
        assert (wrong, said) == (wrong, MALFORMED)
    for wrong in (number(purePhoneNumber=None), number(phoneNumber=""), number(purePhoneNumber="")):
        said = refusal(client, rows, "phone", token, **vouched(alice, **wrong))
        assert (wrong, said) == (wrong, NO_NUMBER)
    for code in (None, "", "CN", "+", "++86", "8 6", "８６", 86.5, True, [86]):
        wrong = number(countryCode=code)
        said = refusal(client, rows, "phone", token, **vouched(alice, **wrong))
        assert (wrong, said) == (wrong, NO_COUNTRY)
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
        said = refusal(client, rows, "phone", token, **vouched(alice, **wrong))
        assert (wrong, said) == (wrong, PHONE_INVALID)


def test_invalid_json_in_decrypted_data_is_told_from_a_stale_key(
    client: Client, alice: Person, rows: Reader
) -> None:
    """A new login does not help here, so the code is not session_key_expired."""
    token = client.log_in(alice)["token"]
    broken = b'{"phoneNumber":"138,"watermark":{"appid":"%s"}}' % ACME_SHOP.appid.encode()
    said = refusal(client, rows, "phone", token, **encrypted(alice, broken))
    assert said == UNREADABLE
    profile = alice.tap_user_info() | encrypted(alice, broken)
    assert refusal(client, rows, "profile", token, **profile) == UNREADABLE


@pytest.mark.parametrize(
    ("fault", "code"),
    [("empty_phone", "phone_number_missing"), ("no_country_code", "phone_country_missing")],
)
def test_a_phone_that_wechat_gives_incompletely_is_told_with_advice_and_in_every_dialect(
    client: Client, alice: Person, wechat: WeChat, fault: str, code: str
) -> None:
    """The code says what is missing, and no Retry-After asks the client to try again."""
    token = client.log_in(alice)["token"]
    wechat.fault(fault, path=PHONE_NUMBER, times=2)
    answer = client.post("phone", token, **alice.tap_phone_new())
    assert failure(answer) == (422, code)
    assert "Retry-After" not in answer.headers
    path, body = f"/apps/{ACME_SHOP.appid}/wx/auth/bindPhone", alice.tap_phone_new()
    told = client.send("POST", path, headers={"X-Litemall-Token": token}, json=body)
    assert told.json["errno"] == 707
    assert "手机号" in told.json["errmsg"]


def test_blanks_for_plus_signs_are_read_as_plus_signs(client: Client, alice: Person) -> None:
    """Otherwise clients that send open data through a form fail, one tap in many."""
    token, plus = client.log_in(alice)["token"], {"encryptedData": "", "iv": ""}
    while "+" not in plus["encryptedData"]:
        plus = alice.tap_phone_old()
    with_blanks = {name: text.replace("+", " ") for name, text in plus.items()}
    assert client.post("phone", token, **with_blanks).json["bound"]


def give_nickname(client: Client, person: Person, nickname: str) -> Any:
    """Let WeChat vouch for a nickname, and give the answer."""
    person.wechat.control("people", name=person.name, nickname=nickname)
    token = client.log_in(person)["token"]
    answer = client.post("profile", token, **person.tap_user_info())
    assert answer.status_code == 200, answer.text
    return answer.json


CONTROLLED = "a\0l\x1b[31mi\x85\u2028ce 🌸小花"


def test_control_characters_in_wechats_nickname_are_not_kept(
    client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise NUL is a 500 from Postgres, and an escape is run in an operator's terminal."""
    give_nickname(client, alice, CONTROLLED)
    assert rows("SELECT nickname FROM social_accounts") == [("al[31mice 🌸小花",)]


def test_control_characters_in_wechats_nickname_are_not_sent(client: Client, alice: Person) -> None:
    """Otherwise the client is told another name than the one that is kept."""
    assert give_nickname(client, alice, CONTROLLED)["nickname"] == "al[31mice 🌸小花"


@pytest.mark.parametrize("damage", [b"\x1d", b"\x08", b"\t", b"\n", b"\xe5\xb0"], ids=repr)
def test_a_damaged_nickname_from_wechat_is_kept_without_the_damage(
    damage: bytes, client: Client, alice: Person, rows: Reader
) -> None:
    """Damage in rawData and in the encrypted nickname is dropped alike, so both still match."""
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
def test_wechats_nickname_survives_as_it_is(
    nickname: str, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise people with emoji, rare characters or quotes in their name lose them."""
    assert give_nickname(client, alice, nickname)["nickname"] == nickname
    assert rows("SELECT nickname FROM social_accounts") == [(nickname,)]


@pytest.mark.parametrize("nickname", ["👨‍👩‍👧", "名　字"])
def test_wechats_nickname_keeps_its_joiners_and_wide_blanks(
    nickname: str, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise one family becomes three people, and two words one."""
    give_nickname(client, alice, nickname)
    assert rows("SELECT nickname FROM social_accounts") == [(nickname,)]
