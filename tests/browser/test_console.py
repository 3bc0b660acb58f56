"""The console in a real browser. Each test continues on the page of the previous test."""

from collections.abc import Iterator

import psycopg
import pytest
import requests

from config.development import var_folder
from config.development.demo import OPERATOR
from config.development.postgres import hold_server
from tests.browser.chromium import CHROMIUM
from tests.browser.screen import Screen, chromium
from tests.e2e.test_make_run import Copy
from tests.fixtures.personas import App, Person
from tests.fixtures.user_files import csv_of
from tests.fixtures.waiting import until

CAFE = App("wxcccc000000000001", "acme", "c1" * 16, "on_login")
HEADER = ("account", "phone", "nickname")
PAGES = {
    "home": "t/acme/",
    "failures": "t/acme/failures/",
    "all-failures": "failures/",
    "alerts": "t/acme/alerts/",
    "alert-channel-add": "t/acme/alerts/channels/add",
    "alert-mute-add": "t/acme/alerts/mutes/add",
    "platform-alerts": "platform-alerts/",
    "apps": "t/acme/apps/",
    "app-add": "t/acme/apps/add",
    "app": f"t/acme/apps/{CAFE.appid}/show",
    "users": "t/acme/users/",
    "people": "t/acme/people/",
    "sessions": "t/acme/sessions/",
    "audit": "t/acme/audit/",
    "tenants": "tenants/",
    "operators": "operators/",
    "account": "account/",
    "account-password": "account/password",
    "enrolment": "account/codes",
    "step-up": "account/prove",
    "operator-invite": "operators/invite",
    "app-disable": f"t/acme/apps/{CAFE.appid}/disable",
    "search": "t/acme/search/?q=acme",
    "unknown": "no-such-page",
    "unknown-tenant": "t/no-such-tenant/",
}


@pytest.fixture(scope="module")
def screen(copy: Copy) -> Iterator[Screen]:
    """Return the window shared by all tests of the module. At the end it must have no errors."""
    with chromium(CHROMIUM, copy.service) as context:
        screen = Screen(context, copy.service)
        yield screen
        assert not screen.errors, screen.errors


def people(count: int, *bad: tuple[str, str, str]) -> bytes:
    """Return a CSV file with `count` users. The `bad` rows come last."""
    numbers = range(count - len(bad))
    good = [(f"guest{n}", f"139{n:08}", f"客人 {n}") for n in numbers]
    return csv_of(HEADER, *good, *bad)


def test_the_demo_operator_signs_in_and_chooses_a_tenant(screen: Screen) -> None:
    screen.take_all_screenshots({"sign-in": "sign-in", "invitation": "invitation", "code": "code"})
    screen.open("./")
    screen.enter("E-mail address", OPERATOR.email)
    screen.enter("Password", "a-wrong-password")
    screen.press("Sign in")
    assert "E-mail address or password is wrong." in screen.text()
    screen.take_screenshots("sign-in-wrong")
    screen.enter("Password", OPERATOR.password)
    screen.press("Sign in")
    assert screen.page.url.endswith("/console/tenants/")
    screen.take_screenshots("tenants")
    screen.follow("Acme 商城")
    assert screen.page.locator(".sidebar strong").inner_text() == "acme"


def test_an_app_with_a_wrong_appsecret_is_activated_after_the_correction(
    copy: Copy, screen: Screen
) -> None:
    copy.wechat.control("apps", appid=CAFE.appid, secret=CAFE.secret, open_platform="acme")
    screen.open("t/acme/apps/add")
    screen.enter("appid", CAFE.appid)
    screen.enter("Name", "Acme Café")
    screen.page.get_by_label("Registration").select_option("on_login")
    screen.enter("AppSecret", "0" * 32)
    screen.press("Add and verify")
    assert "The AppSecret is wrong" in screen.text()
    screen.take_screenshots("app-wrong-secret")
    screen.follow("Replace secrets")
    screen.enter("AppSecret", CAFE.secret)
    screen.take_screenshots("app-secrets")
    screen.press("Replace")
    screen.press("Verify the AppSecret")
    assert "WeChat accepts appid and AppSecret." in screen.text()
    assert CAFE.secret not in screen.page.content()


def test_an_admin_finds_a_user_by_openid_and_ends_the_login_session(
    copy: Copy, screen: Screen
) -> None:
    for code in ("x", "y", "z"):
        assert copy.post("login", CAFE.appid, code=code).status_code == 400
    erin = Person(copy.wechat, "erin", "13900139005")
    login = copy.post("login", CAFE.appid, code=erin.wx_login(CAFE)).json()
    bearer = {"Authorization": f"Bearer {login['token']}"}
    address = f"{copy.service}/v1/me"
    assert requests.get(address, headers=bearer, timeout=5).status_code == 200
    screen.open("t/acme/users/")
    screen.enter("openid", login["openid"])
    screen.press("Search")
    screen.page.locator("tbody a").first.click()
    assert screen.id_in_url() == login["user"]["id"]
    assert "Acme Café" in screen.text()
    PAGES["user"] = f"t/acme/users/{screen.id_in_url()}/show"
    screen.press("End")
    assert "ended by an admin" in screen.text()
    until(lambda: requests.get(address, headers=bearer, timeout=5).status_code == 401)
    ended = requests.get(address, headers=bearer, timeout=5)
    assert (ended.status_code, ended.json()["code"]) == (401, "session_revoked")


