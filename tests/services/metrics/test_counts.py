"""Counts of logins, funnel steps and failures, in the native API and the dialects."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from flask import Flask

from app.models import Measure
from app.services.login import fast_path
from app.services.metrics import counts
from app.services.metrics.count_writer import write_counts
from app.services.metrics.counts import Counts
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    ACME_STAFF,
    GLOBEX_LIFE,
    App,
    Client,
    Person,
    Reader,
    WeChat,
    enter_user,
    failure,
)

CREDENTIALS = {"account": "carol", "password": GOOD_PASSWORD}
UNKNOWN = {"opened": 1, "logged_in": 1}
NEWCOMER = UNKNOWN | {"newcomers": 1}
KNOWN = UNKNOWN | {"known": 1}

Counted = Callable[..., dict[str, int]]


@pytest.fixture
def counted(app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Return a function that returns the counts of an app and resets the counts of all apps."""
    monkeypatch.setitem(app.extensions, "counts", Counts())

    def read_counts(mini_program: App = ACME_SHOP) -> dict[str, int]:
        with app.app_context():
            write_counts()
        where = f"WHERE appid = '{mini_program.appid}'"
        # Sum over all days, because midnight may pass during a test.
        sums = ", ".join(f"coalesce(sum({measure}), 0)::int" for measure in Measure)
        (happened,) = rows(f"SELECT {sums} FROM daily_counts {where}")
        of_causes = "SELECT cause, sum(count)::int FROM daily_failures"
        failures = dict(rows(f"{of_causes} {where} GROUP BY cause"))
        rows("DELETE FROM daily_counts")
        rows("DELETE FROM daily_failures")
        counts_now = {
            measure.value: times for measure, times in zip(Measure, happened, strict=True) if times
        }
        assert counts_now.pop("failed", 0) == sum(failures.values())
        return counts_now | failures

    return read_counts


def test_person_who_logs_in_several_times_is_counted_as_a_newcomer_once(
    client: Client, alice: Person, counted: Counted
) -> None:
    """Five logins before the phone number is verified count one newcomer and one new user."""
    client.log_in(alice)
    assert counted() == NEWCOMER
    for _ in range(4):
        token = client.log_in(alice)["token"]
    assert counted() == {"opened": 4, "logged_in": 4}
    assert client.post("phone", token, **alice.tap_phone_new()).status_code == 200
    steps = {"phone_verified": 1, "registered": 1, "bound_by_phone": 1}
    assert counted() == steps | {"became_users": 1}


def test_registration_by_phone_counts_every_step(
    client: Client, alice: Person, counted: Counted
) -> None:
    client.bind(alice)
    steps = {"phone_verified": 1, "registered": 1, "bound_by_phone": 1, "became_users": 1}
    assert counted() == NEWCOMER | steps
    client.log_in(alice)
    assert counted() == KNOWN


def test_phone_number_sent_as_encrypted_data_is_counted_like_a_phone_code(
    client: Client, alice: Person, bob: Person, counted: Counted, app: Flask
) -> None:
    enter_user(app, phone="13800138002")
    token = client.log_in(bob)["token"]
    counted()
    assert client.post("phone", token, **bob.tap_phone_old()).status_code == 200
    steps = {"phone_verified": 1, "bound_by_phone": 1, "became_users": 1}
    assert counted() == steps, "the user was added by an operator, so no registration is counted"


def test_newcomer_registered_on_login_becomes_a_user_at_that_login(
    client: Client, alice: Person, counted: Counted
) -> None:
    """The first login of a newcomer is not counted as a login of a known user."""
    client.log_in(alice, ACME_CLUB)
    assert counted(ACME_CLUB) == NEWCOMER | {"registered": 1, "became_users": 1}
    client.log_in(alice, ACME_CLUB)
    assert counted(ACME_CLUB) == KNOWN


