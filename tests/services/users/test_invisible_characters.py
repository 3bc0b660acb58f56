"""Accounts and nicknames with invisible and bidirectional characters, at every entry point."""

import html
from typing import Any

import pytest
from flask import Flask

from app.services.apps.tenants import tenant_id_of
from app.services.audit import OPERATOR
from app.services.user_import.files import read_user_file
from app.text_cleaning import account_name
from tests.admin.console.browser import Browser, TenantConsole
from tests.fixtures.operators import PASSWORD as OPERATORS_PASSWORD
from tests.fixtures.operators import Script, signed_in
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_SHOP,
    Client,
    Person,
    Reader,
    enter_user,
    failure,
    wechat_headers,
)
from tests.fixtures.user_files import csv_of, import_users

USERS, EXPORTS, IMPORTS = (f"/tenants/acme/{what}" for what in ("users", "exports", "imports"))
PASSWORD = "correct-horse-battery"
PHONE = "13600000018"
# The same account, copied from contacts or a chat with invisible characters.
TYPED = [
    f"\u202a{PHONE}\u202c",
    "136\u200b0000\u20600018",
    f"\ufeff{PHONE}\r\n",
    f"\u2066{PHONE}\u2069",
]
# Values without a visible character. They are refused wherever an account or name is required.
NOTHING = ["\u200b\u200d", "\u3164", "\ufe0f", "\u2800", "\u202e\u202c", "\0"]


@pytest.fixture
def ann(app: Flask) -> Script:
    """Return the admin API client of Ann, a tenant admin of acme."""
    return signed_in(app, "ann@acme.example", "tenant_admin", "acme")


def log_in_everywhere(client: Client, alice: Person, account: str) -> dict[str, Any]:
    """Log in with an account and password at each endpoint, and return the tokens."""
    credentials = {"account": account, "password": PASSWORD}
    named = {"username": account, "password": PASSWORD}
    root = f"/apps/{ACME_SHOP.appid}"
    grant = {"grant_type": "password", "appid": ACME_SHOP.appid, **named}
    opened = client.send("POST", f"{root}/uni/openid", json={"code": alice.wx_login()}).json
    handle = {"openId": opened["sessionKey"]}

    def ask(path: str, **body: str) -> Any:
        return client.send("POST", path, json=body, headers=wechat_headers(ACME_SHOP)).json

    token = client.log_in(alice)["token"]
    return {
        "password-login": client.post("password-login", **credentials).json["token"],
        "bind": client.post("bind", token, **credentials).json["token"],
        "login": client.post("login", code=alice.wx_login(), **credentials).json["token"],
        "gitegg": ask("/oauth/token", **grant)["data"]["token"],
        "litemall": ask(f"{root}/wx/auth/login", **named)["data"]["token"],
        "checkbind": ask(f"{root}/mobileApi/user/login", **handle, **named)["token"],
        "code2session": ask(f"{root}/api/login/code2session", code=alice.wx_login(), **named)[
            "token"
        ],
    }


@pytest.mark.parametrize("typed", TYPED)
def test_login_with_an_account_copied_with_invisible_characters_finds_the_user(
    app: Flask, client: Client, alice: Person, typed: str
) -> None:
    user_id = enter_user(app, account=PHONE, password=PASSWORD)
    for way, token in log_in_everywhere(client, alice, typed).items():
        assert client.me(token).json["id"] == user_id, way


def test_operator_can_sign_in_with_an_email_address_copied_with_invisible_characters(
    app: Flask, ann: Script
) -> None:
    copied = f"\u202a{ann.email.upper()}\u202c"
    assert Browser(app).sign_in(copied, OPERATORS_PASSWORD).status_code == 302
    assert Script(ann.client, copied).sign_in().status_code == 200


@pytest.mark.parametrize("typed", TYPED)
def test_account_is_stored_without_invisible_characters(
    app: Flask, ann: Script, rows: Reader, typed: str
) -> None:
    """Each entry point normalises the account, so the second entry is refused as taken."""
    run = app.test_cli_runner()
    command = ["users", "add", "--tenant", "acme", "--password-stdin", "--account", typed]
    entered = ann("POST", USERS, json={"account": typed, "password": PASSWORD})
    assert entered.json["user"]["account"] == PHONE
    assert failure(ann("POST", USERS, json={"account": typed})) == (409, "account_exists")
    line = run.invoke(args=command, input=PASSWORD)
    assert (line.exit_code, "account_exists" in line.output) == (1, True)
    page = TenantConsole(app).post("/users/enter", account=typed, password=PASSWORD)
    assert (page.status_code, "is taken in the tenant" in page.text) == (409, True)
    preview = ann("POST", IMPORTS, data=csv_of(("account",), (typed,)), content_type="text/csv")
    assert [one["code"] for one in preview.json["bad"]] == ["account_taken"]
    changed = run.invoke(
        args=["users", "set-password", typed, "--tenant", "acme", "--password-stdin"],
        input="another-password",
    )
    assert changed.exit_code == 0, changed.output
    assert rows("SELECT account FROM users") == [(PHONE,)]


