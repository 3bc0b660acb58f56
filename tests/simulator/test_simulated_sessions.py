"""The session_key endpoints of the simulator, and encrypted user data."""

import base64
import hashlib
import hmac
import json

import pytest
from Crypto.Cipher import AES
from Crypto.Util.Padding import unpad

from app.simulator.open_data import sign

ACME = "wx00000000000000ac"
GLOBEX = "wx0000000000000910"


def check(simulator, openid, key, path="/wxa/checksession", /, **changes):
    """Send a session_key and its openid to checksession, or to another path. Return the body."""
    query = {
        "access_token": simulator.stable_token()["access_token"],
        "openid": openid,
        "signature": hmac.new(key.encode(), b"", hashlib.sha256).hexdigest(),
        "sig_method": "hmac_sha256",
    }
    return simulator.http.get(path, query_string={**query, **changes}).get_json()


def decrypt(data, key):
    """Decrypt encryptedData with a session_key, as a mini-program's server does."""
    iv = base64.b64decode(data["iv"])
    cipher = AES.new(base64.b64decode(key), AES.MODE_CBC, iv)
    return json.loads(unpad(cipher.decrypt(base64.b64decode(data["encryptedData"])), 16))


def test_only_the_newest_session_key_is_valid(simulator):
    old, new = simulator.log_in(), simulator.log_in()
    openid = new["openid"]
    assert check(simulator, openid, new["session_key"]) == {"errcode": 0, "errmsg": "ok"}
    assert check(simulator, openid, old["session_key"])["errcode"] == 87009


def test_a_session_key_becomes_invalid_at_the_next_wx_login(simulator):
    session = simulator.log_in()
    simulator.login_code()
    assert check(simulator, session["openid"], session["session_key"])["errcode"] == 87009


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"sig_method": "md5"}, 87008),
        ({"openid": ""}, 40097),
        ({"signature": ""}, 40097),
        ({"signature": "é"}, 87009),
        ({"openid": "onobody"}, 87009),
        ({"access_token": ""}, 41001),
    ],
)
def test_checksession_returns_the_errcode_of_each_invalid_parameter(simulator, changes, errcode):
    session = simulator.log_in()
    payload = check(simulator, session["openid"], session["session_key"], **changes)
    assert payload["errcode"] == errcode


def test_resetusersessionkey_returns_a_new_session_key_and_invalidates_the_old_one(simulator):
    session = simulator.log_in()
    openid, old = session["openid"], session["session_key"]
    payload = check(simulator, openid, old, "/wxa/resetusersessionkey")
    assert (payload["errcode"], payload["openid"]) == (0, openid)
    assert check(simulator, openid, old)["errcode"] == 87009
    assert check(simulator, openid, payload["session_key"])["errcode"] == 0


def test_resetusersessionkey_does_not_extend_the_expiry_of_the_session_key(simulator):
    session = simulator.log_in()
    simulator.control("/clock", advance=29 * 86400)
    path = "/wxa/resetusersessionkey"
    key = check(simulator, session["openid"], session["session_key"], path)["session_key"]
    simulator.control("/clock", advance=2 * 86400)
    assert check(simulator, session["openid"], key)["errcode"] == 87009
    assert check(simulator, session["openid"], key, path)["errcode"] == 87007


def test_sign_returns_the_signature_of_the_documented_sample():
    raw_data = (
        '{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou",'
        '"province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/'
        "1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ"
        '/0"}'
    )
    expected = "75e81ceda165f4ffa64f4068af58c64b8f54b88c"
    assert sign(raw_data, "HyVFkGl5F5OQWJZZaNzBBg==") == expected


def test_user_info_is_signed_and_encrypted_with_the_session_key(simulator):
    session = simulator.log_in()
    key = session["session_key"]
    data = simulator.control("/user-info", person="alice", appid=ACME)
    digest = hashlib.sha1((data["rawData"] + key).encode(), usedforsecurity=False).hexdigest()
    assert data["signature"] == digest
    raw, plain = json.loads(data["rawData"]), decrypt(data, key)
    assert raw["nickName"] == "爱丽丝"
    assert "爱丽丝" in data["rawData"], "WeChat writes raw UTF-8"
    assert not {"openId", "unionId", "watermark"} & set(raw)
    assert plain.items() >= raw.items()
    identity = (plain["openId"], plain["unionId"], plain["watermark"]["appid"])
    assert identity == (session["openid"], session["unionid"], ACME)


def test_encrypted_data_and_code_of_the_phone_button_have_the_same_phone_number(simulator):
    key = simulator.log_in("bob")["session_key"]
    data = simulator.control("/phone", person="bob", appid=ACME)
    token = simulator.stable_token()["access_token"]
    payload = simulator.phone_number(token, code=data["code"])
    assert decrypt(data, key) == payload["phone_info"]


def test_a_stale_phone_button_encrypts_with_the_previous_session_key(simulator):
    old, new = simulator.log_in()["session_key"], simulator.log_in()["session_key"]
    data = simulator.control(
        "/phone", person="alice", appid=ACME, stale=True, watermark_appid=GLOBEX
    )
    assert decrypt(data, old)["watermark"]["appid"] == GLOBEX
    assert old != new


def test_the_control_api_shows_and_renews_the_session_key(simulator):
    session = simulator.log_in()
    query = {"person": "alice", "appid": ACME}
    shown = simulator.http.get("/_simulator/session-key", query_string=query).get_json()
    assert shown == {"session_key": session["session_key"]}
    simulator.control("/session-key", **query)
    assert check(simulator, session["openid"], session["session_key"])["errcode"] == 87009
