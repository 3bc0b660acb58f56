"""Faults that tests activate in the simulator."""

import json
import time

import pytest

ACME = "wx00000000000000ac"
GLOBEX = "wx0000000000000910"
LOGIN = "/sns/jscode2session"


@pytest.mark.parametrize(
    ("fault", "errcode"),
    [
        ({"kind": "busy"}, -1),
        ({"kind": "rate_limited"}, 45011),
        ({"kind": "blocked"}, 40226),
        ({"kind": "errcode", "errcode": 50007}, 50007),
        ({"kind": "errcode", "errcode": 40164}, 40164),
        ({"kind": "errcode", "errcode": 99999}, 99999),
    ],
)
def test_an_error_fault_applies_the_given_number_of_times_and_keeps_the_code_valid(
    simulator, fault, errcode
):
    simulator.control("/faults", **fault, times=1)
    code = simulator.login_code()
    assert simulator.exchange(code)["errcode"] == errcode
    assert "openid" in simulator.exchange(code)


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("html", 200, b"<!DOCTYPE html>"),
        ("empty", 200, b""),
        ("http_500", 500, b"Internal Server Error"),
        ("not_json_object", 200, b"[]"),
    ],
)
def test_faults_return_responses_that_are_not_json_objects(simulator, kind, status, body):
    simulator.control("/faults", kind=kind)
    response = simulator.send_exchange(simulator.login_code())
    assert response.status_code == status
    assert response.data.startswith(body)
    assert body or not response.data


def test_the_fault_truncated_returns_invalid_json(simulator):
    simulator.control("/faults", kind="truncated", times=1)
    body = simulator.send_exchange(simulator.login_code()).data
    assert body.startswith(b'{"session_key"')
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


@pytest.mark.parametrize(
    ("kind", "name"), [("no_unionid", "unionid"), ("missing_openid", "openid")]
)
def test_faults_omit_the_unionid_or_the_openid_from_a_response(simulator, kind, name):
    simulator.control("/faults", kind=kind, times=1)
    assert name not in simulator.log_in()
    assert name in simulator.log_in()


def test_the_fault_extra_fields_adds_fields_to_a_response(simulator):
    simulator.control("/faults", kind="extra_fields")
    assert set(simulator.log_in()) > {"openid", "session_key", "unionid"}


def test_the_fault_reused_as_40029_returns_40029_for_a_used_code(simulator):
    simulator.control("/faults", kind="reused_as_40029", times=1)
    code = simulator.login_code()
    assert "openid" in simulator.exchange(code), "the fault applies to used codes only"
    assert [simulator.exchange(code)["errcode"] for _ in range(2)] == [40029, 40163]


@pytest.mark.parametrize("kind", ["slow", "timeout"])
def test_the_faults_slow_and_timeout_delay_a_response(simulator, kind):
    simulator.control("/faults", kind=kind, seconds=0.05, times=1)
    code = simulator.login_code()
    started = time.monotonic()
    assert "openid" in simulator.exchange(code)
    assert time.monotonic() - started >= 0.05
    assert simulator.exchange(code)["errcode"] == 40163


def test_the_faults_slow_and_timeout_have_default_delays(simulator):
    faults = [simulator.control("/faults", kind=kind) for kind in ("slow", "timeout")]
    assert [fault["seconds"] for fault in faults] == [2.0, 10.0]


def test_the_fault_drop_uses_up_the_code(simulator):
    simulator.control("/faults", kind="drop", times=1)
    code = simulator.login_code()
    assert simulator.send_exchange(code).status_code == 502
    assert simulator.exchange(code)["errcode"] == 40163


def test_the_fault_stale_token_rejects_an_access_token_until_a_new_one_is_requested(simulator):
    token = simulator.stable_token()["access_token"]
    simulator.control("/faults", kind="stale_token", times=1)
    assert "openid" in simulator.log_in(), "calls without a token are not affected"
    assert [simulator.phone_number(token, code="")["errcode"] for _ in range(2)] == [40001] * 2
    fresh = simulator.stable_token()["access_token"]
    assert fresh != token
    assert simulator.phone_number(fresh, code="")["errcode"] == 41008


def test_a_fault_applies_only_to_its_path_and_its_app(simulator):
    simulator.control("/faults", kind="busy", path=LOGIN, appid=ACME)
    assert simulator.log_in(appid=ACME)["errcode"] == -1
    assert "openid" in simulator.log_in(appid=GLOBEX)
    assert "access_token" in simulator.stable_token(ACME)


def test_a_fault_of_an_app_applies_to_calls_with_an_access_token_of_the_app(simulator):
    acme, globex = (simulator.stable_token(appid)["access_token"] for appid in (ACME, GLOBEX))
    simulator.control("/faults", kind="busy", appid=GLOBEX)
    assert simulator.phone_number(globex, code="")["errcode"] == -1
    assert simulator.phone_number(acme, code="")["errcode"] == 41008


def test_the_control_api_lists_and_deletes_faults(simulator):
    simulator.control("/faults", kind="busy", times=3)
    simulator.log_in()
    faults = simulator.http.get("/_simulator/faults").get_json()["faults"]
    assert [(fault["kind"], fault["times"]) for fault in faults] == [("busy", 2)]
    simulator.http.delete("/_simulator/faults")
    assert "openid" in simulator.log_in()
