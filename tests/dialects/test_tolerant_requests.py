"""Tolerant parsing of dialect requests: scalar types, content types and token headers."""

import json
from collections.abc import Callable
from io import BytesIO
from itertools import product
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask

from app.services.users import users
from tests.api.test_bad_input import nothing_written
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    Client,
    Person,
    Reader,
    enter_user,
    wechat_headers,
)

ROOT = f"/apps/{ACME_SHOP.appid}"
PHONE, PASSWORD = "13800138000", "12345678"
ALICE = {"username": PHONE, "password": PASSWORD}

Send = Callable[..., Any]


@pytest.fixture(autouse=True)
def old_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable the password policy, because existing users may have passwords like 123456."""
    monkeypatch.setattr(users, "require_user_password", lambda *_: None)


@pytest.fixture
def send(client: Client) -> Send:
    """Return a function that sends a body and returns the JSON of the response."""

    def send(path: str, body: bytes | str, content_type: str | None = None, **headers: str) -> Any:
        headers = wechat_headers(ACME_SHOP) | headers
        how: dict[str, Any] = {"data": body, "headers": headers}
        if content_type is not None:
            how["content_type"] = content_type
        answer = client.send("POST", path, **how)
        assert answer.status_code == 200, answer.text
        return answer.json

    return send


def paths(client: Client, person: Person) -> dict[str, tuple[str, dict[str, str]]]:
    """Return the path and the additional fields of a password login, by dialect."""
    unbound_token = client.log_in(person)["token"]
    return {
        "gitegg": ("/oauth/token", {"grant_type": "password"}),
        "litemall": (f"{ROOT}/wx/auth/login", {}),
        "checkbind": (f"{ROOT}/mobileApi/user/login", {"openId": unbound_token}),
    }


def is_login(body: Any) -> bool:
    """Return whether a response contains a login token."""
    return bool((body.get("data") or body).get("token"))


SCALARS = {
    "numbers": ('"username":13800138000,"password":123456', "13800138000", "123456"),
    "booleans": ('"username":true,"password":false', "true", "false"),
    "a fraction": ('"username":1.50,"password":0.10', "1.50", "0.10"),
    "an exponent": ('"username":1e3,"password":1E-3', "1e3", "1E-3"),
    "a negative zero": ('"username":-0,"password":-0.0', "-0", "-0.0"),
    "many digits": (f'"username":1{"0" * 63},"password":9', f"1{'0' * 63}", "9"),
}


@pytest.mark.parametrize("dialect", ["gitegg", "litemall", "checkbind"])
@pytest.mark.parametrize("scalars", SCALARS.values(), ids=SCALARS)
def test_a_json_number_or_boolean_for_a_text_field_is_read_as_its_json_spelling(
    app: Flask, client: Client, alice: Person, send: Send, scalars: tuple[str, ...], dialect: str
) -> None:
    fields, account, password = scalars
    enter_user(app, account=account, password=password)
    path, others = paths(client, alice)[dialect]
    more = "".join(f",{json.dumps(name)}:{json.dumps(text)}" for name, text in others.items())
    assert is_login(send(path, f"{{{fields}{more}}}", "application/json"))


def test_json_numbers_of_equal_value_and_different_spelling_are_different_accounts(
    app: Flask, client: Client, alice: Person, send: Send
) -> None:
    """Jackson, the parser of the original back ends, also reads 1e3 and 1000 as different texts."""
    enter_user(app, account="1000", password=PASSWORD)
    for spelled, expected in (("1000", True), ("1e3", False), ("1000.0", False), ("1E3", False)):
        body = send(f"{ROOT}/wx/auth/login", f'{{"username":{spelled},"password":"{PASSWORD}"}}')
        assert is_login(body) is expected, spelled


@pytest.mark.parametrize("dialect", ["gitegg", "litemall", "checkbind"])
@pytest.mark.parametrize("value", ["{}", "[]", '["a"]', '{"$ne":null}', "[[[]]]", "null"])
def test_an_object_array_or_null_for_a_text_field_is_rejected_in_the_envelope(
    client: Client, alice: Person, send: Send, rows: Reader, value: str, dialect: str
) -> None:
    path, others = paths(client, alice)[dialect]
    failure = {"gitegg": ("code", 422), "litemall": ("errno", 401), "checkbind": ("code", 0)}[
        dialect
    ]
    for name in ALICE:
        fields = {key: json.dumps(text) for key, text in (ALICE | others).items()} | {name: value}
        text = ",".join(f"{json.dumps(key)}:{text}" for key, text in fields.items())
        with nothing_written(rows):
            body = send(path, f"{{{text}}}", "application/json")
        assert body[failure[0]] == failure[1], body


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "01", "1.", "tru", "0x10"])
def test_a_dialect_body_with_an_invalid_json_literal_is_rejected(
    send: Send, rows: Reader, value: str
) -> None:
    with nothing_written(rows):
        body = send(
            f"{ROOT}/wx/auth/login", f'{{"username":{value},"password":"x"}}', "application/json"
        )
    assert body["errno"] == 401


CONTENT_TYPES = [
    "application/json",
    "application/json; charset=utf-8",
    "APPLICATION/JSON;charset=GBK",
    "text/plain",
    "text/plain;charset=UTF-8",
    "application/josn",
    "json",
    "*/*",
    "",
    None,
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "multipart/form-data; boundary=x",
    "\x7f;;=",
]


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_json_body_is_accepted_with_every_content_type(
    app: Flask, client: Client, alice: Person, send: Send, content_type: str | None
) -> None:
    enter_user(app, account=PHONE, password=PASSWORD)
    for path, others in paths(client, alice).values():
        assert is_login(send(path, json.dumps(ALICE | others), content_type)), path
    opened = send(f"{ROOT}/uni/openid", json.dumps({"code": alice.wx_login()}), content_type)
    assert opened["success"]
    known = send(f"{ROOT}/api/login/code2session", json.dumps({"code": alice.wx_login()}))
    assert known["token"]


FORM_TYPES = [
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded;charset=UTF-8",
    "application/x-www-form-urlencode",
    "application/x-www-from-urlencoded",
    "x-www-form-urlencoded",
    "text/plain",
    "",
    None,
]


@pytest.mark.parametrize("content_type", FORM_TYPES)
def test_a_form_body_is_accepted_with_a_missing_or_misspelt_content_type(
    app: Flask, client: Client, alice: Person, send: Send, content_type: str | None
) -> None:
    enter_user(app, account="小花", password="a+b c=d&e%f")
    secrets = {"username": "小花", "password": "a+b c=d&e%f"}
    for path, others in paths(client, alice).values():
        assert is_login(send(path, urlencode(secrets | others), content_type)), path


def test_a_multipart_form_is_accepted_by_dialects(app: Flask, client: Client) -> None:
    enter_user(app, account=PHONE, password=PASSWORD)
    how = {"data": ALICE, "content_type": "multipart/form-data"}
    assert is_login(client.send("POST", f"{ROOT}/wx/auth/login", **how).json)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"username=a&password=b"',
        b'{"username":"a","password":"b"} {}',
        b"\xff\xfe",
        b"username&password",
        b"=&=&=",
        b"%",
        b"{" * 60_000,
        b"[" * 60_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"username":' + b"9" * 60_000 + b',"password":"x"}',
    ],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
def test_a_dialect_body_that_is_neither_json_object_nor_form_is_rejected(
    send: Send, rows: Reader, body: bytes, content_type: str | None
) -> None:
    with nothing_written(rows):
        assert send(f"{ROOT}/wx/auth/login", body, content_type)["errno"] == 401


def test_an_invalid_body_with_json_content_type_is_not_parsed_as_a_form(
    app: Flask, client: Client, send: Send
) -> None:
    enter_user(app, account=PHONE, password=PASSWORD)
    cut = f'{{"a": "&{urlencode(ALICE)}'
    assert send(f"{ROOT}/wx/auth/login", cut, "application/json")["errno"] == 401


def test_an_oversized_dialect_request_is_rejected_with_and_without_content_length(
    client: Client,
) -> None:
    large = json.dumps(ALICE | {"padding": "x" * 70_000}).encode()
    path = f"{ROOT}/wx/auth/login"
    for content_type in ("application/json", "text/plain"):
        answer = client.send("POST", path, data=large, content_type=content_type)
        assert (answer.status_code, answer.json["errno"]) == (200, 401)
        chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
        how: dict[str, Any] = {"input_stream": BytesIO(large), "environ_overrides": chunked}
        answer = client.send("POST", path, content_type=content_type, **how)
        assert (answer.status_code, answer.json["errno"]) == (200, 401)


def test_json_numbers_in_nested_objects_are_read_as_their_json_spelling(
    client: Client, alice: Person, send: Send
) -> None:
    claimed = json.dumps({"code": alice.wx_login(), "userInfo": {"nickName": 520, "gender": 1}})
    login = send(f"{ROOT}/wx/auth/login_by_weixin", claimed, "text/plain")["data"]
    assert login["userInfo"]["nickName"] == "520"


def test_gender_accepts_only_0_1_and_2_as_number_or_text(
    client: Client, bob: Person, rows: Reader
) -> None:
    token = client.bind(bob, ACME_CLUB)["token"]
    path = f"/apps/{ACME_CLUB.appid}/wx/auth/profile"
    for gender in (2, "1"):
        body = {"nickname": "Bob", "gender": gender}
        assert client.send("POST", path, token, json=body).json["errno"] == 0
        assert rows("SELECT gender FROM users WHERE nickname = 'Bob'") == [(int(gender),)]
    for gender in (3, True, 1.5, {}, "x"):
        body = {"nickname": "Bob", "gender": gender}
        assert client.send("POST", path, token, json=body).json["errno"] == 401


def test_native_endpoints_reject_numbers_in_text_fields_and_non_json_content_types(
    client: Client, rows: Reader
) -> None:
    """Rejecting form content types also prevents form submissions by other web sites."""
    path = f"/v1/apps/{ACME_SHOP.appid}/password-login"
    body = {"account": 13800138000, "password": 12345678}
    with nothing_written(rows):
        assert client.send("POST", path, json=body).status_code == 422
        text = json.dumps({"account": PHONE, "password": PASSWORD})
        for content_type in ("text/plain", "application/josn", ""):
            answer = client.send("POST", path, data=text, content_type=content_type)
            assert answer.status_code == 415


# Values that JavaScript clients send in a token header if they have no token.
NO_TOKENS = ["undefined", "null", "", " ", " undefined ", "null "]
HEADERS = ["Authorization", "X-Litemall-Token", "X-OA-Token"]


def token_header(header: str, token: str, scheme: str = "Bearer") -> dict[str, str]:
    """Return a token header. Only Authorization has a scheme."""
    return {header: f"{scheme} {token}" if header == "Authorization" else token}


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("token", NO_TOKENS)
def test_a_token_header_with_undefined_or_null_is_reported_as_token_missing(
    client: Client, header: str, token: str
) -> None:
    """The message asks the client to log in, and does not report an invalid token."""
    headers = wechat_headers(ACME_SHOP) | token_header(header, token)
    for path in ("/v1/me", "/v1/verify", "/v1/me/sessions"):
        answer = client.send("GET", path, headers=dict(headers))
        assert (answer.status_code, answer.json["code"]) == (401, "token_missing"), path
    litemall = client.send("GET", f"{ROOT}/wx/auth/info", headers=dict(headers)).json
    assert (litemall["errno"], litemall["errmsg"]) == (501, "请先登录。")
    gitegg = client.send("GET", "/system/account/user/info", headers=dict(headers)).json
    assert (gitegg["code"], gitegg["msg"]) == (401, "请先登录。")


@pytest.mark.parametrize("header", HEADERS)
def test_a_token_header_with_undefined_is_ignored_beside_a_valid_token(
    client: Client, alice: Person, header: str
) -> None:
    good = client.bind(alice)["token"]
    other = "X-OA-Token" if header != "X-OA-Token" else "Authorization"
    for token, scheme in product(NO_TOKENS, ["Bearer", "bearer", "BEARER"]):
        headers = token_header(header, token, scheme) | token_header(other, good, scheme)
        answer = client.send("GET", "/v1/me", headers=dict(headers))
        assert answer.status_code == 200, headers


@pytest.mark.parametrize("token", NO_TOKENS)
def test_a_password_login_with_undefined_in_the_token_headers_succeeds(
    app: Flask, client: Client, alice: Person, token: str
) -> None:
    enter_user(app, account=PHONE, password=PASSWORD)
    for path, others in paths(client, alice).values():
        headers = wechat_headers(ACME_SHOP)
        headers |= {"Authorization": f"Bearer {token}", "X-Litemall-Token": token}
        answer = client.send("POST", path, json=ALICE | others, headers=headers)
        assert is_login(answer.json), path