def test_newcomer_linked_by_unionid_becomes_a_user_at_that_login(
    client: Client, alice: Person, counted: Counted
) -> None:
    """The person is a newcomer in this app, although the user exists already."""
    client.bind(alice)
    counted()
    client.log_in(alice, ACME_CLUB)
    assert counted(ACME_CLUB) == NEWCOMER | {"became_users": 1}


def test_person_with_a_late_unionid_becomes_a_user_once_per_app(
    client: Client, wechat: WeChat, alice: Person, counted: Counted
) -> None:
    """The merge of two users because of the unionid is not counted as a new user."""
    client.bind(alice)
    wechat.fault("no_unionid", times=2)
    client.log_in(alice, ACME_STAFF)
    assert counted(ACME_STAFF) == NEWCOMER
    client.log_in(alice, ACME_CLUB)
    assert counted(ACME_CLUB) == NEWCOMER | {"registered": 1, "became_users": 1}
    client.log_in(alice, ACME_STAFF)
    assert counted(ACME_STAFF) == UNKNOWN | {"became_users": 1}
    client.log_in(alice, ACME_CLUB)
    assert counted(ACME_CLUB) == KNOWN, "the club's user was merged into the shop's user"


def test_unbinding_and_binding_again_does_not_count_a_new_user(
    client: Client, alice: Person, counted: Counted
) -> None:
    token = client.bind(alice)["token"]
    counted()
    unbound = client.post("unbind", token).json["token"]
    assert client.post("phone", unbound, **alice.tap_phone_new()).status_code == 200
    assert counted() == {"phone_verified": 1, "bound_by_phone": 1}
    client.log_in(alice)
    assert counted() == KNOWN


def test_new_user_is_counted_on_the_day_of_the_first_login_and_not_of_the_binding(
    app: Flask, client: Client, alice: Person, rows: Reader, counted: Counted
) -> None:
    """Newcomers and new users of a day are the same people, so that their ratio has a meaning."""
    token = client.log_in(alice)["token"]
    counted()
    rows("UPDATE social_accounts SET created_at = '2026-03-01T15:59:59Z'")
    client.post("phone", token, **alice.tap_phone_new())
    with app.app_context():
        write_counts()
    days = "SELECT day::text, became_users, registered FROM daily_counts ORDER BY day"
    (then, first, _), (now, later, registered) = rows(days)
    assert (then, first, later, registered) == ("2026-03-01", 1, 0, 1)
    assert now > then


def test_login_refused_because_the_user_is_disabled_counts_no_newcomer(
    client: Client, alice: Person, rows: Reader, counted: Counted
) -> None:
    """The newcomer is not counted because the transaction of the login is rolled back."""
    client.bind(alice)
    counted()
    rows("UPDATE users SET status = 'disabled'")
    refused = client.post("login", app=ACME_CLUB, code=alice.wx_login(ACME_CLUB))
    assert failure(refused) == (403, "user_disabled")
    assert counted(ACME_CLUB) == {"opened": 1, "user_disabled": 1}


def test_password_login_is_counted_separately_from_wechat_logins(
    app: Flask, client: Client, alice: Person, counted: Counted
) -> None:
    enter_user(app, **CREDENTIALS)
    assert client.post("password-login", **CREDENTIALS).status_code == 200
    assert counted() == {"logged_in_by_password": 1}
    token = client.log_in(alice)["token"]
    counted()
    assert client.post("bind", token, **CREDENTIALS).status_code == 200
    assert counted() == {"bound_by_password": 1, "became_users": 1}
    client.log_in(alice, **CREDENTIALS)
    assert counted() == KNOWN | {"bound_by_password": 1}


def test_newcomer_who_binds_by_password_becomes_a_user_at_that_login(
    app: Flask, client: Client, alice: Person, counted: Counted
) -> None:
    """The identity is new, although an operator added the account before."""
    enter_user(app, **CREDENTIALS)
    client.log_in(alice, **CREDENTIALS)
    assert counted() == NEWCOMER | {"bound_by_password": 1, "became_users": 1}


