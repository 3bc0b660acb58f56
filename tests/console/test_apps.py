"""The pages of mini-programs: added, changed, tested, and no secret ever shown."""

import pytest
from flask import Flask

from tests.cast import ACME_CLUB, ACME_SHOP, GLOBEX_LIFE, Reader, WeChat
from tests.console.desk import Desk

NEW = {
    "appid": "wxaaaa000000000009",
    "name": "Acme Bakery",
    "registration": "closed",
    "data_format": "xml",
    "secret": "d9" * 16,
    "push_token": "BakeryToken",
    "encoding_aes_key": "Q" * 43,
}
SHOW = f"/apps/{ACME_SHOP.appid}/show"
SECRETS = ("secret", "push_token", "encoding_aes_key")


def test_the_list_has_the_tenants_own_and_links_to_each(app: Flask) -> None:
    """Otherwise an admin sees a neighbour's mini-program, or cannot get to their own."""
    page = Desk(app).read("/apps/")
    for one in (ACME_SHOP, ACME_CLUB):
        assert f'href="/console/apps/{one.appid}/show"' in page
    assert GLOBEX_LIFE.appid not in page
    assert "only people who were entered here can log in" in page
    found = Desk(app, role="tenant_reader").read("/apps/", search=ACME_CLUB.appid)
    assert ACME_CLUB.appid in found
    assert f"/apps/{ACME_SHOP.appid}/" not in found


def test_one_is_added_and_what_wechat_says_is_told(app: Flask, wechat: WeChat) -> None:
    """Otherwise a wrong AppSecret shows only when the first person cannot log in."""
    desk = Desk(app)
    page = desk.press("/apps/add", **NEW)
    assert "The mini-program is added." in page
    assert "AppSecret: WeChat knows no such appid." in page
    wechat.control("apps", appid=NEW["appid"], secret=NEW["secret"], open_platform="acme")
    page = desk.press(f"/apps/{NEW['appid']}/test")
    assert "AppSecret: WeChat accepts appid and AppSecret." in page


def test_the_page_says_what_to_paste_where(app: Flask) -> None:
    """Otherwise an admin has to look up addresses and code elsewhere."""
    desk = Desk(app)
    page = desk.press("/apps/add", **NEW)
    for text in (
        "<code>https://localhost</code>",
        f"<code>https://localhost/wx/portal/{NEW['appid']}</code>",
        "安全模式",
        "XML",
        "the one that is entered here",
        f"/v1/apps/{NEW['appid']}/login",
        "wx.login(",
        "Authorization: `Bearer ${",
    ):
        assert text in page, text
    assert "not entered here yet" in desk.read(SHOW)
    assert "getPhoneNumber" in desk.read(SHOW), "people become users by phone there"


def test_no_secret_comes_out_again(app: Flask) -> None:
    """Otherwise whoever looks over a shoulder has it."""
    desk = Desk(app)
    later = {"next_secret": "e7" * 16, "push_token": "SecondToken", "encoding_aes_key": "R" * 43}
    where = f"/apps/{NEW['appid']}"
    pages = [
        desk.press("/apps/add", **NEW),
        desk.press(f"{where}/secrets", **later),
        desk.post(f"{where}/secrets", secret="f0" * 16, encoding_aes_key="tooshort77").text,
        desk.post(f"{where}/change", name="", session_limit="x").text,
        desk.post("/apps/add", **NEW).text,
        desk.post("/apps/add", **NEW | {"appid": "no appid"}).text,
        *(desk.read(path) for path in ("/apps/", "/audit/", "/users/", "/sessions/", "/")),
    ]
    secrets = {NEW[name] for name in SECRETS} | {*later.values(), "f0" * 16, "tooshort77"}
    for page in pages:
        assert not {secret for secret in secrets if secret in page}
    assert pages[1].count("fingerprint</span>") == 0
    assert pages[1].count("fingerprint <code>") == 4


def test_secrets_are_replaced_and_removed(app: Flask, rows: Reader) -> None:
    """Otherwise the console shows success and the old secret stays."""
    desk = Desk(app)
    desk.press("/apps/add", **NEW)
    where = f"/apps/{NEW['appid']}"
    assert "The secrets are replaced." in desk.press(f"{where}/secrets", next_secret="e7" * 16)
    again = desk.post(f"{where}/secrets", next_secret=NEW["secret"])
    assert again.status_code == 409
    assert "This AppSecret is in use already." in again.text
    assert "The secret is removed." in desk.press(f"{where}/secrets/next_secret/remove")
    assert desk.post(f"{where}/secrets/secret/remove").status_code == 404
    kept = rows(
        "SELECT next_secret_sealed IS NULL, push_token_sealed IS NULL, secret_sealed IS NULL"
        " FROM wechat_apps WHERE appid = :appid",
        appid=NEW["appid"],
    )
    assert kept == [(True, False, False)]


def test_settings_are_changed(app: Flask, rows: Reader) -> None:
    """Otherwise what an admin chose is not what counts."""
    desk = Desk(app)
    changed = {
        "name": " Corner shop ",
        "registration": "on_login",
        "session_limit": "3",
        "data_format": "xml",
    }
    page = desk.press(f"/apps/{ACME_SHOP.appid}/change", **changed)
    assert "<h1>Corner shop " in page
    desk.press(f"/apps/{ACME_SHOP.appid}/state", enabled="no")
    assert rows(
        "SELECT name, registration, session_limit, data_format, enabled FROM wechat_apps"
        " WHERE appid = :appid",
        appid=ACME_SHOP.appid,
    ) == [("Corner shop", "on_login", 3, "xml", False)]
    limits = "SELECT session_limit, unlimited_sessions FROM wechat_apps WHERE appid = :appid"
    for entered, shown, kept in (
        (" OFF ", "no limit", (None, True)),
        ("", "50 (default)", (None, False)),
    ):
        changed["session_limit"] = entered
        assert shown in desk.press(f"/apps/{ACME_SHOP.appid}/change", **changed)
        assert rows(limits, appid=ACME_SHOP.appid) == [kept]
    assert "switched on" in desk.press(f"/apps/{ACME_SHOP.appid}/state", enabled="yes")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 65},
        {"name": "tab\there"},
        {"session_limit": "0"},
        {"session_limit": "many"},
        {"session_limit": "1001"},
        {"session_limit": "-1"},
        {"session_limit": "٣"},
        {"registration": "always"},
        {"data_format": "yaml"},
    ],
)
def test_settings_that_cannot_be_are_refused(
    app: Flask, rows: Reader, wrong: dict[str, str]
) -> None:
    """Otherwise the database answers for the form, with an error page."""
    good = {"name": "n", "registration": "closed", "session_limit": "", "data_format": "json"}
    before = rows("SELECT * FROM wechat_apps ORDER BY appid")
    answer = Desk(app).post(f"/apps/{ACME_SHOP.appid}/change", **good | wrong)
    assert answer.status_code == 200
    assert 'class="wrong"' in answer.text
    assert rows("SELECT * FROM wechat_apps ORDER BY appid") == before


def test_an_appid_of_somebody_is_told_so(app: Flask) -> None:
    """Otherwise an admin wonders what went wrong; nor do they learn whose it is."""
    answer = Desk(app).post("/apps/add", **NEW | {"appid": GLOBEX_LIFE.appid})
    assert answer.status_code == 409
    assert "This appid is configured already, here or at another tenant." in answer.text
    assert "globex" not in answer.text