def test_a_thousand_users_are_imported_after_three_invalid_rows_are_fixed(screen: Screen) -> None:
    bad = (("guest0", "", "Twice"), ("", "", "Nobody"), ("dan", "12", "Short"))
    screen.open("t/acme/people/")
    name = "CSV or XLSX file, up to 5 MB"
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": people(1000, *bad)}
    screen.page.get_by_label(name).set_input_files(file)  # type: ignore[arg-type]
    screen.press("Check the file")
    assert "No user was imported." in screen.text()
    rows = screen.page.locator("tbody tr").all_inner_texts()
    assert [row.split()[0] for row in rows] == ["999", "1000", "1001"]
    screen.take_screenshots("people-bad")
    screen.open("t/acme/people/")
    file["buffer"] = people(1000)
    screen.page.get_by_label(name).set_input_files(file)  # type: ignore[arg-type]
    screen.press("Check the file")
    screen.take_screenshots("people-good")
    screen.press("Import 1000 users")
    screen.page.get_by_text("1000 users were imported.").wait_for(timeout=60_000)
    PAGES["people-done"] = f"t/acme/people/{screen.id_in_url()}"
    screen.open("t/acme/users/")
    screen.page.get_by_role("searchbox").first.fill("guest99")
    screen.press("Search")
    assert "客人 99" in screen.text()


def test_the_export_downloads_a_csv_file_with_masked_phones(screen: Screen) -> None:
    screen.open("t/acme/people/")
    screen.follow("Export users")
    screen.take_screenshots("people-export")
    with screen.page.expect_download() as download:
        screen.press("Export")
    assert download.value.suggested_filename == "acme-people.csv"
    exported = download.value.path().read_text(encoding="utf-8-sig")
    assert exported.count("guest") >= 1000
    assert "139****" in exported


def test_the_overview_shows_a_chart_and_a_table_of_thirty_days(copy: Copy, screen: Screen) -> None:
    insert_statistics_of_a_month(copy)
    screen.open("t/acme/")
    assert screen.page.get_by_role("img", name="Logins per day").count() == 1
    screen.page.get_by_text("Show as a table").first.click()
    assert screen.page.locator("details[open] tbody tr").count() == 30
    screen.take_screenshots("home-table")


def insert_statistics_of_a_month(copy: Copy) -> None:
    """Insert 29 days of statistics for the shop of the demo tenant acme."""
    today = "(now() AT TIME ZONE 'Asia/Shanghai')::date"
    ago = f"SELECT tenant_id, {today} - ago, appid, %s FROM wechat_apps, generate_series(1, 29) ago"
    shop = f"{ago} WHERE appid = 'wxaaaa000000000001' AND %s"
    ways = "500 + ago * 97 %% 300, 450 + ago * 97 %% 300, 300 + ago * 97 %% 300"
    ways += ", 150 + ago %% 40, 90 + ago %% 30, 90 + ago %% 30"
    with (
        hold_server(var_folder(copy.environ)) as server,
        psycopg.connect(server.url) as connection,
    ):
        columns = "opened, logged_in, known, newcomers, became_users, bound_by_phone, failed"
        rows = (shop % (f"{ways}, ago %% 9", "true")).replace("%%", "%")
        connection.execute(f"INSERT INTO daily_counts (tenant_id, day, appid, {columns}) {rows}")
        for number, cause in enumerate(("code_invalid", "wechat_unavailable", "phone_taken"), 1):
            rows = shop % (f"'{cause}', {9 - 2 * number}", f"ago % {number} = 0")
            connection.execute(f"INSERT INTO daily_failures {rows}")
        rows = shop % ("'phone', unnest(ARRAY[100, 400, 3000]), unnest(ARRAY[70, 30, 5])", "true")
        connection.execute(f"INSERT INTO answer_times {rows}")


def test_every_page_fits_the_screen_in_both_languages(screen: Screen) -> None:
    screen.take_all_screenshots(PAGES)


def test_signing_out_redirects_to_the_sign_in_page(screen: Screen) -> None:
    screen.page.locator(".user-button").click()
    screen.page.get_by_role("button", name="Sign out").click()
    assert screen.page.url.endswith("/console/sign-in")
    screen.open("t/acme/users/")
    assert "/console/sign-in" in screen.page.url
