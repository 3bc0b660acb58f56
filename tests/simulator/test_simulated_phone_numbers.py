"""The simulated phone number call."""

import re

import pytest

ACME = "wx00000000000000ac"
GLOBEX = "wx0000000000000910"
PATH = "/wxa/business/getuserphonenumber"


@pytest.fixture
def token(simulator):
    """Acme's access token."""
    return simulator.stable_token()["access_token"]


def press(simulator, person="alice", appid=ACME, **options):
    """Press the phone number button and return the code."""
    return simulator.control("/phone", person=person, appid=appid, **options)["code"]


def test_number_is_given_as_wechat_gives_it(simulator, token):
    """Else the product would read fields that do not exist."""
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


def test_foreign_number_carries_its_country_code(simulator, token):
    """Else all people would seem to live in China."""
    code = press(simulator, "bob", country_code_as_int=True)
    info = simulator.phone_number(token, code=code)["phone_info"]
    assert info["phoneNumber"] == "+14155550100"
    assert (info["purePhoneNumber"], info["countryCode"]) == ("4155550100", 1)


def test_watermark_can_lie(simulator, token):
    """Else a product that does not check the watermark would not be found out."""
    code = press(simulator, watermark_appid=GLOBEX, age=900)
    honest = simulator.phone_number(token, code=press(simulator))["phone_info"]["watermark"]
    lying = simulator.phone_number(token, code=code)["phone_info"]["watermark"]
    assert lying["appid"] == GLOBEX
    assert 899 <= honest["timestamp"] - lying["timestamp"] <= 901


def test_code_serves_once_and_for_five_minutes(simulator, token):
    """Else a replayed phone code would seem to work."""
    used, expired = press(simulator), press(simulator, "bob")
    simulator.phone_number(token, code=used)
    payload = simulator.phone_number(token, code=used)
    assert payload["errcode"] == 40029
    assert re.match(r"invalid code hint: \[[\w-]{11}\] rid: [0-9a-f]{8}-", payload["errmsg"])
    simulator.control("/clock", advance=301)
    assert simulator.phone_number(token, code=expired)["errcode"] == 40029


def test_login_code_is_no_phone_code(simulator, token):
    """Else a client that mixes the two up would seem to work."""
    code = simulator.login_code()
    assert simulator.phone_number(token, code=code)["errcode"] == 40029
    assert "openid" in simulator.exchange(code)


def test_foreign_token_is_refused(simulator, token):
    """Else one tenant could redeem another tenant's phone codes."""
    code = press(simulator, appid=GLOBEX)
    assert simulator.phone_number(token, code=code)["errcode"] == 40013
    theirs = simulator.stable_token(GLOBEX)["access_token"]
    assert simulator.phone_number(theirs, code=code)["errcode"] == 0


def test_openid_must_be_the_one_who_pressed(simulator, token):
    """Else alice could be given bob's number."""
    alice, bob = (simulator.log_in(name)["openid"] for name in ("alice", "bob"))
    code = press(simulator, "bob")
    assert simulator.phone_number(token, code=code, openid=alice)["errcode"] == 40003
    assert simulator.phone_number(token, code=code, openid=bob)["errcode"] == 0


def test_body_must_be_json_of_known_length(simulator, token):
    """Else form posts and chunked bodies would first fail against the real WeChat."""
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
