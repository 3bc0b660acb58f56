"""GitEgg on the wire: every way to say a thing, and everything said wrongly."""

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
    """The shop's mini-program on Alice's phone."""
    return MiniProgram(client, alice)


# Ways to say it


def test_every_grant_is_understood_in_json_form_and_query(
    app: Flask, client: Client, phone: MiniProgram
) -> None:
    """Otherwise a client must be rewritten."""
    enter_user(app, account="alice", password=PASSWORD, phone="13800138001")
    data(phone.phone(phone.bind_key()))
    who = {"username": "alice", "password": PASSWORD, "appid": ACME_SHOP.appid}
    # GitEgg's clients send their OAuth client along; nobody here asks for it.
    basic = {"Authorization": "Basic Z2l0ZWdn"}

    def ask(how: str, **fields: str) -> dict[str, Any]:
        answer = client.send("POST", "/oauth/token", headers=dict(basic), **{how: fields})
        return dict(data(answer))

    for how in ("json", "data", "query_string"):
        tokens = ask(how, grant_type="social", social_key=phone.bind_key(), client_id="gitegg")
        assert ask(how, grant_type="refresh_token", refresh_token=tokens["refreshToken"])["token"]
        assert ask(how, grant_type="password", **who)["token"]


def test_fields_left_empty_count_as_left_out(phone: MiniProgram) -> None:
    """Otherwise a form that posts all its fields gets no token."""
    key = phone.bind_key()
    data(phone.phone(key))
    token = data(phone.grant("social", social_key=key, username="", password=None))["token"]
    assert data(phone.logout(token, refreshToken="")) is None


def test_plus_signs_that_arrive_as_blanks_are_put_back(phone: MiniProgram, client: Client) -> None:
    """Otherwise every other tap fails, for clients that do not escape Base64."""
    key = phone.bind_key()
    for _ in range(50):
        tapped = phone.person.tap_phone_old()
        if "+" in tapped["encryptedData"] and "+" in tapped["iv"]:
            break
    query = "&".join(f"{name}={text}" for name, text in tapped.items())
    answer = client.send("GET", f"{WX}/phone?socialKey={key}&{query}")
    assert data(answer)["mobile"] == "13800138001"


def test_user_info_with_blanks_for_plus_signs_is_read(phone: MiniProgram, client: Client) -> None:
    """Otherwise the first button fails where the second one works."""
    key = phone.bind_key()
    for _ in range(50):
        tapped = phone.person.tap_user_info()
        if "+" in tapped["encryptedData"]:
            break
    signed = f"rawData={quote(tapped['rawData'])}&signature={tapped['signature']}"
    unescaped = f"encryptedData={tapped['encryptedData']}&iv={tapped['iv']}"
    answer = client.send("GET", f"{WX}/info?socialKey={key}&{signed}&{unescaped}")
    assert data(answer)["nickName"] == "alice 🌸 小花"


def test_a_longest_user_info_fits_into_the_request_line(wechat: WeChat, client: Client) -> None:
    """Otherwise gunicorn refuses a GET that people with long names make (limit 4094)."""
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


def test_a_stale_token_left_in_the_header_does_not_stop_a_new_login(phone: MiniProgram) -> None:
    """Otherwise the interceptor that adds it locks its own client out."""
    assert data(phone.wx("login", "wxp_stale", code=phone.person.wx_login()))["bindKey"]


def test_the_appid_in_the_path_counts_and_not_the_one_in_the_query(phone: MiniProgram) -> None:
    """Otherwise a query moves a person into another tenant."""
    code = phone.person.wx_login()
    key = data(phone.wx("login", code=code, appId=GLOBEX_LIFE.appid))["bindKey"]
    assert data(phone.phone(key))["mobile"]


# What the person is told


def test_the_person_is_told_in_chinese_or_else_in_english(client: Client) -> None:
    """Otherwise the message is not understood."""

    def told(**headers: str) -> str:
        answer = client.send("GET", "/system/account/user/info", headers=headers)
        return str(answer.json["msg"])[:3]

    assert told() == "请先登"
    for chinese in ("zh-CN,zh;q=0.9,en;q=0.8", "zh-TW,en;q=0.5", "fr", "*", ";;q=x"):
        assert told(**{"Accept-Language": chinese}) == "请先登"
    for english in ("en", "en-US,en;q=0.9,zh;q=0.1", "fr,en;q=0.1"):
        assert told(**{"Accept-Language": english}) == "Ple"


def test_answers_are_kept_out_of_caches(phone: MiniProgram) -> None:
    """Otherwise a proxy keeps a bindKey that was given in answer to a GET."""
    login = phone.login()
    assert login.headers["Cache-Control"] == "no-store"
    assert phone.user(None).headers["Cache-Control"] == "no-store"