def test_import_reports_rows_with_the_same_normalised_account(ann: Script) -> None:
    file = csv_of(("account",), ("wangwu",), ("wang\u200bwu",), ("\u202aWANGWU\u202c",))
    preview = ann("POST", IMPORTS, data=file, content_type="text/csv").json
    assert [(one["row"], one["code"]) for one in preview["bad"]] == [
        (3, "account_twice"),
        (4, "account_twice"),
    ]


def test_invisible_characters_do_not_bypass_login_throttling(app: Flask, client: Client) -> None:
    """An attacker who varies the account with invisible characters is throttled."""
    enter_user(app, account="wangwu", password=PASSWORD)
    spelled = ["wang" + "\u200b" * count + "wu" for count in range(8)]
    codes = [
        client.post("password-login", account=one, password="wrong").status_code for one in spelled
    ]
    assert codes[:5] == [401] * 5
    assert codes[-1] == 429


@pytest.mark.parametrize("account", NOTHING)
def test_account_without_visible_characters_is_refused_at_every_entry_point(
    app: Flask, client: Client, ann: Script, rows: Reader, account: str
) -> None:
    credentials = {"account": account, "password": PASSWORD}
    assert failure(client.post("password-login", **credentials)) == (422, "request_invalid")
    refused = ann("POST", USERS, json=credentials)
    assert failure(refused) == (422, "request_invalid")
    assert list(refused.json["errors"]) == ["account"]
    assert failure(ann("GET", USERS, query_string={"account": account})) == (422, "request_invalid")
    page = TenantConsole(app).post("/users/enter", account=account, password=PASSWORD)
    assert "Enter an account" in page.text
    root = f"/apps/{ACME_SHOP.appid}"
    named = {"username": account, "password": PASSWORD}
    assert client.send("POST", f"{root}/wx/auth/login", json=named).json["errno"] == 401
    assert rows.count("users") == 0


def test_account_with_a_lone_surrogate_is_refused(client: Client, ann: Script) -> None:
    credentials = {"account": "wang\ud800", "password": PASSWORD}
    assert failure(client.post("password-login", **credentials)) == (422, "request_invalid")
    assert failure(ann("POST", USERS, json=credentials)) == (422, "request_invalid")


@pytest.mark.parametrize("typed", ["\u202aWang\u202c", "wa\u200bng", "ＷＡＮＧ"])
def test_user_search_normalises_a_copied_account(app: Flask, ann: Script, typed: str) -> None:
    user_id = enter_user(app, account="wangwu")
    (found,) = ann("GET", USERS, query_string={"account": typed}).json["items"]
    assert found["id"] == user_id
    assert f"/users/{user_id}/show" in TenantConsole(app).read("/users/", name=typed)
    assert "wangwu" in ann("POST", EXPORTS, json={"query": typed}).text


@pytest.mark.parametrize("query", ["\u200b\u200d", "\u202e\u202c"])
def test_export_query_without_visible_characters_exports_no_users(
    app: Flask, ann: Script, query: str
) -> None:
    """An empty prefix matches every user and would export them all."""
    enter_user(app, account="wangwu")
    assert failure(ann("POST", EXPORTS, json={"query": query})) == (422, "request_invalid")
    command = ["users", "export", "--tenant", "acme", "--query", query]
    assert "wangwu" not in app.test_cli_runner().invoke(args=command).output
    assert "wangwu" not in TenantConsole(app).post("/people/export", query=query, status="").text


GIVEN, KEPT = "\u202e小\x07花\u202c 👨‍👩‍👧\u2028", "小花 👨‍👩‍👧"


