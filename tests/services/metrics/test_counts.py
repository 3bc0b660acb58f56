"""What is counted when: each way in, each step of it, and each refusal, in every language."""

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
    """Begin to count anew; calling it tells what was counted in an app since it last told."""
    monkeypatch.setitem(app.extensions, "counts", Counts())

    def tell(mini_program: App = ACME_SHOP) -> dict[str, int]:
        with app.app_context():
            write_counts()
        where = f"WHERE appid = '{mini_program.appid}'"
        # Of every day: midnight may come during a test.
        sums = ", ".join(f"coalesce(sum({measure}), 0)::int" for measure in Measure)
        (happened,) = rows(f"SELECT {sums} FROM daily_counts {where}")
        of_causes = "SELECT cause, sum(count)::int FROM daily_failures"
        failures = dict(rows(f"{of_causes} {where} GROUP BY cause"))
        rows("DELETE FROM daily_counts")
        rows("DELETE FROM daily_failures")
        told = {
            measure.value: times for measure, times in zip(Measure, happened, strict=True) if times
        }
        assert told.pop("failed", 0) == sum(failures.values())
        return told | failures

    return tell


def test_an_unknown_person_is_a_newcomer_once(
    client: Client, alice: Person, counted: Counted
) -> None:
    """Five openings before the phone is given are one person who opened and became a user."""
    client.log_in(alice)
    assert counted() == NEWCOMER
    for _ in range(4):
        token = client.log_in(alice)["token"]
    assert counted() == {"opened": 4, "logged_in": 4}
    assert client.post("phone", token, **alice.tap_phone_new()).status_code == 200
    steps = {"phone_verified": 1, "registered": 1, "bound_by_phone": 1}
    assert counted() == steps | {"became_users": 1}


def test_a_phone_that_registers_takes_all_steps(
    client: Client, alice: Person, counted: Counted
) -> None:
    """Otherwise new users or phones are missing from the tenant's numbers."""
    client.bind(alice)
    steps = {"phone_verified": 1, "registered": 1, "bound_by_phone": 1, "became_users": 1}
    assert counted() == NEWCOMER | steps
    client.log_in(alice)
    assert counted() == KNOWN


def test_a_number_in_encrypted_data_counts_as_one_by_code(
    client: Client, alice: Person, bob: Person, counted: Counted, app: Flask
) -> None:
    """Otherwise old front ends seem to bind nobody."""
    enter_user(app, phone="13800138002")
    token = client.log_in(bob)["token"]
    counted()
    assert client.post("phone", token, **bob.tap_phone_old()).status_code == 200
    steps = {"phone_verified": 1, "bound_by_phone": 1, "became_users": 1}
    assert counted() == steps, "entered, so not registered"


def test_a_newcomer_whom_the_app_registers_becomes_a_user_at_the_same_login(
    client: Client, alice: Person, counted: Counted
) -> None:
    """The login is not one of a known user: the person was unknown when it began."""
    client.log_in(alice, ACME_CLUB)
    assert counted(ACME_CLUB) == NEWCOMER | {"registered": 1, "became_users": 1}
    client.log_in(alice, ACME_CLUB)
    assert counted(ACME_CLUB) == KNOWN


def test_a_newcomer_whom_a_sister_app_knows_becomes_a_user_by_unionid(
    client: Client, alice: Person, counted: Counted
) -> None:
    """The WeChat identity in this app is new, whatever the tenant knows from another app."""
    client.bind(alice)
    counted()
    client.log_in(alice, ACME_CLUB)
    assert counted(ACME_CLUB) == NEWCOMER | {"became_users": 1}


def test_a_late_unionid_makes_an_unknown_person_a_user_once(
    client: Client, wechat: WeChat, alice: Person, counted: Counted
) -> None:
    """Merging two users of one person is no second becoming."""
    client.bind(alice)
    wechat.fault("no_unionid", times=2)
    client.log_in(alice, ACME_STAFF)
    assert counted(ACME_STAFF) == NEWCOMER
    client.log_in(alice, ACME_CLUB)
    assert counted(ACME_CLUB) == NEWCOMER | {"registered": 1, "became_users": 1}
    client.log_in(alice, ACME_STAFF)
    assert counted(ACME_STAFF) == UNKNOWN | {"became_users": 1}
    client.log_in(alice, ACME_CLUB)
    assert counted(ACME_CLUB) == KNOWN, "the user of the club went into that of the shop"


def test_a_user_who_leaves_and_returns_became_a_user_once(
    client: Client, alice: Person, counted: Counted
) -> None:
    """Unbinding and binding again moves neither side of the funnel."""
    token = client.bind(alice)["token"]
    counted()
    unbound = client.post("unbind", token).json["token"]
    assert client.post("phone", unbound, **alice.tap_phone_new()).status_code == 200
    assert counted() == {"phone_verified": 1, "bound_by_phone": 1}
    client.log_in(alice)
    assert counted() == KNOWN