def test_a_token_that_is_none_sends_the_client_to_its_login_page(phone: MiniProgram) -> None:
    """Otherwise the client stays on a page that shows nothing."""
    key = phone.bind_key()
    for token in (None, "", "wxp_unknown", "微信".encode().decode("latin-1"), "x" * 5000, "a b"):
        assert refused(phone.user(token)) == 401
        assert refused(phone.wx("unbind", token)) == 401
        assert refused(phone.wx("bind", token, socialKey=key)) == 401
        assert refused(phone.logout(token)) == 401


def test_an_expired_token_sends_the_client_to_its_login_page(
    phone: MiniProgram, rows: Reader
) -> None:
    """Otherwise a login lives for ever."""
    tokens = phone.bound()
    rows("UPDATE login_sessions SET expires_at = now() - interval '1 second'")
    assert refused(phone.user(tokens["token"])) == 401
    assert data(phone.grant("refresh_token", refresh_token=tokens["refreshToken"]))


def test_a_wrong_password_is_told_where_it_was_typed(app: Flask, phone: MiniProgram) -> None:
    """Otherwise 401 sends the client to its login page, and nobody reads what was wrong."""
    enter_user(app, account="alice", password=PASSWORD)
    told = [phone.password("guess", account) for account in ("alice", "nobody", "' OR 1=1 --")]
    assert {refused(answer) for answer in told} == {400}
    assert {answer.json["msg"] for answer in told} == {"账号或密码错误。"}


# Which mini-program


def test_an_unknown_appid_is_refused_in_the_envelope(client: Client) -> None:
    """Otherwise the page gets an answer it cannot read."""
    for what in ("login", "info", "phone", "bind", "unbind"):
        for appid in ("wxunknown", "%00%ff", "x" * 500):
            assert refused(client.send("GET", f"/wx/user/{appid}/{what}")) == 404


def test_a_password_with_no_app_to_try_it_in_is_refused(app: Flask, phone: MiniProgram) -> None:
    """Otherwise some tenant is picked by chance."""
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


def test_two_apps_in_one_request_are_refused(app: Flask, phone: MiniProgram) -> None:
    """Otherwise one of them is picked by chance, and a password tried at the wrong tenant."""
    enter_user(app, account="alice", password=PASSWORD)
    said = {"username": "alice", "password": PASSWORD, "appid": ACME_CLUB.appid}
    assert refused(phone.grant("password", headers=wechat_headers(ACME_SHOP), **said)) == 400
    path = f"/apps/{ACME_SHOP.appid}/oauth/token"
    answer = phone.client.send("POST", path, json={"grant_type": "password", **said})
    assert refused(answer) == 400
    path = f"/apps/{ACME_SHOP.appid}/wx/user/{ACME_CLUB.appid}/login"
    asked = {"code": phone.person.wx_login(ACME_CLUB)}
    assert refused(phone.client.send("GET", path, query_string=asked)) == 400


def test_a_password_of_another_tenant_is_wrong_here(app: Flask, phone: MiniProgram) -> None:
    """Otherwise an account of one organisation opens the next."""
    enter_user(app, tenant="globex", account="alice", password=PASSWORD)
    assert refused(phone.password(PASSWORD)) == 400


def test_a_disabled_app_serves_nobody(app: Flask, phone: MiniProgram) -> None:
    """Otherwise switching it off leaves doors open."""
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


# Said wrongly


SENT: dict[str, tuple[str, ...]] = {
    "login": ("code",),
    "info": ("socialKey", "signature", "rawData", "encryptedData", "iv"),
    "phone": ("socialKey", "encryptedData", "iv"),
}


@pytest.mark.parametrize("what", SENT)
def test_a_missing_or_oversized_field_is_refused(phone: MiniProgram, what: str) -> None:
    """Otherwise nonsense reaches WeChat or the database."""
    key = phone.bind_key()
    for name in SENT[what]:
        for wrong in ("", "x" * 9000, "a\0b"):
            fields = dict.fromkeys(SENT[what], "x") | {"socialKey": key, name: wrong}
            assert refused(phone.wx(what, **fields)) == 422, (name, wrong[:3])
        del fields[name]
        assert refused(phone.wx(what, **fields)) == 422, name


