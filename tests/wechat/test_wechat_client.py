"""WeChatClient: requests to WeChat, and parsing of the responses."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.wechat import (
    AccessToken,
    AccessTokenRejected,
    AppMisconfigured,
    CodeRejected,
    ForeignWatermark,
    PhoneCountryMissing,
    PhoneInfo,
    PhoneNumberMissing,
    WeChatClient,
    WeChatIdentity,
    WeChatUnavailable,
)

KEY = "tiihtNczf5v6AKRyjwEUhQ=="
SESSION = {"openid": "oAlice", "session_key": KEY}


def phone_answer(**changes):
    info = {
        "phoneNumber": "+85212345678",
        "purePhoneNumber": "12345678",
        "countryCode": "852",
        "watermark": {"timestamp": 1477314187, "appid": "wxacme"},
    }
    return {"errcode": 0, "errmsg": "ok", "phone_info": info | changes}


def test_code_to_session_sends_appid_secret_code_and_grant_type_in_the_query(client, wechat):
    wechat.answers(SESSION)
    client.code_to_session("wxacme", "s+e/c=r&t 秘", "071+/=&x")
    [request] = wechat.received
    assert (request.method, request.path, request.body) == ("GET", "/sns/jscode2session", b"")
    assert request.query == {
        "appid": "wxacme",
        "secret": "s+e/c=r&t 秘",
        "js_code": "071+/=&x",
        "grant_type": "authorization_code",
    }


def test_code_to_session_returns_the_identity_with_and_without_a_unionid(client, wechat):
    wechat.answers(SESSION)
    assert client.code_to_session("wxacme", "s", "c") == WeChatIdentity("oAlice", KEY, None)
    wechat.answers({**SESSION, "unionid": "uAlice", "errcode": 0, "errmsg": "ok", "new": [1]})
    assert client.code_to_session("wxacme", "s", "c") == WeChatIdentity("oAlice", KEY, "uAlice")


@pytest.mark.parametrize("empty", [None, ""])
def test_code_to_session_returns_an_empty_unionid_as_none(client, wechat, empty):
    wechat.answers({**SESSION, "unionid": empty})
    assert client.code_to_session("wxacme", "s", "c").unionid is None


def test_escaped_slashes_in_the_json_of_a_session_key_are_unescaped(client, wechat):
    wechat.answers(b'{"session_key":"HyVFkGl5F5OQWJZZaNz\\/\\/g==","openid":"oAlice"}')
    assert client.code_to_session("wxacme", "s", "c").session_key == "HyVFkGl5F5OQWJZZaNz//g=="


@pytest.mark.parametrize(
    "wrong",
    [
        {"openid": ""},
        {"openid": 7},
        {"openid": None},
        {"openid": "oAli\0ce"},
        {"session_key": ""},
        {"session_key": "c2hvcnQ="},
        {"session_key": "!" * 24},
        {"session_key": 7},
        {"unionid": 7},
        {"errcode": "0"},
        {"errcode": None},
        {"errcode": True},
    ],
)
def test_a_code_to_session_response_with_an_invalid_field_raises_unavailable(client, wechat, wrong):
    wechat.answers(SESSION | wrong)
    with pytest.raises(WeChatUnavailable) as caught:
        client.code_to_session("wxacme", "s", "c")
    assert caught.value.maybe_consumed


@pytest.mark.parametrize("missing", ["openid", "session_key"])
def test_a_code_to_session_response_without_a_required_field_raises_unavailable(
    client, wechat, missing
):
    wechat.answers({name: value for name, value in SESSION.items() if name != missing})
    with pytest.raises(WeChatUnavailable):
        client.code_to_session("wxacme", "s", "c")


@pytest.mark.parametrize("code", ["", "码", "\ud800", "a\nb", "x" * 513])
def test_a_malformed_code_is_rejected_without_a_call_to_wechat(client, wechat, code):
    with pytest.raises(CodeRejected):
        client.code_to_session("wxacme", "s", code)
    with pytest.raises(CodeRejected):
        client.phone_number("wxacme", "token", code)
    assert wechat.received == []


def test_the_exception_for_an_errcode_has_errcode_and_rid(client, wechat):
    wechat.answers({"errcode": 40029, "errmsg": "invalid code, rid: 63e60657-344dd3ee-28b67950"})
    with pytest.raises(CodeRejected) as caught:
        client.code_to_session("wxacme", "s", "c")
    assert (caught.value.errcode, caught.value.rid) == (40029, "63e60657-344dd3ee-28b67950")


@pytest.mark.parametrize(
    "damage", [b"\x1d", b"\x08", b"\x14", b"\t", b"\n", b"\x00", b"\xe5\xb0", b"\xff"], ids=repr
)
def test_errcode_rid_and_ip_are_read_from_a_response_with_damaged_characters_in_errmsg(
    client, wechat, damage
):
    rid = b"rid:%s 63e60657-344dd3ee-28b6%s7950" % (damage, b"" if damage in b"\t\n" else damage)
    wechat.answers(b'{"errcode":40029,"errmsg":"%sinvalid code,%s"}' % (damage, rid) + damage)
    with pytest.raises(CodeRejected) as caught:
        client.code_to_session("wxacme", "s", "c")
    assert (caught.value.errcode, caught.value.rid) == (40029, "63e60657-344dd3ee-28b67950")
    wechat.answers(b'{"errcode":40164,"errmsg":"invalid ip%s 1.2.3.4%s ipv6"}' % (damage, damage))
    with pytest.raises(AppMisconfigured) as refused:
        client.stable_token("wxacme", "s")
    assert refused.value.our_ip == "1.2.3.4"


@pytest.mark.parametrize("damage", [b"\x1d", b"\t", b"\xe5\xb0"], ids=repr)
def test_damaged_characters_are_tolerated_in_texts_and_rejected_in_openids(client, wechat, damage):
    wechat.answers(b'{"openid":"oAlice","session_key":"%s","hint":"%s"}' % (KEY.encode(), damage))
    assert client.code_to_session("wxacme", "s", "c").openid == "oAlice"
    wechat.answers(b'{"openid":"oAl%sice","session_key":"%s"}' % (damage, KEY.encode()))
    with pytest.raises(WeChatUnavailable):
        client.code_to_session("wxacme", "s", "c")


@pytest.mark.parametrize("errmsg", ["invalid code", "hints: [ req_id: X ]", "", None, 7])
def test_an_errmsg_without_a_rid_raises_the_exception_without_a_rid(client, wechat, errmsg):
    wechat.answers({"errcode": 40029, "errmsg": errmsg})
    with pytest.raises(CodeRejected) as caught:
        client.code_to_session("wxacme", "s", "c")
    assert caught.value.rid is None


def test_concurrent_logins_each_get_the_identity_of_their_own_code(client, wechat):
    wechat.answers_each(
        lambda query: SESSION | {"openid": f"o-{query['appid']}-{query['js_code']}"}
    )
    logins = [(f"wx{i % 3}", f"code{i}") for i in range(60)]
    with ThreadPoolExecutor(20) as pool:
        found = list(
            pool.map(lambda login: client.code_to_session(login[0], "s", login[1]), logins)
        )
    assert [identity.openid for identity in found] == [f"o-{app}-{code}" for app, code in logins]


@pytest.mark.parametrize("force", [False, True])
def test_stable_token_posts_json_with_a_content_length(client, wechat, force):
    wechat.answers({"access_token": "74_abc-_", "expires_in": 345})
    token = client.stable_token("wxacme", "秘/密", force_refresh=force)
    assert token == AccessToken("74_abc-_", 345)
    [request] = wechat.received
    assert (request.method, request.path) == ("POST", "/cgi-bin/stable_token")
    assert request.query == {}
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Content-Length"] == str(len(request.body))
    assert request.headers["Transfer-Encoding"] is None
    assert "秘/密".encode() in request.body
    assert json.loads(request.body) == {
        "grant_type": "client_credential",
        "appid": "wxacme",
        "secret": "秘/密",
        "force_refresh": force,
    }


@pytest.mark.parametrize(
    "wrong",
    [{"access_token": ""}, {"access_token": 1}, {"expires_in": "7200"}, {"expires_in": 0},
     {"expires_in": True}, {"expires_in": 7200.5}],
)  # fmt: skip
def test_a_stable_token_response_with_an_invalid_field_raises_unavailable(client, wechat, wrong):
    wechat.answers({"access_token": "t", "expires_in": 7200} | wrong)
    with pytest.raises(WeChatUnavailable):
        client.stable_token("wxacme", "s")


def test_phone_number_posts_code_and_openid_as_json(client, wechat):
    wechat.answers(phone_answer())
    phone = client.phone_number("wxacme", "74_to+k/en=", "e31968a7", "oAlice")
    assert phone == PhoneInfo("+85212345678", "12345678", "852", 1477314187)
    [request] = wechat.received
    assert (request.method, request.path) == ("POST", "/wxa/business/getuserphonenumber")
    assert request.query == {"access_token": "74_to+k/en="}
    assert json.loads(request.body) == {"code": "e31968a7", "openid": "oAlice"}
    assert request.headers["Content-Length"] == str(len(request.body))


def test_phone_number_without_an_openid_sends_only_the_code(client, wechat):
    wechat.answers(phone_answer())
    client.phone_number("wxacme", "token", "e31968a7")
    assert json.loads(wechat.received[0].body) == {"code": "e31968a7"}


def test_a_country_code_may_be_a_json_number(client, wechat):
    wechat.answers(phone_answer(countryCode=86))
    assert client.phone_number("wxacme", "token", "code").country_code == "86"


@pytest.mark.parametrize("watermark", [None, {}, "wxacme", {"appid": "wxglobex", "timestamp": 1}])
def test_a_phone_number_with_a_missing_or_foreign_watermark_raises_foreign_watermark(
    client, wechat, watermark
):
    wechat.answers(phone_answer(watermark=watermark))
    with pytest.raises(ForeignWatermark):
        client.phone_number("wxacme", "token", "code")


@pytest.mark.parametrize(
    "wrong",
    [{"phoneNumber": 1}, {"purePhoneNumber": 1},
     {"watermark": {"appid": "wxacme"}},
     {"watermark": {"appid": "wxacme", "timestamp": "1"}}],
)  # fmt: skip
def test_a_phone_number_response_with_an_invalid_field_raises_unavailable(client, wechat, wrong):
    wechat.answers(phone_answer(**wrong))
    with pytest.raises(WeChatUnavailable):
        client.phone_number("wxacme", "token", "code")


@pytest.mark.parametrize("field", ["phoneNumber", "purePhoneNumber"])
@pytest.mark.parametrize("number", ["", " ", None])
def test_an_empty_phone_number_raises_phone_number_missing(client, wechat, field, number):
    wechat.answers(phone_answer(**{field: number}))
    with pytest.raises(PhoneNumberMissing):
        client.phone_number("wxacme", "token", "code")


@pytest.mark.parametrize("phone_info", [{}, None])
def test_a_missing_or_empty_phone_info_raises_phone_number_missing(client, wechat, phone_info):
    for answer in ({"errcode": 0, "phone_info": phone_info}, {"errcode": 0, "errmsg": "ok"}):
        wechat.answers(answer)
        with pytest.raises(PhoneNumberMissing):
            client.phone_number("wxacme", "token", "code")


@pytest.mark.parametrize("code", ["", None])
def test_a_missing_or_empty_country_code_raises_phone_country_missing(client, wechat, code):
    answer = phone_answer(countryCode=code)
    wechat.answers(answer)
    with pytest.raises(PhoneCountryMissing):
        client.phone_number("wxacme", "token", "code")
    del answer["phone_info"]["countryCode"]
    wechat.answers(answer)
    with pytest.raises(PhoneCountryMissing):
        client.phone_number("wxacme", "token", "code")


@pytest.mark.parametrize("code", ["CN", "+", "++86", "8 6", "\uff18\uff16", 86.5, True, [86]])
def test_a_country_code_that_is_not_a_number_raises_phone_country_missing(client, wechat, code):
    wechat.answers(phone_answer(countryCode=code))
    with pytest.raises(PhoneCountryMissing):
        client.phone_number("wxacme", "token", "code")


@pytest.mark.parametrize("code", ["86", "+86", 86, " +86 "])
def test_a_plus_sign_in_a_country_code_is_removed(client, wechat, code):
    wechat.answers(phone_answer(countryCode=code))
    assert client.phone_number("wxacme", "token", "code").country_code == "86"


def test_the_watermark_is_checked_before_an_empty_phone_number(client, wechat):
    wechat.answers(phone_answer(phoneNumber="", watermark={"appid": "wxglobex", "timestamp": 1}))
    with pytest.raises(ForeignWatermark):
        client.phone_number("wxacme", "token", "code")


@pytest.mark.parametrize("answer", [{}, {"phone_info": []}, {"phone_info": None}])
def test_a_response_without_errcode_and_phone_info_raises_unavailable(client, wechat, answer):
    wechat.answers(answer)
    with pytest.raises(WeChatUnavailable):
        client.phone_number("wxacme", "token", "code")


@pytest.mark.parametrize("errcode", [40003, 40013, 40029])
def test_errcodes_for_a_phone_code_of_another_person_or_app_raise_code_rejected(
    client, wechat, errcode
):
    wechat.answers({"errcode": errcode})
    with pytest.raises(CodeRejected):
        client.phone_number("wxacme", "token", "code", "oAlice")


def test_errcode_40001_raises_access_token_rejected_only_if_a_token_was_sent(client, wechat):
    wechat.answers({"errcode": 40001})
    with pytest.raises(AppMisconfigured):
        client.code_to_session("wxacme", "s", "c")
    with pytest.raises(AppMisconfigured):
        client.stable_token("wxacme", "s")
    with pytest.raises(AccessTokenRejected):
        client.phone_number("wxacme", "token", "c")


@pytest.fixture
def watched_client(wechat):
    """Return a client with a watcher, and the list of the calls that the watcher recorded."""
    calls = []

    def watch(appid, call, seconds, answered, errcode):
        assert 0 < seconds < 5
        calls.append((appid, call, answered, errcode))

    client = WeChatClient(wechat.url, watch)
    yield client, calls
    client.close()


def test_the_watcher_records_every_call_with_appid_api_and_errcode(watched_client, wechat):
    client, calls = watched_client
    wechat.answers({"errcode": 40029, "errmsg": "invalid code"})
    with pytest.raises(CodeRejected):
        client.code_to_session("wxacme", "s", "c")
    wechat.answers({"access_token": "t", "expires_in": 7200})
    client.stable_token("wxacme", "s")
    wechat.answers(phone_answer())
    client.phone_number("wxacme", "t", "c")
    errcodes = {"login": 40029, "token": 0, "phone": 0}
    assert calls == [("wxacme", call, True, errcode) for call, errcode in errcodes.items()]


def test_the_watcher_is_not_called_for_a_malformed_code(watched_client):
    client, calls = watched_client
    with pytest.raises(CodeRejected):
        client.code_to_session("wxacme", "s", "c" * 513)
    assert calls == []


@pytest.mark.parametrize(
    ("how", "answered"), [({"drops_connection": True}, False), ({"status": 500}, True)]
)
def test_the_watcher_is_told_whether_wechat_sent_a_response(watched_client, wechat, how, answered):
    client, calls = watched_client
    wechat.answers({}, **how)
    with pytest.raises(WeChatUnavailable):
        client.code_to_session("wxacme", "s", "c")
    assert calls == [("wxacme", "login", answered, None)]
