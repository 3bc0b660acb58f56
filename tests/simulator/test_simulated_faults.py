"""The faults that the simulator plays on demand."""

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
def test_refusal_happens_so_often_and_spares_the_code(simulator, fault, errcode):
    """Else a test of one failure would spoil the calls after it."""
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
def test_answer_can_be_something_else(simulator, kind, status, body):
    """Else the product would believe that WeChat always answers JSON objects."""
    simulator.control("/faults", kind=kind)
    response = simulator.send_exchange(simulator.login_code())
    assert response.status_code == status
    assert response.data.startswith(body)
    assert body or not response.data


def test_truncated_answer_is_no_json(simulator):
    """Else a cut-off answer would not be met before production."""
    simulator.control("/faults", kind="truncated", times=1)
    body = simulator.send_exchange(simulator.login_code()).data
    assert body.startswith(b'{"session_key"')
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


@pytest.mark.parametrize(
    ("kind", "name"), [("no_unionid", "unionid"), ("missing_openid", "openid")]
)
def test_field_can_be_absent(simulator, kind, name):
    """Else the product would take the field for granted."""
    simulator.control("/faults", kind=kind, times=1)
    assert name not in simulator.log_in()
    assert name in simulator.log_in()


def test_extra_fields_can_appear(simulator):
    """Else a field that WeChat adds one day would break the product."""
    simulator.control("/faults", kind="extra_fields")
    assert set(simulator.log_in()) > {"openid", "session_key", "unionid"}


def test_reuse_can_be_reported_as_40029(simulator):
    """Else only one of WeChat's two ways to report it would be handled."""
    simulator.control("/faults", kind="reused_as_40029", times=1)
    code = simulator.login_code()
    assert "openid" in simulator.exchange(code), "it must wait for a reuse"
    assert [simulator.exchange(code)["errcode"] for _ in range(2)] == [40029, 40163]


@pytest.mark.parametrize("kind", ["slow", "timeout"])
def test_answer_can_be_late(simulator, kind):
    """Else the product's time limits would never be reached."""
    simulator.control("/faults", kind=kind, seconds=0.05, times=1)
    code = simulator.login_code()
    started = time.monotonic()
    assert "openid" in simulator.exchange(code)
    assert time.monotonic() - started >= 0.05
    assert simulator.exchange(code)["errcode"] == 40163


def test_late_answers_have_their_usual_length(simulator):
    """Else a fault without seconds would not reach any time limit."""
    faults = [simulator.control("/faults", kind=kind) for kind in ("slow", "timeout")]
    assert [fault["seconds"] for fault in faults] == [2.0, 10.0]


def test_dropped_answer_has_consumed_the_code(simulator):
    """Else a product that retries after a lost connection would seem to work."""
    simulator.control("/faults", kind="drop", times=1)
    code = simulator.login_code()
    assert simulator.send_exchange(code).status_code == 502
    assert simulator.exchange(code)["errcode"] == 40163


def test_stale_token_is_dead_and_the_next_one_works(simulator):
    """Else refreshing once after 40001 could not be tested."""
    token = simulator.stable_token()["access_token"]
    simulator.control("/faults", kind="stale_token", times=1)
    assert "openid" in simulator.log_in(), "a call without a token is not concerned"
    assert [simulator.phone_number(token, code="")["errcode"] for _ in range(2)] == [40001] * 2
    fresh = simulator.stable_token()["access_token"]
    assert fresh != token
    assert simulator.phone_number(fresh, code="")["errcode"] == 41008


def test_fault_concerns_one_path_and_one_app(simulator):
    """Else a neighbouring tenant would suffer too."""
    simulator.control("/faults", kind="busy", path=LOGIN, appid=ACME)
    assert simulator.log_in(appid=ACME)["errcode"] == -1
    assert "openid" in simulator.log_in(appid=GLOBEX)
    assert "access_token" in simulator.stable_token(ACME)


def test_fault_finds_the_app_behind_a_token(simulator):
    """Else calls that carry only a token could not be singled out."""
    acme, globex = (simulator.stable_token(appid)["access_token"] for appid in (ACME, GLOBEX))
    simulator.control("/faults", kind="busy", appid=GLOBEX)
    assert simulator.phone_number(globex, code="")["errcode"] == -1
    assert simulator.phone_number(acme, code="")["errcode"] == 41008


def test_faults_are_listed_and_cleared(simulator):
    """Else a fault of one test would haunt the next."""
    simulator.control("/faults", kind="busy", times=3)
    simulator.log_in()
    faults = simulator.http.get("/_simulator/faults").get_json()["faults"]
    assert [(fault["kind"], fault["times"]) for fault in faults] == [("busy", 2)]
    simulator.http.delete("/_simulator/faults")
    assert "openid" in simulator.log_in()
