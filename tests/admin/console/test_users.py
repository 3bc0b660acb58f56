"""The console pages of users."""

import pytest
from flask import Flask

from tests.admin.console.browser import PASSWORD, TenantConsole
from tests.fixtures.passwords import GOOD_PASSWORD, OTHER_PASSWORD
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, Client, Person, Reader, enter_user

ENTERED = {
    "account": "carol",
    "phone": "13800138003",
    "nickname": "Carol",
    "password": GOOD_PASSWORD,
}


def test_the_list_of_users_is_filtered_by_phone_openid_name_and_status(
    app: Flask, client: Client, alice: Person, bob: Person
) -> None:
    openid = client.bind(alice, ACME_CLUB)["openid"]
    client.bind(bob)
    carol = enter_user(app, account="carol", phone="13800138003")
    console = TenantConsole(app)
    for query, phone in (
        ({"phone": "138 0013 8001"}, "138****8001"),
        ({"openid": openid}, "138****8001"),
        ({"name": "CaR"}, "138****8003"),
        ({"status": "active", "phone": "+8613800138002"}, "138****8002"),
    ):
        page = console.read("/users/", **query)
        assert page.count('<td data-label="Phone">') == 1, query
        assert phone in page, query
    for query in ({"name": "aro"}, {"name": "%"}, {"openid": openid[:-1]}, {"status": "merged"}):
        assert "Nothing to show." in console.read("/users/", **query), query
    all_users = console.read("/users/", status="", name=" ", phone="", openid="")
    assert all_users.count('<td data-label="Phone">') == 3, "an empty field does not filter"
    assert f"/console/t/acme/users/{carol}/show" in all_users
    assert "13800138001" not in all_users


def test_a_search_for_an_invalid_phone_number_shows_the_reason(app: Flask) -> None:
    console = TenantConsole(app)
    for typed, text in (
        ("12", "can only be searched in full"),
        ("1380013", "can only be searched in full"),
        ("9" * 400, "can only be searched in full"),
        ("nobody", "can only be searched in full"),
        ("12306", "This is a landline, service or short number."),
        ("85268326366", "The plus sign of the country code is missing."),
    ):
        page = console.read("/users/", phone=typed)
        assert text in page, typed
        assert f'name="phone" value="{typed}"' in page, "the input is kept"


@pytest.mark.parametrize("path", ["/users/", "/sessions/", "/audit/", "/apps/"])
def test_lists_accept_malformed_query_parameters(app: Flask, path: str) -> None:
    console = TenantConsole(app)
    queries: list[dict[str, str]] = [
        {"page": "-1"},
        {"page": "99999999999999999999"},
        {"page": "x", "sort": "77", "desc": "9"},
        {"sort": "-3"},
        {"search": "\0"},
        {"name": "\0%\\_'\"", "openid": "\0", "subject": "\ud7ff\0"},
        {"since": "yesterday", "until": "0001-01-01T00:00+14:00"},
        {"since": "0001-01-01T00:00", "until": "9999-12-31T23:59"},
        {"Active": "perhaps", "app": "nobody's", "action": "none", "actor": "none"},
        {"flt0_status_equals": "x", "page_size": "100000"},
    ]
    for query in queries:
        assert console.get(path, **query).status_code == 200, query


def test_the_list_of_users_is_sorted_and_paginated(app: Flask, rows: Reader) -> None:
    rows(
        "INSERT INTO users (id, tenant_id, account, nickname, last_login_at)"
        " SELECT gen_random_uuid(), id, 'u' || n, 'N' || n, now() - n * interval '1 day'"
        " FROM tenants, generate_series(1, 120) AS n WHERE slug = 'acme'"
    )
    console = TenantConsole(app)
    first = console.read("/users/", sort="last_login_at", desc="1", name="u")
    assert '<th scope="col" aria-sort="descending">' in first
    assert 'max="3" value="1"> / 3' in first
    assert ">N1</bdi></a>" in first
    assert "name=u" in first.split('rel="next"')[0].rsplit("<a ", 1)[1]
    last = console.read("/users/", sort="last_login_at", desc="1", name="u", page="3")
    assert 'max="3" value="3"> / 3' in last
    assert ">N120</bdi></a>" in last
    assert ">N1</bdi></a>" not in last
    assert ">N120</bdi></a>" in console.read("/users/", sort="last_login_at", name="u")
    beyond = console.read("/users/", page="9", name="u")
    assert 'max="3" value="3"> / 3' in beyond, "a page beyond the end shows the last one"


def test_the_page_of_a_user_shows_masked_phone_identities_and_audit_events(
    app: Flask, client: Client, alice: Person
) -> None:
    user = client.bind(alice)["user"]["id"]
    client.bind(alice, ACME_CLUB)
    page = TenantConsole(app).read(f"/users/{user}/show")
    for text in ("138****8001", ACME_SHOP.appid, ACME_CLUB.appid, "Active", "phone verified"):
        assert text in page, text
    assert "13800138001" not in page


