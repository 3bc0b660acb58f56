"""Wire format of GitEgg clients: accepted encodings, messages and malformed requests."""

from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from app.services.apps.apps import set_app_enabled
from tests.dialects.gitegg_client import MiniProgram, data, refused
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    WeChat,
    enter_user,
    wechat_headers,
)

PASSWORD = GOOD_PASSWORD
WX = f"/wx/user/{ACME_SHOP.appid}"


@pytest.fixture
def phone(client: Client, alice: Person) -> MiniProgram:
    """Return a GitEgg client that sends Alice's requests to acme's shop app."""
    return MiniProgram(client, alice)


# Accepted encodings


def test_every_grant_type_is_accepted_in_a_json_body_a_form_and_the_query(
    app: Flask, client: Client, phone: MiniProgram
) -> None:
    enter_user(app, account="alice", password=PASSWORD, phone="13800138001")
    data(phone.phone(phone.bind_key()))
    credentials = {"username": "alice", "password": PASSWORD, "appid": ACME_SHOP.appid}
    # GitEgg clients send the id of their OAuth client. It is not checked.
    basic = {"Authorization": "Basic Z2l0ZWdn"}

    def ask(how: str, **fields: str) -> dict[str, Any]:
        answer = client.send("POST", "/oauth/token", headers=dict(basic), **{how: fields})
        return dict(data(answer))

    for how in ("json", "data", "query_string"):
        tokens = ask(how, grant_type="social", social_key=phone.bind_key(), client_id="gitegg")
        assert ask(how, grant_type="refresh_token", refresh_token=tokens["refreshToken"])["token"]
        assert ask(how, grant_type="password", **credentials)["token"]


def test_an_empty_or_null_field_is_treated_as_missing(phone: MiniProgram) -> None:
    key = phone.bind_key()
    data(phone.phone(key))
    token = data(phone.grant("social", social_key=key, username="", password=None))["token"]
    assert data(phone.logout(token, refreshToken="")) is None


def test_spaces_in_the_base64_of_encrypted_phone_data_are_read_as_plus_signs(
    phone: MiniProgram, client: Client
) -> None:
    key = phone.bind_key()
    for _ in range(50):
        tapped = phone.person.tap_phone_old()
        if "+" in tapped["encryptedData"] and "+" in tapped["iv"]:
            break
    query = "&".join(f"{name}={text}" for name, text in tapped.items())
    answer = client.send("GET", f"{WX}/phone?socialKey={key}&{query}")
    assert data(answer)["mobile"] == "13800138001"


def test_spaces_in_the_base64_of_encrypted_user_info_are_read_as_plus_signs(
    phone: MiniProgram, client: Client
) -> None:
    key = phone.bind_key()
    for _ in range(50):
        tapped = phone.person.tap_user_info()
        if "+" in tapped["encryptedData"]:
            break
    signed = f"rawData={quote(tapped['rawData'])}&signature={tapped['signature']}"
    unescaped = f"encryptedData={tapped['encryptedData']}&iv={tapped['iv']}"
    answer = client.send("GET", f"{WX}/info?socialKey={key}&{signed}&{unescaped}")
    assert data(answer)["nickName"] == "alice 🌸 小花"


def test_the_longest_user_info_fits_into_gunicorns_request_line(
    wechat: WeChat, client: Client
) -> None:
    """gunicorn accepts a request line of 4094 bytes."""
    person = Person(wechat, "erin", "13800138005")
    wechat.control(
        "people", name="erin", nickname="微" * 32, avatar_url="https://x.cn/" + "a" * 160
    )
    phone = MiniProgram(client, person)
    key, tapped = phone.bind_key(), person.tap_user_info()
    line = f"GET {WX}/info?socialKey={key}" + "".join(
        f"&{name}={quote(text, safe='')}" for name, text in tapped.items()
    )
    assert len(line) < 4000


def test_a_login_with_an_invalid_token_in_the_header_succeeds(phone: MiniProgram) -> None:
    assert data(phone.wx("login", "wxp_stale", code=phone.person.wx_login()))["bindKey"]


