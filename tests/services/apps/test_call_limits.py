"""Limits on WeChat calls in flight, per app and in total, and the circuit breaker of an app."""

from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask

from app.errors import WeChatBusy, WeChatCircuitOpen
from app.services.apps.call_limits import OPENS_AT, WINDOW, CallLimits, _AppState
from app.services.tenant_admin.overview import WeChatCalls, get_overview_of
from tests.fixtures.operators import Script, add_operator
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, Client, Person, Reader, WeChat, failure

SHOP, CLUB = "wxshop", "wxclub"
ADMIN, PLATFORM = "ann@acme.example", "pat@wxpass.example"
APP = f"/tenants/acme/apps/{ACME_SHOP.appid}"


class Clock:
    """A monotonic clock that the test advances."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> CallLimits:
    return CallLimits(per_app=2, in_total=3, clock=clock)


def record_unanswered_calls(limits: CallLimits, times: int = WINDOW) -> None:
    for _ in range(times):
        limits.watch(SHOP, "login", 8.0, False)


def test_app_with_too_many_calls_in_flight_is_refused_and_other_apps_are_not(
    limits: CallLimits,
) -> None:
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(limits.slot(SHOP))
        with pytest.raises(WeChatBusy), limits.slot(SHOP):
            pass
        with limits.slot(CLUB):
            assert limits.in_flight(CLUB) == 1
    with limits.slot(SHOP):
        assert limits.in_flight(SHOP) == 1


def test_calls_in_flight_of_all_apps_together_are_limited(limits: CallLimits) -> None:
    with ExitStack() as held:
        for appid in (SHOP, SHOP, CLUB):
            held.enter_context(limits.slot(appid))
        with pytest.raises(WeChatBusy), limits.slot(CLUB):
            pass


def test_call_limit_set_for_an_app_replaces_the_default_limit(limits: CallLimits) -> None:
    with limits.slot(SHOP, 1), pytest.raises(WeChatBusy), limits.slot(SHOP, 1):
        pass


def test_failed_wechat_call_is_no_longer_counted_as_in_flight(limits: CallLimits) -> None:
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), limits.slot(SHOP):
            raise ZeroDivisionError
    assert limits.in_flight(SHOP) == 0


def test_circuit_opens_when_half_of_the_last_twenty_calls_went_unanswered(
    limits: CallLimits,
) -> None:
    for _ in range(WINDOW - OPENS_AT):
        limits.watch(SHOP, "login", 0.1, True)
    record_unanswered_calls(limits, OPENS_AT - 1)
    with limits.slot(SHOP):
        pass
    record_unanswered_calls(limits, 1)
    assert limits.is_open(SHOP)
    with pytest.raises(WeChatCircuitOpen) as refused, limits.slot(SHOP):
        pass
    assert refused.value.retry_after in range(3, 9)
    with limits.slot(CLUB):
        assert not limits.is_open(CLUB)


def test_open_circuit_admits_one_call_per_second_and_closes_after_an_answer(
    limits: CallLimits, clock: Clock
) -> None:
    record_unanswered_calls(limits)
    clock.seconds += 1
    with limits.slot(SHOP):
        pass
    with pytest.raises(WeChatCircuitOpen), limits.slot(SHOP):
        pass
    clock.seconds += 1
    with limits.slot(SHOP):
        limits.watch(SHOP, "login", 0.1, True)
    with limits.slot(SHOP):
        assert not limits.is_open(SHOP)


def test_waiting_requests_are_limited_like_calls_but_do_not_test_an_open_circuit(
    limits: CallLimits, clock: Clock
) -> None:
    record_unanswered_calls(limits)
    clock.seconds += 1
    with ExitStack() as held:
        held.enter_context(limits.slot(SHOP, is_call=False))
        held.enter_context(limits.slot(SHOP))  # tests the circuit
        with pytest.raises(WeChatBusy), limits.slot(SHOP, is_call=False):
            pass


def test_call_states_are_kept_for_a_limited_number_of_idle_apps(
    limits: CallLimits, monkeypatch: Any
) -> None:
    monkeypatch.setattr("app.services.apps.call_limits.MOST_IDLE", 10)
    with limits.slot("wxbusy"):
        for number in range(100):
            limits.watch(f"wx{number}", "login", 0.1, True)
        assert len(limits._states) == 10
        assert limits.in_flight("wxbusy") == 1


@pytest.fixture
def shop_is_busy(app: Flask) -> Any:
    """Fill the shop's limit of calls in flight in this process."""
    limits = app.extensions["call_limits"]
    with ExitStack() as held:
        for _ in range(limits.per_app):
            held.enter_context(limits.slot(ACME_SHOP.appid))
        yield