def test_a_user_added_in_the_console_can_log_in(app: Flask, client: Client) -> None:
    page = TenantConsole(app).press("/users/enter", **ENTERED)
    assert "The user was added." in page
    assert "138****8003" in page
    login = client.post("password-login", account="carol", password=GOOD_PASSWORD)
    assert login.status_code == 200


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"account": "", "phone": ""}, 200),
        ({"phone": "12"}, 422),
        ({"account": "", "phone": "13800138009"}, 200),
        ({"account": "taken"}, 409),
        ({"password": "short"}, 200),
        ({"account": "\u200b"}, 200),
        ({"phone": "12306"}, 422),
        ({"phone": "85268326366"}, 422),
        ({"account": "x" * 65}, 200),
    ],
)
def test_the_form_that_adds_a_user_rejects_invalid_values_with_a_message(
    app: Flask, rows: Reader, wrong: dict[str, str], status: int
) -> None:
    enter_user(app, account="taken")
    answer = TenantConsole(app).post("/users/enter", **ENTERED | wrong)
    assert answer.status_code == status
    assert 'class="wrong"' in answer.text or 'role="alert"' in answer.text
    assert ENTERED["password"] not in answer.text
    assert rows.count("users") == 1


def test_a_tenant_admin_ends_sessions_disables_enables_and_unlinks_a_user(
    app: Flask, client: Client, alice: Person
) -> None:
    console, login = TenantConsole(app), client.bind(alice)
    where = f"/users/{login['user']['id']}"
    page = console.read(f"{where}/show")
    identity = page.split("/identities/")[1][:36]
    session = page.split(f"{where}/sessions/")[1][:36]
    assert "Success." in console.press(f"{where}/sessions/{session}/end")
    assert client.me(login["token"]).status_code == 401
    assert console.post(f"{where}/sessions/{session}/end").status_code == 404, (
        "the session has ended"
    )
    token = client.log_in(alice)["token"]
    assert "ended by an admin" in console.press(f"{where}/end-sessions")
    assert client.me(token).status_code == 401
    page = console.press(f"{where}/disable")
    assert 'bad">Disabled<' in page
    assert client.post("login", code=alice.wx_login()).status_code == 403
    assert 'good">Active<' in console.press(f"{where}/enable")
    assert "138****8001" not in console.press(f"{where}/release-phone").split("History")[0]
    assert "/unbind" not in console.press(f"{where}/identities/{identity}/unbind")
    assert client.log_in(alice)["user"] is None


def test_a_password_can_be_set_only_for_a_user_with_an_account(
    app: Flask, client: Client, alice: Person
) -> None:
    console, user = TenantConsole(app), enter_user(app, account="dora")
    where = f"/users/{user}"
    assert "shorter" not in console.press(f"{where}/password", password=OTHER_PASSWORD)
    login = client.post("password-login", account="dora", password=OTHER_PASSWORD)
    assert login.status_code == 200
    refused = console.post(f"{where}/password", password="short")
    assert 'class="wrong"' in refused.text
    assert 'value="short"' not in refused.text
    assert "argon2" not in refused.text + console.read(f"{where}/show") + console.read("/audit/")
    bare = client.bind(alice)["user"]["id"]
    refused = console.post(f"/users/{bare}/password", password=OTHER_PASSWORD)
    assert refused.status_code == 409
    assert "a password would have no effect" in refused.text


def test_two_users_are_merged_after_a_confirmation_and_the_merge_is_undone(
    app: Flask, client: Client, alice: Person
) -> None:
    console, user = TenantConsole(app), client.bind(alice)["user"]["id"]
    other = enter_user(app, account="alice2")
    for wrong, status in (("nobody", 200), (user, 422), (ACME_SHOP.secret, 404)):
        answer = console.post(f"/users/{user}/merge", into_id=wrong)
        assert answer.status_code == status, wrong
        assert 'class="wrong"' in answer.text or 'role="alert"' in answer.text
    confirmation = console.post(f"/users/{user}/merge", into_id=f" {other} ")
    assert "Merge these users?" in confirmation.text
    assert "alice2" in confirmation.text
    page = console.press(f"/users/{user}/merge", into_id=other, confirmed="yes")
    assert '">Merged</span>' in page
    assert f"/console/t/acme/users/{other}/show" in page
    assert "/release-phone" not in page, "a merged user has no actions"
    assert "138****8001" in console.read(f"/users/{other}/show")
    assert 'good">Active<' in console.press(f"/users/{user}/undo-merge")
    again = console.post(f"/users/{user}/undo-merge")
    assert again.status_code == 409


def test_the_page_of_a_user_is_available_in_chinese(
    app: Flask, client: Client, alice: Person
) -> None:
    user = client.bind(alice)["user"]["id"]
    console = TenantConsole(app, language="zh")
    page = console.read(f"/users/{user}/show")
    for text in ("微信身份", "手机号已验证", "结束全部登录"):
        assert text in page, text
    assert PASSWORD not in page