def test_a_grant_that_makes_no_sense_is_refused(client: Client) -> None:
    """Otherwise there is a grant that nobody thought of."""
    nonsense: list[dict[str, Any]] = [
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
    for fields in nonsense:
        assert refused(client.send("POST", "/oauth/token", json=fields)) == 422, fields


def test_a_body_that_is_no_json_object_is_refused(client: Client) -> None:
    """Otherwise it is answered with a crash, and an attacker fills the log."""
    number = b'{"grant_type":' + b"9" * 6000 + b"}"
    for body in (b"", b"null", b"[]", b'{"grant_type":', b"\xff\xfe", b"[" * 60000, number):
        sent = {"data": body, "content_type": "application/json"}
        assert refused(client.send("POST", "/oauth/token", **sent)) == 422, body[:20]


@pytest.mark.parametrize("how", ["json", "data"])
def test_a_body_that_is_too_large_is_refused(client: Client, how: str) -> None:
    """Otherwise one client fills the memory."""
    large = {"grant_type": "social", "social_key": "x" * 70000}
    assert refused(client.send("POST", "/oauth/token", **{how: large})) == 413


def test_a_refusal_names_the_fields_and_repeats_no_value(phone: MiniProgram) -> None:
    """Otherwise a developer guesses, or a password comes back in an answer."""
    answer = phone.grant("password", username="alice", password="secret" * 30)
    assert refused(answer) == 422
    assert list(answer.json["errors"]) == ["password"]
    assert "secret" not in answer.text


def test_a_crash_is_told_in_the_envelope_without_its_cause(
    phone: MiniProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the page shows a stack trace, or nothing."""

    def crash(*_: object) -> None:
        raise RuntimeError("the private cause")

    token = phone.bound()["token"]
    monkeypatch.setattr("app.services.users.users.show_user", crash)
    answer = phone.user(token)
    assert answer.status_code == 500
    assert (answer.json["code"], answer.json["success"], answer.json["data"]) == (500, False, None)
    assert "cause" not in answer.text


# WeChat says no


@pytest.mark.parametrize(
    ("kind", "code"),
    [("busy", 503), ("rate_limited", 429), ("blocked", 403), ("html", 503), ("drop", 503)],
)
def test_a_wechat_that_fails_is_told_and_nothing_is_kept(
    phone: MiniProgram, wechat: WeChat, rows: Reader, kind: str, code: int
) -> None:
    """Otherwise the page sees an HTTP error, or a person whom nobody proved."""
    wechat.fault(kind)
    assert refused(phone.login()) == code
    assert rows.count("social_accounts") == rows.count("login_sessions") == 0


def test_a_code_works_once_for_five_minutes_in_its_own_app_only(
    client: Client, phone: MiniProgram, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    """Otherwise a code that was overheard is a login."""
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
def test_open_data_of_another_key_app_or_hour_is_refused(
    phone: MiniProgram, rows: Reader, how: dict[str, Any], code: int
) -> None:
    """Otherwise data made elsewhere, or long ago, proves a number."""
    key = phone.bind_key()
    assert refused(phone.phone(key, **how)) == code
    assert refused(phone.info(key, **how)) == code
    assert rows.count("phones") == rows.count("social_accounts", "nickname IS NOT NULL") == 0


def test_open_data_of_another_person_is_refused(phone: MiniProgram, bob: Person) -> None:
    """Otherwise Alice becomes whoever taps."""
    bob.wx_login()
    key = phone.bind_key()
    assert refused(phone.wx("phone", socialKey=key, **bob.tap_phone_old())) == 409
    assert refused(phone.wx("info", socialKey=key, **bob.tap_user_info())) == 409


def test_raw_data_that_was_touched_is_refused(phone: MiniProgram) -> None:
    """Otherwise the signature proves nothing."""
    key, tapped = phone.bind_key(), phone.person.tap_user_info()
    tapped["rawData"] = tapped["rawData"].replace("alice", "admin")
    assert refused(phone.wx("info", socialKey=key, **tapped)) == 422
    assert not data(phone.login())["userInfoAlready"]


def test_open_data_cannot_be_swapped_between_the_two_buttons(phone: MiniProgram) -> None:
    """Otherwise a profile is read as a phone."""
    key, info, number = phone.bind_key(), phone.person.tap_user_info(), phone.person.tap_phone_old()
    mixed = {name: info[name] for name in ("encryptedData", "iv")}
    assert refused(phone.wx("phone", socialKey=key, **mixed)) == 422
    assert refused(phone.wx("info", socialKey=key, **(info | number))) == 422


def test_a_number_that_cannot_exist_is_refused(client: Client, wechat: WeChat) -> None:
    """Otherwise nobody can ever be called."""
    phone = MiniProgram(client, Person(wechat, "frank", "12"))
    assert refused(phone.phone(phone.bind_key())) == 422