def test_login_repeated_with_the_same_code_is_counted_once(
    client: Client, alice: Person, counted: Counted
) -> None:
    code = alice.wx_login()
    assert {client.post("login", code=code).status_code for _ in range(3)} == {200}
    assert counted() == NEWCOMER


def test_refresh_unbind_and_logout_are_not_counted(
    client: Client, alice: Person, counted: Counted
) -> None:
    login = client.bind(alice)
    counted()
    refreshed = client.post("refresh", refresh_token=login["refresh_token"]).json
    client.me(refreshed["token"])
    unbound = client.post("unbind", refreshed["token"])
    client.post("logout", unbound.json["token"])
    assert counted() == {}


def log_in_with_unknown_code(client: Client, alice: Person) -> Any:
    return client.post("login", code="0" * 32)


def log_in_without_json(client: Client, alice: Person) -> Any:
    return client.send("POST", f"/v1/apps/{ACME_SHOP.appid}/login", data="x")


def log_in_with_wrong_password(client: Client, alice: Person) -> Any:
    return client.post("password-login", account="nobody", password="wrong-password")


def verify_phone_without_token(client: Client, alice: Person) -> Any:
    return client.post("phone", code="0" * 64)


def read_user_with_unbound_token(client: Client, alice: Person) -> Any:
    return client.me(client.log_in(alice)["token"])


def log_in_with_used_code(client: Client, alice: Person) -> Any:
    code = alice.wx_login()
    client.post("login", code=code)
    another = {"User-Agent": "another phone"}
    path = f"/v1/apps/{ACME_SHOP.appid}/login"
    return client.send("POST", path, headers=another, json={"code": code})


@pytest.mark.parametrize(
    ("act", "code", "besides"),
    [
        (log_in_with_unknown_code, "code_invalid", {"opened": 1}),
        (log_in_without_json, "json_required", {}),
        (log_in_with_wrong_password, "credentials_wrong", {}),
        (verify_phone_without_token, "token_missing", {}),
        (read_user_with_unbound_token, "login_unbound", NEWCOMER),
        (log_in_with_used_code, "code_used", NEWCOMER),
    ],
)
def test_failed_request_is_counted_under_its_error_code(
    act: Callable[[Client, Person], Any],
    code: str,
    besides: dict[str, int],
    client: Client,
    alice: Person,
    counted: Counted,
) -> None:
    assert failure(act(client, alice))[1] == code
    assert counted() == besides | {code: 1}


def test_refused_registration_counts_the_verified_phone_and_the_failure(
    client: Client, alice: Person, counted: Counted
) -> None:
    token = client.log_in(alice, ACME_STAFF)["token"]
    counted()
    refused = client.post("phone", token, ACME_STAFF, **alice.tap_phone_new(ACME_STAFF))
    assert failure(refused)[1] == "registration_closed"
    assert counted(ACME_STAFF) == {"phone_verified": 1, "registration_closed": 1}


def test_request_for_an_unknown_app_is_not_counted(client: Client, counted: Counted) -> None:
    client.post("login", app=App("wxffff000000000001", "", ""), code="x")
    client.me("wxp_nothing")
    client.send("GET", "/nothing")
    assert counted() == {}


def send(client: Client, path: str, **body: Any) -> Any:
    return client.send("POST", f"/apps/{ACME_SHOP.appid}{path}", json=body).json