def test_the_appid_in_the_path_takes_precedence_over_the_query(phone: MiniProgram) -> None:
    code = phone.person.wx_login()
    key = data(phone.wx("login", code=code, appId=GLOBEX_LIFE.appid))["bindKey"]
    assert data(phone.phone(key))["mobile"]


# Messages


def test_gitegg_messages_are_chinese_unless_accept_language_prefers_english(client: Client) -> None:
    def message(**headers: str) -> str:
        answer = client.send("GET", "/system/account/user/info", headers=headers)
        return str(answer.json["msg"])[:3]

    assert message() == "请先登"
    for chinese in ("zh-CN,zh;q=0.9,en;q=0.8", "zh-TW,en;q=0.5", "fr", "*", ";;q=x"):
        assert message(**{"Accept-Language": chinese}) == "请先登"
    for english in ("en", "en-US,en;q=0.9,zh;q=0.1", "fr,en;q=0.1"):
        assert message(**{"Accept-Language": english}) == "Ple"


def test_gitegg_responses_have_cache_control_no_store(phone: MiniProgram) -> None:
    login = phone.login()
    assert login.headers["Cache-Control"] == "no-store"
    assert phone.user(None).headers["Cache-Control"] == "no-store"


def test_an_invalid_login_token_gets_code_401(phone: MiniProgram) -> None:
    key = phone.bind_key()
    for token in (None, "", "wxp_unknown", "微信".encode().decode("latin-1"), "x" * 5000, "a b"):
        assert refused(phone.user(token)) == 401
        assert refused(phone.wx("unbind", token)) == 401
        assert refused(phone.wx("bind", token, socialKey=key)) == 401
        assert refused(phone.logout(token)) == 401


def test_an_expired_login_token_gets_code_401(phone: MiniProgram, rows: Reader) -> None:
    tokens = phone.bound()
    rows("UPDATE login_sessions SET expires_at = now() - interval '1 second'")
    assert refused(phone.user(tokens["token"])) == 401
    assert data(phone.grant("refresh_token", refresh_token=tokens["refreshToken"]))


def test_a_wrong_password_gets_code_400_and_a_message(app: Flask, phone: MiniProgram) -> None:
    """On 401 the client opens its login page without a message. On 400 it shows the message."""
    enter_user(app, account="alice", password=PASSWORD)
    responses = [phone.password("guess", account) for account in ("alice", "nobody", "' OR 1=1 --")]
    assert {refused(answer) for answer in responses} == {400}
    assert {answer.json["msg"] for answer in responses} == {"账号或密码错误。"}


# Selection of the app


def test_an_unknown_appid_gets_code_404_in_the_envelope(client: Client) -> None:
    for what in ("login", "info", "phone", "bind", "unbind"):
        for appid in ("wxunknown", "%00%ff", "x" * 500):
            assert refused(client.send("GET", f"/wx/user/{appid}/{what}")) == 404


def test_a_password_login_without_an_appid_in_body_path_or_referer_is_rejected(
    app: Flask, phone: MiniProgram
) -> None:
    enter_user(app, account="alice", password=PASSWORD)
    page = f"https://servicewechat.com/{ACME_SHOP.appid}/1/page-frame.html"
    for referer in (
        "",
        page.replace(ACME_SHOP.appid, ""),
        page.replace(".com", ".com.evil.com"),
        f"https://evil.com/?{page}",
    ):
        answer = phone.grant(
            "password", username="alice", password=PASSWORD, headers={"Referer": referer}
        )
        assert refused(answer) == 400
        assert "/apps/<appid>" in answer.json["msg"]
    unknown = {"Referer": page.replace(ACME_SHOP.appid, "wxunknown")}
    answer = phone.grant("password", username="alice", password=PASSWORD, headers=unknown)
    assert refused(answer) == 404


def test_a_request_with_different_appids_in_path_body_or_referer_is_rejected(
    app: Flask, phone: MiniProgram
) -> None:
    enter_user(app, account="alice", password=PASSWORD)
    credentials = {"username": "alice", "password": PASSWORD, "appid": ACME_CLUB.appid}
    assert refused(phone.grant("password", headers=wechat_headers(ACME_SHOP), **credentials)) == 400
    path = f"/apps/{ACME_SHOP.appid}/oauth/token"
    answer = phone.client.send("POST", path, json={"grant_type": "password", **credentials})
    assert refused(answer) == 400
    path = f"/apps/{ACME_SHOP.appid}/wx/user/{ACME_CLUB.appid}/login"
    query = {"code": phone.person.wx_login(ACME_CLUB)}
    assert refused(phone.client.send("GET", path, query_string=query)) == 400