@pytest.mark.usefixtures("shop_is_busy")
def test_login_of_a_busy_app_is_refused_without_a_wechat_call_or_a_database_row(
    client: Client, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    refused = client.post("login", code=alice.wx_login())
    assert failure(refused) == (503, "wechat_busy")
    assert int(refused.headers["Retry-After"]) in range(3, 9)
    assert not [call for call in wechat.calls() if call["path"] == "/sns/jscode2session"]
    assert rows.count("code_exchanges") == 0
    assert client.log_in(alice, ACME_CLUB)["token"]


@pytest.mark.usefixtures("shop_is_busy")
def test_phone_code_refused_because_the_app_is_busy_stays_valid(
    app: Flask, client: Client, alice: Person
) -> None:
    unbound = client.log_in(alice, ACME_CLUB)["token"]
    limits = app.extensions["call_limits"]
    code = alice.tap_phone_new(ACME_CLUB)
    with ExitStack() as held:
        for _ in range(limits.per_app):
            held.enter_context(limits.slot(ACME_CLUB.appid))
        refused = client.post("phone", unbound, app=ACME_CLUB, **code)
        assert failure(refused) == (503, "wechat_busy")
    assert client.post("phone", unbound, app=ACME_CLUB, **code).status_code == 200


def test_unanswered_calls_open_the_circuit_of_their_app_only(
    app: Flask, client: Client, alice: Person, wechat: WeChat
) -> None:
    wechat.fault("drop", times=WINDOW, appid=ACME_SHOP.appid)
    for _ in range(WINDOW):
        assert failure(client.post("login", code=alice.wx_login()))[0] == 503
    refused = client.post("login", code=alice.wx_login())
    assert failure(refused) == (503, "wechat_circuit_open")
    assert int(refused.headers["Retry-After"]) in range(3, 9)
    assert client.log_in(alice, ACME_CLUB)["token"]


def test_tenant_overview_shows_calls_in_flight_call_limit_and_circuit_of_each_app(
    app: Flask, shop_is_busy: Any
) -> None:
    app.extensions["call_limits"]._states[ACME_CLUB.appid] = _AppState(is_open=True)
    with app.app_context():
        shown = {one.appid: one.wechat_calls for one in get_overview_of("acme").apps}
    assert shown[ACME_SHOP.appid] == WeChatCalls(100, 100, is_circuit_open=False)
    assert shown[ACME_CLUB.appid] == WeChatCalls(0, 100, is_circuit_open=True)


def test_tenant_admin_cannot_change_the_wechat_call_limit_of_an_app(
    app: Flask, rows: Reader
) -> None:
    ann = Script(Client(app), ADMIN)
    add_operator(app, ADMIN, "tenant_admin", "acme")
    ann.sign_in()
    refused = ann("PATCH", APP, json={"wechat_call_limit": 10_000})
    assert failure(refused) == (403, "role_too_low")
    assert rows("SELECT DISTINCT wechat_call_limit FROM wechat_apps") == [(None,)]


@pytest.mark.parametrize("limit", [0, -1, 10_001, "5", 1.5, True])
def test_invalid_wechat_call_limit_is_refused(app: Flask, limit: Any) -> None:
    add_operator(app, PLATFORM, "platform")
    pat = Script(Client(app), PLATFORM)
    pat.sign_in()
    assert failure(pat("PATCH", APP, json={"wechat_call_limit": limit})) == (422, "request_invalid")


def test_platform_admin_sets_and_removes_the_wechat_call_limit_of_an_app(
    app: Flask, rows: Reader
) -> None:
    add_operator(app, PLATFORM, "platform")
    pat = Script(Client(app), PLATFORM)
    pat.sign_in()
    wanted = "SELECT wechat_call_limit FROM wechat_apps WHERE appid = :appid"
    for limit in (7, None):
        changed = pat("PATCH", APP, json={"wechat_call_limit": limit})
        assert (changed.status_code, changed.json["wechat_call_limit"]) == (200, limit)
        assert rows(wanted, appid=ACME_SHOP.appid) == [(limit,)]


def test_apps_set_command_changes_the_wechat_call_limit_of_an_app(
    app: Flask, client: Client, alice: Person
) -> None:
    run = app.test_cli_runner().invoke
    assert run(args=["apps", "set", ACME_SHOP.appid, "--wechat-call-limit", "1"]).exit_code == 0
    with app.extensions["call_limits"].slot(ACME_SHOP.appid, 1):
        assert failure(client.post("login", code=alice.wx_login())) == (503, "wechat_busy")
    assert run(args=["apps", "set", ACME_SHOP.appid, "--wechat-call-limit", "0"]).exit_code == 2
    done = run(args=["apps", "set", ACME_SHOP.appid, "--wechat-call-limit", "default"])
    assert done.exit_code == 0
