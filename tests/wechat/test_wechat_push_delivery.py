"""Deliveries of the message push: what is believed, what is refused, and what is read of it."""

import base64
import json
import struct
from pathlib import Path

import pytest
from Crypto.Cipher import AES

from app.wechat import (
    ForeignPush,
    MalformedPush,
    PushError,
    PushKeyMissing,
    PushQuery,
    PushSecrets,
    PushSignatureMismatch,
    StalePush,
    UnencryptedPush,
    encrypt_message,
    encrypted_reply,
    message_signature,
    open_push,
    plain_signature,
    read_push,
    verify_url,
)

VECTORS = json.loads(Path(__file__).with_name("wechat_vectors.json").read_text("utf-8"))
SAFE, REPLY = VECTORS["push"][:2]
SECRETS = PushSecrets(SAFE["token"], SAFE["key"])
IN_THE_CLEAR = PushSecrets(SAFE["token"])
NOW = int(SAFE["ts"])
EVENT = {"MsgType": "event", "Event": "debug_demo", "CreateTime": NOW, "FromUserName": "oAlice"}
# 授权用户信息变更, as its page has it, with the blank in OpenPID.
REVOKED = (
    '{"ToUserName":"gh_870882ca4b1","FromUserName":"oaKk346BaWE-eIn4oSRWbaM9vR7s",'
    '"CreateTime":1627359464,"MsgType":"event","Event":"user_authorization_revoke",'
    '"OpenID":"oaKk343WOktAaT2ygsX138BGblrg","AppID":"wx13974bf780d3dc89","RevokeInfo":"1",'
    '"PluginID":"wx13974bf780d3dc89","OpenPID":" G7esq5NVzP76HIHoB95t4CVBP6to"}'
)


def query_of(vector, **changes):
    given = {"timestamp": vector["ts"], "nonce": vector["nonce"], "msg_signature": vector["sig"]}
    return PushQuery(**{**given, **changes})


def in_json(encrypt=SAFE["enc"], **more):
    return json.dumps({"ToUserName": "gh_97417a04a28d", "Encrypt": encrypt, **more}).encode()


def sealed(message, appid=SAFE["appid"]):
    """Give a body and the query that belongs to it."""
    encrypt = encrypt_message(SAFE["key"], message, appid)
    return in_json(encrypt), signed(encrypt)


def signed(encrypt, timestamp=SAFE["ts"]):
    signature = message_signature(SAFE["token"], timestamp, "nonce", encrypt)
    return PushQuery(timestamp, "nonce", msg_signature=signature)


def clear_query(timestamp=SAFE["ts"], token=SAFE["token"]):
    return PushQuery(timestamp, "nonce", signature=plain_signature(token, timestamp, "nonce"))


# The documented examples


@pytest.mark.parametrize(
    "body",
    [
        in_json(),
        f"<xml><ToUserName><![CDATA[gh_97417a04a28d]]></ToUserName>"
        f"<Encrypt><![CDATA[{SAFE['enc']}]]></Encrypt></xml>".encode(),
    ],
    ids=["json", "xml"],
)
def test_the_documented_push_is_read(body):
    """Otherwise WeChat's own example does not arrive."""
    push = open_push(body, query_of(SAFE), SECRETS, SAFE["appid"], NOW)
    assert (push.event, push.created_at) == ("debug_demo", 1714112445)
    assert push.from_user == "o9AgO5Kd5ggOC-bXrbNODIiE3bGY"
    assert json.loads(push.message)["debug_str"] == "hello world"


def test_the_documented_reply_is_written():
    """Otherwise WeChat refuses what we answer."""
    encrypt = encrypt_message(
        REPLY["key"], '{"demo_resp":"good luck"}', REPLY["appid"], b"707722b803182950"
    )
    reply = json.loads(encrypted_reply(encrypt, REPLY["token"], int(REPLY["ts"]), REPLY["nonce"]))
    assert reply == {
        "Encrypt": REPLY["enc"],
        "MsgSignature": REPLY["sig"],
        "TimeStamp": int(REPLY["ts"]),
        "Nonce": REPLY["nonce"],
    }


@pytest.mark.parametrize("vector", VECTORS["plain_sig"], ids=lambda vector: vector["name"])
def test_the_documented_url_verifications_are_accepted(vector):
    """Otherwise the URL cannot be entered in WeChat's console."""
    query = PushQuery(vector["ts"], vector["nonce"], signature=vector["sig"])
    verify_url(query, PushSecrets(vector["token"]), int(vector["ts"]))
    with pytest.raises(PushSignatureMismatch):
        verify_url(query, PushSecrets("another"), int(vector["ts"]))