def test_both_sides_of_the_funnel_count_on_the_day_of_the_first_opening(
    app: Flask, client: Client, alice: Person, rows: Reader, counted: Counted
) -> None:
    """A person who becomes a user days later counts for the day on which they came."""
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


def test_a_refused_login_counts_no_newcomer(
    client: Client, alice: Person, rows: Reader, counted: Counted
) -> None:
    """What is rolled back is not counted."""
    client.bind(alice)
    counted()
    rows("UPDATE users SET status = 'disabled'")
    refused = client.post("login", app=ACME_CLUB, code=alice.wx_login(ACME_CLUB))
    assert failure(refused) == (403, "user_disabled")
    assert counted(ACME_CLUB) == {"opened": 1, "user_disabled": 1}


def test_a_password_is_a_login_without_being_opened(
    app: Flask, client: Client, alice: Person, counted: Counted
) -> None:
    """Otherwise more people are logged in than came, or logins are missing."""
    enter_user(app, **CREDENTIALS)
    assert client.post("password-login", **CREDENTIALS).status_code == 200
    assert counted() == {"logged_in_by_password": 1}
    token = client.log_in(alice)["token"]
    counted()
    assert client.post("bind", token, **CREDENTIALS).status_code == 200
    assert counted() == {"bound_by_password": 1, "became_users": 1}
    client.log_in(alice, **CREDENTIALS)
    assert counted() == KNOWN | {"bound_by_password": 1}


def test_a_newcomer_who_types_a_password_becomes_a_user_at_the_same_login(
    app: Flask, client: Client, alice: Person, counted: Counted
) -> None:
    """The WeChat identity was unknown; the account was not."""
    enter_user(app, **CREDENTIALS)
    client.log_in(alice, **CREDENTIALS)
    assert counted() == NEWCOMER | {"bound_by_password": 1, "became_users": 1}


def test_a_repeated_code_counts_once(client: Client, alice: Person, counted: Counted) -> None:
    """Otherwise a bad network makes a mini-program look popular."""
    code = alice.wx_login()
    assert {client.post("login", code=code).status_code for _ in range(3)} == {200}
    assert counted() == NEWCOMER


def test_what_changes_nothing_of_who_is_who_counts_nothing(
    client: Client, alice: Person, counted: Counted
) -> None:
    """Otherwise refreshing looks like logging in."""
    login = client.bind(alice)
    counted()
    refreshed = client.post("refresh", refresh_token=login["refresh_token"]).json
    client.me(refreshed["token"])
    unbound = client.post("unbind", refreshed["token"])
    client.post("logout", unbound.json["token"])
    assert counted() == {}


def no_such_code(client: Client, alice: Person) -> Any:
    return client.post("login", code="0" * 32)


def not_json(client: Client, alice: Person) -> Any:
    return client.send("POST", f"/v1/apps/{ACME_SHOP.appid}/login", data="x")


def wrong_password(client: Client, alice: Person) -> Any:
    return client.post("password-login", account="nobody", password="wrong-password")


def no_token(client: Client, alice: Person) -> Any:
    return client.post("phone", code="0" * 64)


def unbound_at_me(client: Client, alice: Person) -> Any:
    return client.me(client.log_in(alice)["token"])


def used_up(client: Client, alice: Person) -> Any:
    code = alice.wx_login()
    client.post("login", code=code)
    another = {"User-Agent": "another phone"}
    path = f"/v1/apps/{ACME_SHOP.appid}/login"
    return client.send("POST", path, headers=another, json={"code": code})


@pytest.mark.parametrize(
    ("act", "code", "besides"),
    [
        (no_such_code, "code_invalid", {"opened": 1}),
        (not_json, "json_required", {}),
        (wrong_password, "credentials_wrong", {}),
        (no_token, "token_missing", {}),
        (unbound_at_me, "login_unbound", NEWCOMER),
        (used_up, "code_used", NEWCOMER),
    ],
)
def test_a_failure_counts_under_its_code(
    act: Callable[[Client, Person], Any],
    code: str,
    besides: dict[str, int],
    client: Client,
    alice: Person,
    counted: Counted,
) -> None:
    """Otherwise a tenant sees that people fail, and not why."""
    assert failure(act(client, alice))[1] == code
    assert counted() == besides | {code: 1}


