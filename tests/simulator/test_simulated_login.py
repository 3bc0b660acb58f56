"""The simulated code2Session."""

import re

import pytest

from app.simulator import create_simulator

ACME = "wx00000000000000ac"
GLOBEX = "wx0000000000000910"


def test_code2session_response_has_the_content_type_and_fields_of_wechat(simulator):
    response = simulator.send_exchange(simulator.login_code())
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain"
    payload = response.get_json(force=True)
    assert set(payload) == {"openid", "session_key", "unionid"}
    assert re.fullmatch(r"o[\w-]{27}", payload["openid"], re.ASCII)
    assert re.fullmatch(r"[A-Za-z0-9+/]{22}==", payload["session_key"])


def test_a_login_code_has_the_format_of_wechat(simulator):
    assert re.fullmatch(r"0[0-9A-Za-z]{31}", simulator.login_code())


def test_openid_and_unionid_are_the_same_after_a_restart_of_the_simulator(simulator):
    before = simulator.log_in()
    simulator.http = create_simulator({}).test_client()
    simulator.control("/apps", appid=ACME, secret="acme secret", open_platform="group")
    simulator.control("/people", name="alice")
    after = simulator.log_in()
    assert (after["openid"], after["unionid"]) == (before["openid"], before["unionid"])


def test_openids_differ_by_app_and_unionids_are_equal_within_an_open_platform(simulator):
    acme, globex = simulator.log_in(appid=ACME), simulator.log_in(appid=GLOBEX)
    assert acme["openid"] != globex["openid"]
    assert acme["unionid"] == globex["unionid"] != simulator.log_in("bob")["unionid"]


def test_an_app_without_an_open_platform_gets_no_unionid(simulator):
    code = simulator.login_code()
    simulator.control("/apps", appid=ACME, secret="acme secret")
    assert "unionid" not in simulator.exchange(code)


def test_a_login_code_is_valid_once(simulator):
    code = simulator.login_code()
    simulator.exchange(code)
    payload = simulator.exchange(code)
    assert payload["errcode"] == 40163
    assert re.fullmatch(r"code been used, rid: [0-9a-f]{8}(-[0-9a-f]{8}){2}", payload["errmsg"])


def test_a_login_code_expires_after_five_minutes(simulator):
    early, late = simulator.login_code(), simulator.login_code("bob")
    simulator.control("/clock", advance=295)
    assert "openid" in simulator.exchange(early)
    simulator.control("/clock", advance=6)
    assert simulator.exchange(late)["errcode"] == 40029


def test_code2session_rejects_codes_of_another_app_and_phone_codes(simulator):
    phone_code = simulator.control("/phone", person="alice", appid=ACME)["code"]
    code = simulator.login_code(appid=GLOBEX)
    wrong = [code, phone_code, "0" + "Z" * 31]
    assert [simulator.exchange(value)["errcode"] for value in wrong] == [40029] * 3
    assert "openid" in simulator.exchange(code, GLOBEX), (
        "an attempt by another app does not use up the code"
    )


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"appid": "", "secret": "", "js_code": ""}, 41002),
        ({"secret": "", "js_code": ""}, 41004),
        ({"js_code": "", "grant_type": "x"}, 41008),
        ({"grant_type": "x", "appid": "wxnone"}, 40002),
        ({"appid": "wxnone", "secret": "wrong"}, 40013),
        ({"secret": "wrong", "js_code": "wrong"}, 40125),
    ],
)
def test_code2session_checks_parameters_in_the_order_of_wechat(simulator, changes, errcode):
    assert simulator.exchange(simulator.login_code(), **changes)["errcode"] == errcode


def test_code2session_ignores_parameters_in_the_body(simulator):
    response = simulator.http.post("/sns/jscode2session", json={"appid": ACME})
    assert response.get_json(force=True)["errcode"] == 41002


def test_a_frozen_app_secret_is_rejected(simulator):
    code = simulator.login_code()
    simulator.control("/apps", appid=ACME, secret="acme secret", frozen=True)
    assert simulator.exchange(code)["errcode"] == 40243
    assert simulator.stable_token()["errcode"] == 40243


def test_the_setting_escape_slashes_escapes_slashes_in_json(simulator):
    simulator.control("/settings", escape_slashes=True)
    bodies = [simulator.send_exchange(simulator.login_code()).get_data() for _ in range(40)]
    assert any(rb"\/" in body for body in bodies)
    assert not any(re.search(rb"[^\\]/", body) for body in bodies)


@pytest.mark.parametrize(
    ("policy", "changes_immediately", "changes_in_an_hour"),
    [("always", True, True), ("never", False, False), (600, False, True)],
)
def test_the_session_key_policy_decides_whether_a_login_renews_the_session_key(
    simulator, policy, changes_immediately, changes_in_an_hour
):
    simulator.control("/settings", session_key_policy=policy)
    first, second = simulator.log_in(), simulator.log_in()
    assert (first["session_key"] != second["session_key"]) is changes_immediately
    simulator.control("/clock", advance=3600)
    assert (second["session_key"] != simulator.log_in()["session_key"]) is changes_in_an_hour


def test_the_simulator_does_not_start_in_production(monkeypatch):
    with pytest.raises(RuntimeError, match="WXPASS_ENV=production"):
        create_simulator({"WXPASS_ENV": "production"})
    monkeypatch.setenv("WXPASS_ENV", "production")
    with pytest.raises(RuntimeError, match="WXPASS_ENV=production"):
        create_simulator()


def test_the_setting_sns_content_type_sets_the_content_type_of_code2session(simulator):
    other = "application/json; encoding=utf-8"
    simulator.control("/settings", sns_content_type=other)
    response = simulator.send_exchange(simulator.login_code())
    assert response.headers["Content-Type"] == other