# Who is believed


def test_the_plain_signature_does_not_open_an_encrypted_push():
    """Otherwise anybody who sees one address can put any body under it."""
    with pytest.raises(PushSignatureMismatch):
        open_push(
            in_json(),
            query_of(SAFE, signature=SAFE["plainsig"], msg_signature=SAFE["plainsig"]),
            SECRETS,
            SAFE["appid"],
            NOW,
        )


def test_the_clear_half_beside_encrypt_is_never_read():
    """Otherwise compatible mode is as weak as plain mode."""
    body = in_json(**EVENT | {"Event": "user_authorization_cancellation", "OpenID": "oBob"})
    push = open_push(body, query_of(SAFE), SECRETS, SAFE["appid"], NOW)
    assert (push.event, push.openid) == ("debug_demo", None)


@pytest.mark.parametrize("encrypt", [None, {}])
def test_a_clear_push_to_an_app_with_a_key_is_refused(encrypt):
    """Otherwise leaving Encrypt out is a way around it."""
    fields = EVENT if encrypt is None else EVENT | {"Encrypt": None}
    with pytest.raises(UnencryptedPush):
        open_push(json.dumps(fields).encode(), clear_query(), SECRETS, SAFE["appid"], NOW)


def test_an_encrypted_push_to_an_app_without_its_key_is_the_operators_matter():
    """Otherwise the clear half is believed, or an operator never learns what is missing."""
    with pytest.raises(PushKeyMissing):
        open_push(in_json(**EVENT), clear_query(), IN_THE_CLEAR, SAFE["appid"], NOW)


def test_a_push_sealed_for_another_app_is_refused():
    """Otherwise a push of one app can be delivered to another with the same secrets."""
    for appid in ("wxother", SAFE["appid"] + "1", SAFE["appid"][:-1]):
        body, query = sealed(json.dumps(EVENT), appid)
        with pytest.raises(ForeignPush):
            open_push(body, query, SECRETS, SAFE["appid"], NOW)


