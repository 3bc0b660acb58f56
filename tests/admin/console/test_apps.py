"""The console pages of mini-programs."""

import pytest
from flask import Flask

from tests.admin.console.browser import TenantConsole, signed_in
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    WeChat,
)

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
WHERE = f"/apps/{NEW['appid']}"
WRONG = "0f" * 16


@pytest.fixture(autouse=True)
def _registered_at_wechat(wechat: WeChat) -> None:
    """Create the mini-program NEW at the WeChat simulator."""
    wechat.control("apps", appid=NEW["appid"], secret=NEW["secret"], open_platform="acme")


def test_the_list_of_apps_contains_only_apps_of_the_tenant(app: Flask) -> None:
    page = TenantConsole(app).read("/apps/")
    for one in (ACME_SHOP, ACME_CLUB):
        assert f'href="/console/t/acme/apps/{one.appid}/show"' in page
    assert GLOBEX_LIFE.appid not in page
    assert "Closed: only users added here can log in" in page
    found = TenantConsole(app, role="tenant_reader").read("/apps/", search=ACME_CLUB.appid)
    assert ACME_CLUB.appid in found
    assert f"/apps/{ACME_SHOP.appid}/" not in found


def test_an_added_app_is_active_if_wechat_accepts_the_appsecret(app: Flask, rows: Reader) -> None:
    """The page shows the verification result. The button "test" verifies the app again."""
    console = TenantConsole(app)
    page = console.press("/apps/add", **NEW)
    assert "The mini-program was added." in page
    assert "AppSecret: WeChat accepts appid and AppSecret." in page
    assert rows.count("wechat_apps", f"appid = '{NEW['appid']}'") == 1
    page = console.press(f"{WHERE}/test")
    assert "AppSecret: WeChat accepts appid and AppSecret." in page


def test_a_pending_app_shows_advice_and_is_activated_by_a_correct_appsecret(
    app: Flask, rows: Reader
) -> None:
    console = TenantConsole(app)
    page = console.press("/apps/add", **NEW | {"secret": WRONG})
    assert "The mini-program was added." not in page
    assert "The AppSecret is wrong or has been reset." in page
    assert "Not verified, serves no requests" in page
    assert "wx.login(" not in page, "code for a pending app would not work"
    listed = console.read("/apps/")
    assert "Not verified yet <small>1</small>" in listed
    assert f'href="/console/t/acme{WHERE}/show"><bdi>Acme Bakery</bdi></a>' in listed
    assert "The AppSecret is wrong" in TenantConsole(app, role="tenant_reader").read("/apps/")
    page = console.press(f"{WHERE}/test")
    assert "The mini-program is not active yet." in page
    assert "Saved." in console.press(
        f"{WHERE}/change", name="B", registration="on_login", session_limit="", data_format="json"
    )
    page = console.press(f"{WHERE}/secrets", secret=NEW["secret"])
    assert "AppSecret: WeChat accepts appid and AppSecret." in page
    assert "wx.login(" in page
    assert rows("SELECT name, enabled FROM wechat_apps WHERE appid = :a", a=NEW["appid"]) == [
        ("B", True)
    ]
    assert "Not proven yet" not in console.read("/apps/")


def test_a_pending_app_is_removed_after_a_confirmation(app: Flask, rows: Reader) -> None:
    """The confirmation is a separate page, so it works without JavaScript."""
    console = TenantConsole(app)
    console.press("/apps/add", **NEW | {"secret": WRONG})
    page = console.read(f"{WHERE}/remove")
    assert "Remove this mini-program?" in page
    assert "<bdi>Acme Bakery</bdi> (wxaaaa000000000009)" in page
    assert "It was never used." in page
    assert rows.count("app_claims") == 1
    assert "Acme Bakery was removed." in console.press(f"{WHERE}/remove")
    assert rows.count("app_claims") == 0


def test_an_app_with_logins_cannot_be_removed(app: Flask, client: Client, alice: Person) -> None:
    client.log_in(alice)
    console = TenantConsole(app)
    path = f"/apps/{ACME_SHOP.appid}/remove"
    for answer in (console.get(path), console.post(path)):
        assert answer.status_code == 409
        assert "People have used this mini-program" in answer.text