def test_a_step_that_is_refused_is_the_gap_in_the_funnel(
    client: Client, alice: Person, counted: Counted
) -> None:
    """Otherwise a refused person counts as bound, or was never seen."""
    token = client.log_in(alice, ACME_STAFF)["token"]
    counted()
    refused = client.post("phone", token, ACME_STAFF, **alice.tap_phone_new(ACME_STAFF))
    assert failure(refused)[1] == "registration_closed"
    assert counted(ACME_STAFF) == {"phone_verified": 1, "registration_closed": 1}


def test_requests_for_no_app_here_count_nowhere(client: Client, counted: Counted) -> None:
    """Otherwise whoever scans the service fills somebody's statistics."""
    client.post("login", app=App("wxffff000000000001", "", ""), code="x")
    client.me("wxp_nothing")
    client.send("GET", "/nothing")
    assert counted() == {}


def say(client: Client, path: str, **said: Any) -> Any:
    return client.send("POST", f"/apps/{ACME_SHOP.appid}{path}", json=said).json


def test_dialects_count_as_the_native_interface_does(
    client: Client, alice: Person, counted: Counted
) -> None:
    """Otherwise a tenant's numbers depend on what its front end was written for."""
    met = say(client, "/uni/openid", code=alice.wx_login())
    assert counted() == NEWCOMER
    handle = met["sessionKey"]
    say(client, "/uni/decrypt", sessionKey=handle, **alice.tap_phone_old())
    steps = {"phone_verified": 1, "registered": 1, "bound_by_phone": 1, "became_users": 1}
    assert counted() == steps
    say(client, "/uni/login", sessionKey=handle, openId=met["openId"], phoneNumber="13800138001")
    assert counted() == {}, "the session is the same one"
    say(client, "/uni/openid", code=alice.wx_login())
    assert counted() == KNOWN
    assert say(client, "/uni/openid", code="0" * 32)["success"] is False
    assert counted() == {"opened": 1, "code_invalid": 1}
    named = {"code": alice.wx_login(), "userInfo": {"nickName": "Alice"}}
    assert say(client, "/wx/auth/login_by_weixin", **named)["errno"] == 0
    assert counted() == KNOWN
    assert say(client, "/wx/auth/bindPhone", code="0" * 64)["errno"] == 501
    assert counted() == {"token_missing": 1}


def test_the_neighbour_counts_for_itself(client: Client, alice: Person, counted: Counted) -> None:
    """Otherwise one tenant reads how the other one is doing."""
    client.bind(alice, GLOBEX_LIFE)
    assert counted(ACME_SHOP) == {}
    client.bind(alice, GLOBEX_LIFE)
    assert counted(GLOBEX_LIFE)["known"] == 1


def test_the_tenant_of_a_count_is_its_apps(
    client: Client, alice: Person, app: Flask, rows: Reader, counted: Counted
) -> None:
    """Otherwise a neighbour is shown the number."""
    client.bind(alice, GLOBEX_LIFE)
    with app.app_context():
        write_counts()
    for table in ("daily_counts", "answer_times"):
        whose = f"SELECT DISTINCT slug FROM {table} c JOIN tenants t ON t.id = c.tenant_id"
        assert rows(whose) == [("globex",)]


def test_a_day_begins_in_shanghai(
    client: Client, alice: Person, rows: Reader, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise what people do in the morning is yesterday's."""
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


def answers(app: Flask, rows: Reader) -> dict[tuple[str, bool], int]:
    """Tell how often which call was answered, or not."""
    with app.app_context():
        write_counts()
    bars = "SELECT call, within_ms > 0, sum(count)::int FROM answer_times GROUP BY 1, 2"
    return {(call, answered): number for call, answered, number in rows(bars)}


def test_wechats_answers_are_timed_by_the_kind_of_call(
    app: Flask, client: Client, alice: Person, rows: Reader, counted: Counted
) -> None:
    """Otherwise nobody sees that it is WeChat that is slow."""
    client.bind(alice)
    client.post("login", code="0" * 32)
    told = answers(app, rows)
    assert told == {("login", True): 2, ("token", True): 1, ("phone", True): 1}


def test_a_slow_answer_is_in_a_slow_bar(
    app: Flask, client: Client, wechat: WeChat, alice: Person, rows: Reader, counted: Counted
) -> None:
    """Otherwise the numbers are not milliseconds."""
    code = alice.wx_login()
    wechat.fault("slow", seconds=0.3)
    client.post("login", code=code)
    answers(app, rows)
    ((within_ms,),) = rows("SELECT within_ms FROM answer_times")
    assert within_ms >= 400


def test_what_is_never_answered_is_no_fast_answer(
    app: Flask, client: Client, wechat: WeChat, alice: Person, rows: Reader, counted: Counted
) -> None:
    """Otherwise WeChat looks fastest when it is down."""
    code = alice.wx_login()
    wechat.fault("drop")
    client.post("login", code=code)
    assert answers(app, rows) == {("login", False): 1}