@pytest.mark.parametrize(("off", "is_fresh"), [(300, True), (301, False), (86400, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_only_fresh_signatures_are_taken(off, is_fresh, sign):
    """Otherwise a recorded push can be played again for ever."""
    now = NOW + sign * off
    attempts = [
        lambda: open_push(in_json(), query_of(SAFE), SECRETS, SAFE["appid"], now),
        lambda: open_push(json.dumps(EVENT).encode(), clear_query(), IN_THE_CLEAR, "wx", now),
        lambda: verify_url(clear_query(), SECRETS, now),
    ]
    for attempt in attempts:
        if is_fresh:
            attempt()
        else:
            with pytest.raises(StalePush):
                attempt()


@pytest.mark.parametrize("timestamp", ["", "0", "-1", "soon", "1714112445.0", "01714112445", "١"])
def test_a_timestamp_that_is_none_is_stale(timestamp):
    """Otherwise nonsense is a way around the freshness, or a crash."""
    with pytest.raises(StalePush):
        verify_url(clear_query(timestamp), SECRETS, NOW)


# What cannot be read


def with_padding(end):
    """Seal a message whose last bytes are these, whatever padding they are."""
    message, appid = b'{"Event":"x"}', SAFE["appid"].encode()
    content = b"r" * 16 + struct.pack(">I", len(message)) + message + appid
    content += b"\0" * (-(len(content) + len(end)) % 32) + end
    key = base64.b64decode(SAFE["key"] + "=")
    encrypt = AES.new(key, AES.MODE_CBC, key[:16]).encrypt(content)
    return base64.b64encode(encrypt).decode()


@pytest.mark.parametrize(
    "end",
    [b"\0", b"\x21" * 33, b"\xff" * 255, *(bytes([n]) * (n - 1) for n in range(2, 33))],
    ids=lambda end: f"{len(end)}x{end[0]}",
)
def test_wrong_padding_is_malformed(end):
    """Otherwise damage is read as a message, or crashes us."""
    encrypt = with_padding(end)
    with pytest.raises(MalformedPush):
        open_push(in_json(encrypt), signed(encrypt), SECRETS, SAFE["appid"], NOW)


def test_every_right_padding_is_read():
    """Otherwise every other message is lost, as with an unpadder of 16."""
    lengths = set()
    for extra in range(32):
        body, query = sealed(json.dumps(EVENT | {"x": "x" * extra}))
        lengths.add(len(base64.b64decode(json.loads(body)["Encrypt"])))
        assert open_push(body, query, SECRETS, SAFE["appid"], NOW).event == "debug_demo"
    assert len(lengths) == 2


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><xml><Event>&c;</Event></xml>'
)
UNREADABLE = {
    "nothing": b"",
    "blanks": b" \n\t",
    "no markup": b"Event=debug_demo",
    "null": b"null",
    "array": b"[]",
    "cut off": b'{"Event":"x"',
    "cut off XML": b"<xml><Event>x</Event>",
    "two documents": b"<xml></xml><xml></xml>",
    "not UTF-8": b'{"Event":"\xff"}',
    "not UTF-8 in XML": b"<xml><Event>\xff</Event></xml>",
    "UTF-16": "<xml><Event>x</Event></xml>".encode("utf-16"),
    "NUL": b"<xml><Event>x\0</Event></xml>",
    "NUL by number": b"<xml><Event>x&#0;</Event></xml>",
    "NUL in JSON": b'{"Event":"x\\u0000y"}',
    "half a character": b'{"Event":"\\ud800"}',
    "entity": b'<!DOCTYPE x [<!ENTITY a "x">]><xml><Event>&a;</Event></xml>',
    "file": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Event>&a;</Event></xml>',
    "DTD elsewhere": b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><xml><Event>x</Event></xml>',
    "bomb": BOMB.encode(),
    "deep XML": b"<a>" * 15_000,
    "deep JSON": b'{"a":' * 10_000,
    "huge number": b'{"CreateTime":' + b"9" * 5_000 + b"}",
    "time is not a number": b'{"Event":"x","CreateTime":NaN}',
    "message id is a fraction": b'{"Event":"x","MsgId":1.0}',
    "message id is endless": b'{"Event":"x","MsgId":"' + b"9" * 600 + b'"}',
    "nested": b'{"xml":{"Event":"x"}}',
    "event in an array": b'{"Event":["x"]}',
    "deeper XML": b"<xml><xml><Event>x</Event></xml></xml>",
    "another namespace": b'<xml xmlns="a"><Event>x</Event></xml>',
    "no event": b'{"CreateTime":1714112445}',
    "event is an object": b'{"Event":{}}',
    "event is true": b'{"Event":true}',
    "event is endless": b'{"Event":"' + b"x" * 513 + b'"}',
    "event is Chinese": '{"Event":"事件"}'.encode(),
    "time is no number": b'{"Event":"x","CreateTime":"soon"}',
    "time is a fraction": b'{"Event":"x","CreateTime":1.5}',
    "time is negative": b'{"Event":"x","CreateTime":-1}',
    "openid is an array": b'{"Event":"x","OpenID":["o"]}',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_malformed_in_the_clear_and_encrypted(body):
    """Otherwise somebody finds a body that crashes us, reads a file or eats the memory."""
    with pytest.raises(MalformedPush):
        open_push(body, clear_query(), IN_THE_CLEAR, "wx", NOW)
    try:
        inside, query = sealed(body.decode())
    except UnicodeDecodeError:
        return
    with pytest.raises(MalformedPush):
        open_push(inside, query, SECRETS, SAFE["appid"], NOW)


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_envelope_is_refused(body):
    """Otherwise anybody, without a signature, crashes us."""
    with pytest.raises(PushError):
        open_push(body, query_of(SAFE), SECRETS, SAFE["appid"], NOW)


@pytest.mark.parametrize("encrypt", [1, True, [], {"a": "b"}])
def test_an_encrypt_that_is_no_text_is_malformed(encrypt):
    """Otherwise it is hashed or decoded as something else."""
    with pytest.raises(MalformedPush):
        open_push(in_json(encrypt), query_of(SAFE), SECRETS, SAFE["appid"], NOW)


def test_deep_but_whole_xml_does_no_harm():
    """Otherwise a parser that recurses takes the process down."""
    body = b"<xml>" + b"<a>" * 9_000 + b"</a>" * 9_000 + b"<Event>x</Event></xml>"
    assert open_push(body, clear_query(), IN_THE_CLEAR, "wx", NOW).event == "x"


@pytest.mark.parametrize("encoding", ["GBK", "UTF-16", "UTF-7", "latin-1", "nonsense"])
def test_xml_is_utf_8_whatever_it_says(encoding):
    """Otherwise the signed bytes are read as other characters, or a codec crashes us."""
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    body = f"{head}<xml><Event>x</Event><OpenID>+ADw-</OpenID><Content>小花</Content></xml>"
    push = open_push(body.encode(), clear_query(), IN_THE_CLEAR, "wx", NOW)
    assert (push.event, push.openid, push.message) == ("x", "+ADw-", body)


# What is read


def test_a_compliance_event_is_read_whole():
    """Otherwise the wrong person's data is erased, or nobody's."""
    push = read_push(REVOKED)
    assert push.event == "user_authorization_revoke"
    assert push.openid == "oaKk343WOktAaT2ygsX138BGblrg"
    assert (push.appid, push.plugin_id) == ("wx13974bf780d3dc89", "wx13974bf780d3dc89")
    assert push.open_pid == "G7esq5NVzP76HIHoB95t4CVBP6to"
    assert (push.created_at, push.revoke_infos) == (1627359464, (1,))
    assert (push.unionid, push.msg_id) == (None, None)
    assert not {"oaKk343WOktAaT2ygsX138BGblrg", "oaKk346BaWE-eIn4oSRWbaM9vR7s"} & set(
        repr(push).split("'")
    )


def test_xml_says_the_same_as_json():
    """Otherwise an app set to XML obeys other rules."""
    fields = json.loads(REVOKED)
    as_xml = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    quirk = as_xml.replace("<OpenPID>", "< OpenPID>").replace("</Event>", "</ Event>")
    names = ("event", "openid", "created_at", "revoke_infos", "plugin_id", "open_pid", "key")
    wanted = [getattr(read_push(REVOKED), name) for name in names]
    for text in (f"<xml>{as_xml}</xml>", f"\ufeff \n<xml>{quirk}</xml>".strip("\ufeff")):
        assert [getattr(read_push(text), name) for name in names] == wanted


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ('"8"', (8,)),
        ("8", (8,)),
        ('" 6 "', (6,)),
        ('"6,19, 20"', (6, 19, 20)),
        ('"301"', (301,)),
        ('""', ()),
        ("null", ()),
        ('"all"', ()),
        ('"8;9"', ()),
        ('","', ()),
        ('"-8"', ()),
    ],
)
def test_what_was_withdrawn_is_numbers_or_nothing(given, read):
    """Otherwise an unknown spelling crashes us, or is taken for a number that it is not."""
    push = read_push(REVOKED.replace('"RevokeInfo":"1"', f'"RevokeInfo":{given}'))
    assert push.revoke_infos == read


def test_a_message_that_is_no_event_is_named_by_its_kind():
    """Otherwise customers' messages are malformed."""
    push = read_push('{"MsgType":"text","Content":"小花","MsgId":9007199254740993}')
    assert (push.event, push.msg_id) == ("text", "9007199254740993")
    assert "小花" not in repr(push)


def key_with(**changes):
    return read_push(json.dumps(json.loads(REVOKED) | changes)).key


def test_a_compliance_event_is_told_apart_by_whom_and_what_it_is_about():
    """Otherwise two people who withdraw in one second are one, and the second one's data stays."""
    same = key_with()
    assert key_with(FromUserName="oAnother", ToUserName="gh_x", UnionID="o") == same
    changes = [
        {"OpenID": "oBob"},
        {"CreateTime": 1627359465},
        {"RevokeInfo": "8"},
        {"PluginID": "wx2"},
        {"OpenPID": "oP"},
        {"Event": "user_authorization_cancellation"},
    ]
    keys = {key_with(**change) for change in changes}
    assert len(keys | {same}) == 7


def test_other_messages_are_told_apart_by_id_or_by_sender_and_time():
    """Otherwise a repetition is handled twice, or two messages are taken for one."""

    def key(**fields):
        return read_push(json.dumps(EVENT | fields)).key

    assert key(MsgId=1) == key(MsgId="1", CreateTime=NOW + 5)
    keys = {key(), key(MsgId=1), key(MsgId=2), key(CreateTime=NOW + 1), key(FromUserName="oBob")}
    keys |= {key(Event="another"), key(CreateTime=None), key(CreateTime=None, debug_str="x")}
    assert len(keys) == 8