def test_nickname_is_normalised_at_every_entry_point(
    app: Flask, client: Client, alice: Person, bob: Person, ann: Script, rows: Reader
) -> None:
    alice.wechat.control("people", name="alice", nickname=GIVEN)
    login = client.bind(alice)
    token, me = login["token"], login["user"]["id"]
    root = f"/apps/{ACME_SHOP.appid}/wx/auth"
    ways: dict[str, Any] = {
        "open data": lambda: client.post("profile", token, **alice.tap_user_info()),
        "typed": lambda: client.post("profile", token, nickname=GIVEN),
        "changed": lambda: client.send("PATCH", "/v1/me", token, json={"nickname": GIVEN}),
        "litemall": lambda: client.send("POST", f"{root}/profile", token, json={"nickname": GIVEN}),
    }
    for way, send in ways.items():
        rows("UPDATE users SET nickname = 'before'")
        assert send().status_code == 200, way
        assert rows(f"SELECT nickname FROM users WHERE id = '{me}'") == [(KEPT,)], way
    claimed = {"code": bob.wx_login(), "userInfo": {"nickName": GIVEN}}
    named = client.send("POST", f"{root}/login_by_weixin", json=claimed).json["data"]
    assert named["userInfo"]["nickName"] == KEPT
    entered = ann("POST", USERS, json={"account": "carol", "nickname": GIVEN})
    assert entered.json["user"]["nickname"] == KEPT
    TenantConsole(app).press("/users/enter", account="dave", nickname=GIVEN)
    with app.app_context():
        file = read_user_file(csv_of(("account", "nickname"), ("erin", GIVEN.strip("\u2028"))))
        import_users(OPERATOR, tenant_id_of("acme"), file)
    kept = rows("SELECT nickname FROM users WHERE account IN ('carol', 'dave', 'erin')")
    assert kept == [(KEPT,)] * 3


@pytest.mark.parametrize("nickname", NOTHING)
def test_nickname_without_visible_characters_counts_as_empty(
    app: Flask, client: Client, alice: Person, ann: Script, rows: Reader, nickname: str
) -> None:
    """Each entry point refuses or ignores the nickname, as it does an empty nickname."""
    token = client.bind(alice)["token"]
    assert failure(client.post("profile", token, nickname=nickname)) == (422, "request_invalid")
    changed = client.send("PATCH", "/v1/me", token, json={"nickname": nickname})
    assert failure(changed) == (422, "request_invalid")
    new = {"account": "carol", "nickname": nickname}
    assert failure(ann("POST", USERS, json=new)) == (422, "request_invalid")
    assert client.me(token).json["nickname"] is None
    client.send("PATCH", "/v1/me", token, json={"nickname": "Alice"})
    root = f"/apps/{ACME_SHOP.appid}/wx/auth"
    profile = {"nickname": nickname, "gender": 2}
    assert client.send("POST", f"{root}/profile", token, json=profile).json["errno"] == 0
    alice.wechat.control("people", name="alice", nickname=nickname)
    assert client.post("profile", token, **alice.tap_user_info()).status_code == 200
    TenantConsole(app).press("/users/enter", account="dave", nickname=nickname)
    kept = rows("SELECT nickname, gender FROM users ORDER BY account NULLS FIRST")
    assert kept == [("Alice", 2), (None, 0)]


def test_invisible_nickname_sent_with_the_first_login_is_not_stored(
    client: Client, alice: Person
) -> None:
    root = f"/apps/{ACME_SHOP.appid}/wx/auth"
    claimed = {"code": alice.wx_login(), "userInfo": {"nickName": "\u3164"}}
    login = client.send("POST", f"{root}/login_by_weixin", json=claimed).json["data"]
    assert login["userInfo"]["nickName"] is None


def test_stored_nickname_without_visible_characters_is_treated_as_missing(
    app: Flask, ann: Script, rows: Reader
) -> None:
    """The console shows the account instead, because an invisible link cannot be clicked."""
    user_id = enter_user(app, account="carol")
    rows("UPDATE users SET nickname = :name", name="\u3164")
    (found,) = ann("GET", USERS).json["items"]
    assert found["nickname"] is None
    assert ">carol</bdi></a>" in TenantConsole(app).read("/users/")
    assert "<h1><bdi>carol</bdi>" in TenantConsole(app, role="tenant_reader").read(
        f"/users/{user_id}/show"
    )


LABELS = ["\u202eremmargorp\u202c", "shop\u2066", "\u3164", "\u200b"]


