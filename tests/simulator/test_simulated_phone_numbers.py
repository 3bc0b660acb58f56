"""The simulated exchange of phone codes."""

import re

import pytest

ACME = "wx00000000000000ac"
GLOBEX = "wx0000000000000910"
PATH = "/wxa/business/getuserphonenumber"


@pytest.fixture
def token(simulator):
    """An access token of the app ACME."""
    return simulator.stable_token()["access_token"]


def press(simulator, person="alice", appid=ACME, **options):
    """Press the phone button. Return the phone code."""
    return simulator.control("/phone", person=person, appid=appid, **options)["code"]


def test_a_phone_code_and_its_response_have_the_format_of_wechat(simulator, token):
    code = press(simulator)
    assert re.fullmatch(r"[0-9a-f]{64}", code)
    payload = simulator.phone_number(token, code=code)
    timestamp = payload["phone_info"]["watermark"].pop("timestamp")
    assert isinstance(timestamp, int)
    assert payload == {
        "errcode": 0,
        "errmsg": "ok",
        "phone_info": {
            "phoneNumber": "13800138000",
            "purePhoneNumber": "13800138000",
            "countryCode": "86",
            "watermark": {"appid": ACME},
        },
    }


def test_a_phone_number_outside_china_is_returned_with_its_country_code(simulator, token):
    code = press(simulator, "bob", country_code_as_int=True)
    info = simulator.phone_number(token, code=code)["phone_info"]
    assert info["phoneNumber"] == "+14155550100"
    assert (info["purePhoneNumber"], info["countryCode"]) == ("4155550100", 1)


def test_the_phone_button_can_return_a_wrong_watermark(simulator, token):
    code = press(simulator, watermark_appid=GLOBEX, age=900)
    correct = simulator.phone_number(token, code=press(simulator))["phone_info"]["watermark"]
    wrong = simulator.phone_number(token, code=code)["phone_info"]["watermark"]
    assert wrong["appid"] == GLOBEX
    assert 899 <= correct["timestamp"] - wrong["timestamp"] <= 901


def test_a_phone_code_is_valid_once_and_for_five_minutes(simulator, token):
    used, expired = press(simulator), press(simulator, "bob")
    simulator.phone_number(token, code=used)
    payload = simulator.phone_number(token, code=used)
    assert payload["errcode"] == 40029
    assert re.match(r"invalid code hint: \[[\w-]{11}\] rid: [0-9a-f]{8}-", payload["errmsg"])
    simulator.control("/clock", advance=301)
    assert simulator.phone_number(token, code=expired)["errcode"] == 40029


def test_a_login_code_is_rejected_as_a_phone_code_and_stays_valid(simulator, token):
    code = simulator.login_code()
    assert simulator.phone_number(token, code=code)["errcode"] == 40029
    assert "openid" in simulator.exchange(code)


def test_an_access_token_of_another_app_is_rejected(simulator, token):
    code = press(simulator, appid=GLOBEX)
    assert simulator.phone_number(token, code=code)["errcode"] == 40013
    other_token = simulator.stable_token(GLOBEX)["access_token"]
    assert simulator.phone_number(other_token, code=code)["errcode"] == 0


def test_an_openid_in_the_request_must_be_that_of_the_phone_code(simulator, token):
    alice, bob = (simulator.log_in(name)["openid"] for name in ("alice", "bob"))
    code = press(simulator, "bob")
    assert simulator.phone_number(token, code=code, openid=alice)["errcode"] == 40003
    assert simulator.phone_number(token, code=code, openid=bob)["errcode"] == 0


def test_the_phone_number_endpoint_requires_json_with_a_content_length(simulator, token):
    query = {"access_token": token}
    form = simulator.http.post(PATH, query_string=query, data={"code": "x"})
    assert form.get_json()["errcode"] == 47001
    chunked = simulator.http.post(
        PATH, query_string=query, headers={"Transfer-Encoding": "chunked"}
    )
    assert (chunked.status_code, chunked.data) == (412, b"")
    empty = simulator.http.post(PATH, query_string=query, data=b"", content_length=0)
    assert empty.get_json()["errcode"] == 44002
    assert simulator.http.get(PATH).get_json()["errcode"] == 43002