def test_a_password_login_of_another_tenants_user_is_rejected(
    app: Flask, phone: MiniProgram
) -> None:
    enter_user(app, tenant="globex", account="alice", password=PASSWORD)
    assert refused(phone.password(PASSWORD)) == 400


def test_every_gitegg_request_for_a_disabled_app_is_rejected(
    app: Flask, phone: MiniProgram
) -> None:
    enter_user(app, account="alice", password=PASSWORD)
    key, tokens = phone.bind_key(), phone.bound()
    with app.app_context():
        set_app_enabled(ACME_SHOP.appid, False)
    assert refused(phone.login()) == 403
    assert refused(phone.info(key)) == refused(phone.phone(key)) == 403
    assert refused(phone.grant("social", social_key=key)) == 403
    assert refused(phone.grant("refresh_token", refresh_token=tokens["refreshToken"])) == 403
    assert refused(phone.password(PASSWORD)) == 403
    assert refused(phone.user(tokens["token"])) == 403


# Malformed requests


SENT: dict[str, tuple[str, ...]] = {
    "login": ("code",),
    "info": ("socialKey", "signature", "rawData", "encryptedData", "iv"),
    "phone": ("socialKey", "encryptedData", "iv"),
}


@pytest.mark.parametrize("what", SENT)
def test_a_gitegg_request_with_a_missing_oversized_or_invalid_field_is_rejected(
    phone: MiniProgram, what: str
) -> None:
    key = phone.bind_key()
    for name in SENT[what]:
        for wrong in ("", "x" * 9000, "a\0b"):
            fields = dict.fromkeys(SENT[what], "x") | {"socialKey": key, name: wrong}
            assert refused(phone.wx(what, **fields)) == 422, (name, wrong[:3])
        del fields[name]
        assert refused(phone.wx(what, **fields)) == 422, name


def test_a_token_request_with_missing_or_malformed_fields_is_rejected(client: Client) -> None:
    malformed: list[dict[str, Any]] = [
        {},
        {"grant_type": "authorization_code", "code": "x"},
        {"grant_type": "client_credentials"},
        {"grant_type": ["social"], "social_key": "x"},
        {"grant_type": "social"},
        {"grant_type": "social", "refresh_token": "x"},
        {"grant_type": "social", "social_key": {"$ne": None}},
        {"grant_type": "social", "social_key": "x" * 129},
        {"grant_type": "social", "social_key": "\ud800"},
        {"grant_type": "refresh_token"},
        {"grant_type": "refresh_token", "refresh_token": ["x"]},
        {"grant_type": "refresh_token", "refresh_token": "wxr_" + "\ud800" * 86},
        {"grant_type": "password", "username": "alice"},
        {"grant_type": "password", "username": "alice", "password": "x" * 129},
        {"grant_type": "password", "username": "\u200b", "password": "x"},
        {"grant_type": "password", "username": "a", "password": "x\0y"},
        {"grant_type": "password", "username": "a", "password": "x", "appid": ["wx"]},
    ]
    for fields in malformed:
        assert refused(client.send("POST", "/oauth/token", json=fields)) == 422, fields


def test_a_token_request_whose_json_body_is_not_an_object_is_rejected(client: Client) -> None:
    number = b'{"grant_type":' + b"9" * 6000 + b"}"
    for body in (b"", b"null", b"[]", b'{"grant_type":', b"\xff\xfe", b"[" * 60000, number):
        sent = {"data": body, "content_type": "application/json"}
        assert refused(client.send("POST", "/oauth/token", **sent)) == 422, body[:20]


@pytest.mark.parametrize("how", ["json", "data"])
def test_an_oversized_token_request_is_rejected(client: Client, how: str) -> None:
    large = {"grant_type": "social", "social_key": "x" * 70000}
    assert refused(client.send("POST", "/oauth/token", **{how: large})) == 413