def test_only_platform_admins_release_and_move_appids(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Both actions ask for a confirmation that names the appid and the data that stays."""
    client.log_in(alice)
    shop = f"/apps/{ACME_SHOP.appid}"
    other_tenant = TenantConsole(app, "globex")
    entered = NEW | {"appid": ACME_SHOP.appid, "secret": ACME_SHOP.secret, "name": "Taken"}
    assert "another tenant of this service already uses" in other_tenant.press(
        "/apps/add", **entered
    )
    for console in (TenantConsole(app), other_tenant):
        for what in ("release", "move-here"):
            assert console.get(f"{shop}/{what}").status_code == 404
            assert console.post(f"{shop}/{what}").status_code == 404
    ops = signed_in(app, "ops@wxpass.example", "platform", "globex")
    assert f'href="/console/t/globex{shop}/move-here"' in ops.read(f"{shop}/show")
    page = ops.read(f"{shop}/move-here")
    assert "Move this appid here from acme?" in page
    assert "1 WeChat identities, 1 sessions, 0 pushes" in page
    assert "Taken was moved to this tenant." in ops.press(f"{shop}/move-here")
    acme = TenantConsole(app, role="tenant_reader")
    assert "appid released" in acme.read("/apps/")
    ((key,),) = rows("SELECT appid FROM wechat_apps WHERE released_at IS NOT NULL")
    kept = acme.read(f"/apps/{key}/show")
    assert "appid released" in kept
    assert "fingerprint" not in kept
    assert "Release this appid?" in ops.read(f"{shop}/release")
    assert "The appid of Taken was released." in ops.press(f"{shop}/release")
    assert rows.count("wechat_apps", f"appid = '{ACME_SHOP.appid}'") == 0


def test_the_page_of_an_app_shows_urls_and_code_to_copy(app: Flask) -> None:
    console = TenantConsole(app)
    page = console.press("/apps/add", **NEW)
    for text in (
        "<code>https://localhost</code>",
        f"<code>https://localhost/wx/portal/{NEW['appid']}</code>",
        "安全模式",
        "XML",
        "the value that is set here",
        f"/v1/apps/{NEW['appid']}/login",
        "wx.login(",
        "Authorization: `Bearer ${",
    ):
        assert text in page, text
    assert "not set yet" in console.read(SHOW)
    assert "getPhoneNumber" in console.read(SHOW), "this app registers users by phone"


def test_no_console_page_contains_a_secret_of_an_app(app: Flask) -> None:
    console = TenantConsole(app)
    later = {"next_secret": "e7" * 16, "push_token": "SecondToken", "encoding_aes_key": "R" * 43}
    where = f"/apps/{NEW['appid']}"
    pages = [
        console.press("/apps/add", **NEW),
        console.press(f"{where}/secrets", **later),
        console.post(f"{where}/secrets", secret="f0" * 16, encoding_aes_key="tooshort77").text,
        console.post(f"{where}/change", name="", session_limit="x").text,
        console.post("/apps/add", **NEW).text,
        console.post("/apps/add", **NEW | {"appid": "no appid"}).text,
        *(console.read(path) for path in ("/apps/", "/audit/", "/users/", "/sessions/", "/")),
    ]
    secrets = {NEW[name] for name in SECRETS} | {*later.values(), "f0" * 16, "tooshort77"}
    for page in pages:
        assert not {secret for secret in secrets if secret in page}
    assert pages[1].count("fingerprint</span>") == 0
    assert pages[1].count("fingerprint <code>") == 4


def test_secrets_of_an_app_can_be_replaced_and_optional_secrets_removed(
    app: Flask, rows: Reader
) -> None:
    console = TenantConsole(app)
    console.press("/apps/add", **NEW)
    where = f"/apps/{NEW['appid']}"
    assert "The secrets were replaced." in console.press(f"{where}/secrets", next_secret="e7" * 16)
    again = console.post(f"{where}/secrets", next_secret=NEW["secret"])
    assert again.status_code == 409
    assert "This AppSecret is already in use." in again.text
    assert "The secret was removed." in console.press(f"{where}/secrets/next_secret/remove")
    assert console.post(f"{where}/secrets/secret/remove").status_code == 404
    kept = rows(
        "SELECT next_secret_sealed IS NULL, push_token_sealed IS NULL, secret_sealed IS NULL"
        " FROM wechat_apps WHERE appid = :appid",
        appid=NEW["appid"],
    )
    assert kept == [(True, False, False)]


def test_the_settings_form_changes_an_app(app: Flask, rows: Reader) -> None:
    console = TenantConsole(app)
    changed = {
        "name": " Corner shop ",
        "registration": "on_login",
        "session_limit": "3",
        "data_format": "xml",
    }
    page = console.press(f"/apps/{ACME_SHOP.appid}/change", **changed)
    assert "<h1><bdi>Corner shop</bdi></h1>" in page
    console.press(f"/apps/{ACME_SHOP.appid}/disable")
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
        assert shown in console.press(f"/apps/{ACME_SHOP.appid}/change", **changed)
        assert rows(limits, appid=ACME_SHOP.appid) == [kept]
    assert "Enabled" in console.press(f"/apps/{ACME_SHOP.appid}/enable")


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
def test_the_settings_form_rejects_invalid_values(
    app: Flask, rows: Reader, wrong: dict[str, str]
) -> None:
    good = {"name": "n", "registration": "closed", "session_limit": "", "data_format": "json"}
    before = rows("SELECT * FROM wechat_apps ORDER BY appid")
    answer = TenantConsole(app).post(f"/apps/{ACME_SHOP.appid}/change", **good | wrong)
    assert answer.status_code == 200
    assert 'class="wrong"' in answer.text
    assert rows("SELECT * FROM wechat_apps ORDER BY appid") == before


def test_adding_an_appid_of_another_tenant_does_not_reveal_the_other_tenant(app: Flask) -> None:
    """A wrong AppSecret has the same result as for an appid that no tenant uses."""
    console = TenantConsole(app)
    page = console.press("/apps/add", **NEW | {"appid": GLOBEX_LIFE.appid})
    assert "The AppSecret is wrong or has been reset." in page
    assert "globex" not in page
    again = console.post("/apps/add", **NEW | {"appid": GLOBEX_LIFE.appid})
    assert again.status_code == 409
    assert "This tenant has already added this appid." in again.text


@pytest.mark.parametrize("appid", ["wx1", "wxaaaa00000000000x9", "wxaaaa00000000000-", "wx 1"])
def test_the_form_that_adds_an_app_rejects_a_malformed_appid(
    app: Flask, rows: Reader, appid: str
) -> None:
    answer = TenantConsole(app).post("/apps/add", **NEW | {"appid": appid})
    assert (answer.status_code, 'class="wrong"' in answer.text) == (200, True)
    assert rows.count("app_claims") == 0