def test_dialects_count_the_same_events_as_the_native_api(
    client: Client, alice: Person, counted: Counted
) -> None:
    opened = send(client, "/uni/openid", code=alice.wx_login())
    assert counted() == NEWCOMER
    handle = opened["sessionKey"]
    send(client, "/uni/decrypt", sessionKey=handle, **alice.tap_phone_old())
    steps = {"phone_verified": 1, "registered": 1, "bound_by_phone": 1, "became_users": 1}
    assert counted() == steps
    send(
        client, "/uni/login", sessionKey=handle, openId=opened["openId"], phoneNumber="13800138001"
    )
    assert counted() == {}, "the login returns the existing session"
    send(client, "/uni/openid", code=alice.wx_login())
    assert counted() == KNOWN
    assert send(client, "/uni/openid", code="0" * 32)["success"] is False
    assert counted() == {"opened": 1, "code_invalid": 1}
    named = {"code": alice.wx_login(), "userInfo": {"nickName": "Alice"}}
    assert send(client, "/wx/auth/login_by_weixin", **named)["errno"] == 0
    assert counted() == KNOWN
    assert send(client, "/wx/auth/bindPhone", code="0" * 64)["errno"] == 501
    assert counted() == {"token_missing": 1}


def test_login_in_one_tenant_is_not_counted_in_another(
    client: Client, alice: Person, counted: Counted
) -> None:
    client.bind(alice, GLOBEX_LIFE)
    assert counted(ACME_SHOP) == {}
    client.bind(alice, GLOBEX_LIFE)
    assert counted(GLOBEX_LIFE)["known"] == 1


def test_counts_are_stored_under_the_tenant_of_the_app(
    client: Client, alice: Person, app: Flask, rows: Reader, counted: Counted
) -> None:
    client.bind(alice, GLOBEX_LIFE)
    with app.app_context():
        write_counts()
    for table in ("daily_counts", "answer_times"):
        tenants = f"SELECT DISTINCT slug FROM {table} c JOIN tenants t ON t.id = c.tenant_id"
        assert rows(tenants) == [("globex",)]


def test_counts_of_a_day_begin_at_midnight_in_shanghai(
    client: Client, alice: Person, rows: Reader, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "counts", Counts())
    for moment in ("2026-03-01T15:59:59+00:00", "2026-03-01T16:00:00+00:00"):
        there = datetime.fromisoformat(moment)
        monkeypatch.setattr(counts, "now", lambda there=there: there)
        monkeypatch.setattr(fast_path, "now", lambda there=there: there)
        client.log_in(alice)
    with app.app_context():
        write_counts()
    for table in ("daily_counts", "answer_times"):
        days = rows(f"SELECT DISTINCT day::text FROM {table} ORDER BY 1")
        assert days == [("2026-03-01",), ("2026-03-02",)]


def count_answers(app: Flask, rows: Reader) -> dict[tuple[str, bool], int]:
    """Return the number of WeChat calls, by kind of call and whether WeChat answered."""
    with app.app_context():
        write_counts()
    bars = "SELECT call, within_ms > 0, sum(count)::int FROM answer_times GROUP BY 1, 2"
    return {(call, answered): number for call, answered, number in rows(bars)}


def test_wechat_response_times_are_counted_by_kind_of_call(
    app: Flask, client: Client, alice: Person, rows: Reader, counted: Counted
) -> None:
    client.bind(alice)
    client.post("login", code="0" * 32)
    counts_by_call = count_answers(app, rows)
    assert counts_by_call == {("login", True): 2, ("token", True): 1, ("phone", True): 1}


def test_slow_wechat_response_is_counted_in_a_slow_histogram_bucket(
    app: Flask, client: Client, wechat: WeChat, alice: Person, rows: Reader, counted: Counted
) -> None:
    code = alice.wx_login()
    wechat.fault("slow", seconds=0.3)
    client.post("login", code=code)
    count_answers(app, rows)
    ((within_ms,),) = rows("SELECT within_ms FROM answer_times")
    assert within_ms >= 400


def test_unanswered_wechat_call_is_counted_as_unanswered(
    app: Flask, client: Client, wechat: WeChat, alice: Person, rows: Reader, counted: Counted
) -> None:
    code = alice.wx_login()
    wechat.fault("drop")
    client.post("login", code=code)
    assert count_answers(app, rows) == {("login", False): 1}