def test_a_validation_error_names_the_invalid_fields_without_their_values(
    phone: MiniProgram,
) -> None:
    answer = phone.grant("password", username="alice", password="secret" * 30)
    assert refused(answer) == 422
    assert list(answer.json["errors"]) == ["password"]
    assert "secret" not in answer.text


def test_an_internal_error_gets_code_500_in_the_envelope_without_the_cause(
    phone: MiniProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("the private cause")

    token = phone.bound()["token"]
    monkeypatch.setattr("app.services.users.users.show_user", crash)
    answer = phone.user(token)
    assert answer.status_code == 500
    assert (answer.json["code"], answer.json["success"], answer.json["data"]) == (500, False, None)
    assert "cause" not in answer.text


# Failures of WeChat, and open data


@pytest.mark.parametrize(
    ("kind", "code"),
    [("busy", 503), ("rate_limited", 429), ("blocked", 403), ("html", 503), ("drop", 503)],
)
def test_a_login_during_a_wechat_failure_gets_an_error_code_and_stores_nothing(
    phone: MiniProgram, wechat: WeChat, rows: Reader, kind: str, code: int
) -> None:
    wechat.fault(kind)
    assert refused(phone.login()) == code
    assert rows.count("social_accounts") == rows.count("login_sessions") == 0


def test_a_gitegg_login_code_is_valid_once_for_one_app_and_for_five_minutes(
    client: Client, phone: MiniProgram, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    code = alice.wx_login()
    assert refused(MiniProgram(client, alice, GLOBEX_LIFE).wx("login", code=code)) == 400
    code = alice.wx_login()
    data(phone.wx("login", code=code))
    rows("UPDATE code_exchanges SET asked_at = asked_at - interval '31 seconds'")
    assert refused(phone.wx("login", code=code)) == 400
    assert refused(phone.wx("login", code="guess")) == 400
    code = alice.wx_login()
    wechat.control("clock", advance=301)
    assert refused(phone.wx("login", code=code)) == 400


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"stale": True}, 409),
        ({"watermark_appid": GLOBEX_LIFE.appid}, 422),
        ({"age": 3600}, 422),
    ],
)
def test_open_data_with_a_stale_key_foreign_watermark_or_old_timestamp_is_rejected(
    phone: MiniProgram, rows: Reader, how: dict[str, Any], code: int
) -> None:
    key = phone.bind_key()
    assert refused(phone.phone(key, **how)) == code
    assert refused(phone.info(key, **how)) == code
    assert rows.count("phones") == rows.count("social_accounts", "nickname IS NOT NULL") == 0


def test_open_data_encrypted_for_another_person_is_rejected(
    phone: MiniProgram, bob: Person
) -> None:
    bob.wx_login()
    key = phone.bind_key()
    assert refused(phone.wx("phone", socialKey=key, **bob.tap_phone_old())) == 409
    assert refused(phone.wx("info", socialKey=key, **bob.tap_user_info())) == 409


def test_user_info_with_changed_raw_data_is_rejected(phone: MiniProgram) -> None:
    key, tapped = phone.bind_key(), phone.person.tap_user_info()
    tapped["rawData"] = tapped["rawData"].replace("alice", "admin")
    assert refused(phone.wx("info", socialKey=key, **tapped)) == 422
    assert not data(phone.login())["userInfoAlready"]


def test_user_info_sent_as_phone_data_and_phone_data_sent_as_user_info_are_rejected(
    phone: MiniProgram,
) -> None:
    key, info, number = phone.bind_key(), phone.person.tap_user_info(), phone.person.tap_phone_old()
    mixed = {name: info[name] for name in ("encryptedData", "iv")}
    assert refused(phone.wx("phone", socialKey=key, **mixed)) == 422
    assert refused(phone.wx("info", socialKey=key, **(info | number))) == 422


def test_a_phone_binding_with_an_invalid_number_is_rejected(client: Client, wechat: WeChat) -> None:
    phone = MiniProgram(client, Person(wechat, "frank", "12"))
    assert refused(phone.phone(phone.bind_key())) == 422
