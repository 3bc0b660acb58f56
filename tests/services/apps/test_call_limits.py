"""Bounds on calls to WeChat: in flight per app and in total, and the circuit breaker."""

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
    """A clock that tests move."""

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


def fail(limits: CallLimits, times: int = WINDOW) -> None:
    for _ in range(times):
        limits.watch(SHOP, "login", 8.0, False)


def test_an_app_occupies_no_more_than_its_bound(limits: CallLimits) -> None:
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(limits.slot(SHOP))
        with pytest.raises(WeChatBusy), limits.slot(SHOP):
            pass
        with limits.slot(CLUB):
            assert limits.in_flight(CLUB) == 1
    with limits.slot(SHOP):
        assert limits.in_flight(SHOP) == 1


def test_all_apps_together_occupy_no_more_than_the_total(limits: CallLimits) -> None:
    with ExitStack() as held:
        for appid in (SHOP, SHOP, CLUB):
            held.enter_context(limits.slot(appid))
        with pytest.raises(WeChatBusy), limits.slot(CLUB):
            pass


def test_the_limit_of_an_app_replaces_the_default(limits: CallLimits) -> None:
    with limits.slot(SHOP, 1), pytest.raises(WeChatBusy), limits.slot(SHOP, 1):
        pass


def test_a_failed_call_gives_its_slot_back(limits: CallLimits) -> None:
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), limits.slot(SHOP):
            raise ZeroDivisionError
    assert limits.in_flight(SHOP) == 0


def test_the_circuit_opens_when_half_of_the_last_calls_went_unanswered(limits: CallLimits) -> None:
    for _ in range(WINDOW - OPENS_AT):
        limits.watch(SHOP, "login", 0.1, True)
    fail(limits, OPENS_AT - 1)
    with limits.slot(SHOP):
        pass
    fail(limits, 1)
    assert limits.is_open(SHOP)
    with pytest.raises(WeChatCircuitOpen) as refused, limits.slot(SHOP):
        pass
    assert refused.value.retry_after in range(3, 9)
    with limits.slot(CLUB):
        assert not limits.is_open(CLUB)


def test_an_open_circuit_lets_one_probe_pass_each_second(limits: CallLimits, clock: Clock) -> None:
    fail(limits)
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


def test_states_of_idle_apps_are_bounded(limits: CallLimits, monkeypatch: Any) -> None:
    monkeypatch.setattr("app.services.apps.call_limits.MOST_IDLE", 10)
    with limits.slot("wxbusy"):
        for number in range(100):
            limits.watch(f"wx{number}", "login", 0.1, True)
        assert len(limits._states) == 10
        assert limits.in_flight("wxbusy") == 1


@pytest.fixture
def full(app: Flask) -> Any:
    """Occupy all calls of the shop in this process."""
    limits = app.extensions["call_limits"]
    with ExitStack() as held:
        for _ in range(limits.per_app):
            held.enter_context(limits.slot(ACME_SHOP.appid))
        yield


@pytest.mark.usefixtures("full")
def test_a_busy_app_is_refused_without_a_call_and_without_a_row(
    client: Client, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    refused = client.post("login", code=alice.wx_login())
    assert failure(refused) == (503, "wechat_busy")
    assert int(refused.headers["Retry-After"]) in range(3, 9)
    assert not [call for call in wechat.calls() if call["path"] == "/sns/jscode2session"]
    assert rows.count("code_exchanges") == 0
    assert client.log_in(alice, ACME_CLUB)["token"]


@pytest.mark.usefixtures("full")
def test_a_phone_code_of_a_busy_app_is_refused_and_stays_valid(
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


def test_a_silent_wechat_opens_the_circuit_of_its_app_only(
    app: Flask, client: Client, alice: Person, wechat: WeChat
) -> None:
    wechat.fault("drop", times=WINDOW, appid=ACME_SHOP.appid)
    for _ in range(WINDOW):
        assert failure(client.post("login", code=alice.wx_login()))[0] == 503
    refused = client.post("login", code=alice.wx_login())
    assert failure(refused) == (503, "wechat_circuit_open")
    assert int(refused.headers["Retry-After"]) in range(3, 9)
    assert client.log_in(alice, ACME_CLUB)["token"]


def test_the_overview_shows_calls_in_flight_the_limit_and_the_circuit(
    app: Flask, full: Any
) -> None:
    app.extensions["call_limits"]._states[ACME_CLUB.appid] = _AppState(is_open=True)
    with app.app_context():
        shown = {one.appid: one.wechat_calls for one in get_overview_of("acme").apps}
    assert shown[ACME_SHOP.appid] == WeChatCalls(100, 100, is_circuit_open=False)
    assert shown[ACME_CLUB.appid] == WeChatCalls(0, 100, is_circuit_open=True)


def test_a_tenant_admin_cannot_change_the_limit_of_an_app(app: Flask, rows: Reader) -> None:
    ann = Script(Client(app), ADMIN)
    add_operator(app, ADMIN, "tenant_admin", "acme")
    ann.sign_in()
    refused = ann("PATCH", APP, json={"wechat_call_limit": 10_000})
    assert failure(refused) == (403, "role_too_low")
    assert rows("SELECT DISTINCT wechat_call_limit FROM wechat_apps") == [(None,)]


@pytest.mark.parametrize("limit", [0, -1, 10_001, "5", 1.5, True])
def test_an_invalid_limit_is_refused(app: Flask, limit: Any) -> None:
    add_operator(app, PLATFORM, "platform")
    pat = Script(Client(app), PLATFORM)
    pat.sign_in()
    assert failure(pat("PATCH", APP, json={"wechat_call_limit": limit})) == (422, "request_invalid")


def test_platform_admins_set_and_remove_the_limit_of_an_app(app: Flask, rows: Reader) -> None:
    add_operator(app, PLATFORM, "platform")
    pat = Script(Client(app), PLATFORM)
    pat.sign_in()
    wanted = "SELECT wechat_call_limit FROM wechat_apps WHERE appid = :appid"
    for limit in (7, None):
        changed = pat("PATCH", APP, json={"wechat_call_limit": limit})
        assert (changed.status_code, changed.json["wechat_call_limit"]) == (200, limit)
        assert rows(wanted, appid=ACME_SHOP.appid) == [(limit,)]


def test_a_command_sets_the_limit_of_an_app(app: Flask, client: Client, alice: Person) -> None:
    run = app.test_cli_runner().invoke
    assert run(args=["apps", "set", ACME_SHOP.appid, "--wechat-call-limit", "1"]).exit_code == 0
    with app.extensions["call_limits"].slot(ACME_SHOP.appid, 1):
        assert failure(client.post("login", code=alice.wx_login())) == (503, "wechat_busy")
    assert run(args=["apps", "set", ACME_SHOP.appid, "--wechat-call-limit", "0"]).exit_code == 2
    done = run(args=["apps", "set", ACME_SHOP.appid, "--wechat-call-limit", "default"])
    assert done.exit_code == 0