@pytest.mark.parametrize("name", LABELS)
def test_tenant_or_app_name_with_bidirectional_characters_is_refused(
    app: Flask, ann: Script, rows: Reader, name: str
) -> None:
    path = f"/tenants/acme/apps/{ACME_SHOP.appid}"
    assert failure(ann("PATCH", path, json={"name": name})) == (422, "request_invalid")
    run = app.test_cli_runner()
    assert run.invoke(args=["tenants", "add", "initech", "--name", name]).exit_code == 2
    changed = TenantConsole(app).post(
        f"/apps/{ACME_SHOP.appid}/change", name=name, registration="closed"
    )
    assert 'class="wrong"' in changed.text
    assert rows.count("wechat_apps", "name <> appid") == 0


def test_console_pages_isolate_names_with_bidirectional_characters(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """The effect of a stored override ends with the element that contains the name."""
    user_id = client.bind(alice)["user"]["id"]
    evil = "\u202elive"
    rows("UPDATE users SET nickname = :name, account = :name", name=evil)
    rows("UPDATE social_accounts SET nickname = :name", name=evil)
    rows("UPDATE wechat_apps SET name = :name", name=evil)
    rows("UPDATE tenants SET name = :name", name=evil)
    console, platform = TenantConsole(app), TenantConsole(app, role="platform")
    pages = [
        console.read(path)
        for path in (
            *("/users/", f"/users/{user_id}/show", "/sessions/", "/", "/apps/"),
            f"/apps/{ACME_SHOP.appid}/show",
        )
    ]
    pages.append(platform.read("/tenants/"))
    for page in pages:
        body = page.partition("<main")[2]
        assert body.count(evil) > 0
        for before in body.split(evil)[:-1]:
            # Attributes are not rendered as text, and each option is a line of its own.
            is_apart = before.endswith('value="') or before.rpartition("<")[2].startswith("option")
            assert is_apart or before.rfind("<bdi>") > before.rfind("</bdi>"), before[-200:]


def test_confirmation_pages_isolate_each_name_with_bidirectional_characters(
    app: Flask, rows: Reader
) -> None:
    """An override in a name does not change the displayed order of users or appids."""
    first, second = (enter_user(app, account=account) for account in ("first", "second"))
    evil = "\u202elive"
    rows("UPDATE users SET nickname = :name", name=evil)
    rows("UPDATE wechat_apps SET name = :name", name=evil)
    console, shop = TenantConsole(app), f"/apps/{ACME_SHOP.appid}"
    merge = console.post(f"/users/{first}/merge", into_id=second)
    assert merge.status_code == 200
    name = f"<bdi>{evil}</bdi>"
    shown = f"{name}, <bdi>first</bdi> ({first}) → {name}, <bdi>second</bdi> ({second})"
    assert shown in html.unescape(merge.text)
    assert f"{name}, <bdi>first</bdi> ({first})" in console.read(f"/users/{first}/end-sessions")
    assert f"{name} ({ACME_SHOP.appid})" in console.read(f"{shop}/disable")
    assert f"{name} ({ACME_SHOP.appid})" in console.read(f"{shop}/secrets/next_secret/remove")


LONG_WHEN_CANONICAL = ["ß" * 33, "\ufdfa" * 4]


@pytest.mark.parametrize("account", LONG_WHEN_CANONICAL)
def test_account_length_is_measured_after_normalisation(
    app: Flask, client: Client, ann: Script, account: str, rows: Reader
) -> None:
    """An account that is too long could be exported but not imported or typed again."""
    assert len(account) <= 64 < len(account_name(account))
    refused = ann("POST", "/tenants/acme/users", json={"account": account})
    assert failure(refused) == (422, "request_invalid")
    command = ["users", "add", "--tenant", "acme", "--account", account, "--password-stdin"]
    assert app.test_cli_runner().invoke(args=command, input=GOOD_PASSWORD).exit_code == 2
    file = f"account\n{account}\n".encode()
    headers = {"Content-Type": "text/csv"}
    checked = ann("POST", "/tenants/acme/imports", data=file, headers=headers)
    assert "account_too_long" in checked.text
    assert rows.count("users") == 0


@pytest.mark.parametrize("account", LONG_WHEN_CANONICAL)
def test_stored_account_longer_than_the_limit_can_log_in(
    app: Flask, client: Client, account: str
) -> None:
    """Earlier releases measured the length before normalisation."""
    enter_user(app, "acme", account, GOOD_PASSWORD)
    login = client.post("password-login", account=account, password=GOOD_PASSWORD)
    assert login.status_code == 200, login.text
