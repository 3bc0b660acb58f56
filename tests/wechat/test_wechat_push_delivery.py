"""Verification and parsing of push deliveries."""

import base64
import json
import random
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from Crypto.Cipher import AES
from Crypto.Util.Padding import pad

from app.wechat import (
    ForeignPush,
    IncompletePush,
    MalformedPush,
    PushError,
    PushKeyMissing,
    PushQuery,
    PushSecrets,
    PushSignatureMismatch,
    StalePush,
    UndecryptablePush,
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
PLAIN_SECRETS = PushSecrets(SAFE["token"])
NOW = int(SAFE["ts"])
EVENT = {"MsgType": "event", "Event": "debug_demo", "CreateTime": NOW, "FromUserName": "oAlice"}
# The documented event 授权用户信息变更, with the space in OpenPID.
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
    """Return a body with the encrypted message, and the query with its signature."""
    content = message.encode() if isinstance(message, str) else message
    full = b"r" * 16 + struct.pack(">I", len(content)) + content + appid.encode()
    key = base64.b64decode(SAFE["key"] + "=")
    encrypted = AES.new(key, AES.MODE_CBC, key[:16]).encrypt(pad(full, 32))
    encrypt = base64.b64encode(encrypted).decode()
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
    push = open_push(body, query_of(SAFE), SECRETS, SAFE["appid"], NOW)
    assert (push.event, push.created_at) == ("debug_demo", 1714112445)
    assert push.from_user == "o9AgO5Kd5ggOC-bXrbNODIiE3bGY"
    assert json.loads(push.message)["debug_str"] == "hello world"


def test_the_documented_reply_is_written():
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
    query = PushQuery(vector["ts"], vector["nonce"], signature=vector["sig"])
    verify_url(query, PushSecrets(vector["token"]), int(vector["ts"]))
    with pytest.raises(PushSignatureMismatch):
        verify_url(query, PushSecrets("another"), int(vector["ts"]))


# Verification


def test_the_plain_signature_is_rejected_for_an_encrypted_push():
    """The plain signature does not cover the body."""
    with pytest.raises(PushSignatureMismatch):
        open_push(
            in_json(),
            query_of(SAFE, signature=SAFE["plainsig"], msg_signature=SAFE["plainsig"]),
            SECRETS,
            SAFE["appid"],
            NOW,
        )


def test_plain_fields_beside_encrypt_are_ignored():
    body = in_json(**EVENT | {"Event": "user_authorization_cancellation", "OpenID": "oBob"})
    push = open_push(body, query_of(SAFE), SECRETS, SAFE["appid"], NOW)
    assert (push.event, push.openid) == ("debug_demo", None)


@pytest.mark.parametrize("encrypt", [None, {}])
def test_a_plain_push_to_an_app_with_a_key_is_rejected(encrypt):
    fields = EVENT if encrypt is None else EVENT | {"Encrypt": None}
    with pytest.raises(UnencryptedPush):
        open_push(json.dumps(fields).encode(), clear_query(), SECRETS, SAFE["appid"], NOW)


def test_an_encrypted_push_to_an_app_without_a_key_has_its_own_error():
    with pytest.raises(PushKeyMissing):
        open_push(in_json(**EVENT), clear_query(), PLAIN_SECRETS, SAFE["appid"], NOW)


def test_a_push_encrypted_for_another_app_is_rejected():
    for appid in ("wxother", SAFE["appid"] + "1", SAFE["appid"][:-1]):
        body, query = sealed(json.dumps(EVENT), appid)
        with pytest.raises(ForeignPush):
            open_push(body, query, SECRETS, SAFE["appid"], NOW)


@pytest.mark.parametrize(("off", "is_fresh"), [(300, True), (301, False), (86400, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_signature_older_than_five_minutes_is_rejected(off, is_fresh, sign):
    now = NOW + sign * off
    attempts = [
        lambda: open_push(in_json(), query_of(SAFE), SECRETS, SAFE["appid"], now),
        lambda: open_push(json.dumps(EVENT).encode(), clear_query(), PLAIN_SECRETS, "wx", now),
        lambda: verify_url(clear_query(), SECRETS, now),
    ]
    for attempt in attempts:
        if is_fresh:
            attempt()
        else:
            with pytest.raises(StalePush):
                attempt()


@pytest.mark.parametrize("timestamp", ["", "0", "-1", "soon", "1714112445.0", "01714112445", "١"])
def test_an_invalid_timestamp_is_stale(timestamp):
    with pytest.raises(StalePush):
        verify_url(clear_query(timestamp), SECRETS, NOW)


# Unreadable bodies


def with_padding(end):
    """Encrypt a message that ends in the given bytes instead of its padding."""
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
def test_wrong_padding_is_undecryptable(end):
    encrypt = with_padding(end)
    with pytest.raises(UndecryptablePush):
        open_push(in_json(encrypt), signed(encrypt), SECRETS, SAFE["appid"], NOW)


def test_every_valid_padding_is_accepted():
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
UNPARSABLE = {
    "nothing": b"",
    "blanks": b" \n\t",
    "no markup": b"Event=debug_demo",
    "null": b"null",
    "array": b"[]",
    "cut off": b'{"Event":"x"',
    "cut off in a character": '{"Event":"x","Content":"小'.encode()[:-1],
    "cut off XML": b"<xml><Event>x</Event>",
    "two documents": b"<xml></xml><xml></xml>",
    "UTF-16": "<xml><Event>x</Event></xml>".encode("utf-16"),
    "UTF-16 JSON": '{"Event":"x"}'.encode("utf-16"),
    "entity": b'<!DOCTYPE x [<!ENTITY a "x">]><xml><Event>&a;</Event></xml>',
    "file": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Event>&a;</Event></xml>',
    "DTD elsewhere": b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><xml><Event>x</Event></xml>',
    "bomb": BOMB.encode(),
    "deep XML": b"<a>" * 15_000,
    "deep JSON": b'{"a":' * 10_000,
    "huge number": b'{"CreateTime":' + b"9" * 5_000 + b"}",
    "open CDATA": b"<xml><Event>" + b"<![CDATA[" * 7_000,
}
INCOMPLETE = {
    "not UTF-8": (b'{"Event":"\xff"}', "Event"),
    "not UTF-8 in XML": (b"<xml><Event>\xff</Event></xml>", "Event"),
    "half a character": (b'{"Event":"\\ud800"}', "Event"),
    "time is not a number": (b'{"Event":"x","CreateTime":NaN}', "CreateTime"),
    "message id is a fraction": (b'{"Event":"x","MsgId":1.0}', "MsgId"),
    "message id is endless": (b'{"Event":"x","MsgId":"' + b"9" * 600 + b'"}', "MsgId"),
    "nested": (b'{"xml":{"Event":"x"}}', "Event"),
    "event in an array": (b'{"Event":["x"]}', "Event"),
    "deeper XML": (b"<xml><xml><Event>x</Event></xml></xml>", "Event"),
    "another namespace": (b'<xml xmlns="a"><Event>x</Event></xml>', "Event"),
    "no event": (b'{"CreateTime":1714112445}', "Event"),
    "two events": (b"<xml><Event>x</Event><Event>y</Event></xml>", "Event"),
    "event is an object": (b'{"Event":{}}', "Event"),
    "event is true": (b'{"Event":true}', "Event"),
    "event is endless": (b'{"Event":"' + b"x" * 513 + b'"}', "Event"),
    "event is Chinese": ('{"Event":"事件"}'.encode(), "Event"),
    "time is no number": (b'{"Event":"x","CreateTime":"soon"}', "CreateTime"),
    "time is a fraction": (b'{"Event":"x","CreateTime":1.5}', "CreateTime"),
    "time is negative": (b'{"Event":"x","CreateTime":-1}', "CreateTime"),
    "openid is an array": (b'{"Event":"x","OpenID":["o"]}', "OpenID"),
}
UNREADABLE = UNPARSABLE | {name: body for name, (body, _) in INCOMPLETE.items()}


def refused(body, kind):
    """Deliver a body in plain mode and encrypted. Return the reasons of both errors."""
    with pytest.raises(kind) as plain:
        open_push(body, clear_query(), PLAIN_SECRETS, "wx", NOW)
    inside, query = sealed(body)
    with pytest.raises(kind) as encrypted:
        open_push(inside, query, SECRETS, SAFE["appid"], NOW)
    return plain.value.reason, encrypted.value.reason


@pytest.mark.parametrize("body", UNPARSABLE.values(), ids=UNPARSABLE)
def test_a_body_that_is_neither_json_nor_xml_is_malformed(body):
    """Entities are not expanded, files and URLs are not fetched, and nesting is limited."""
    assert refused(body, MalformedPush) == ("", "")


@pytest.mark.parametrize(("body", "field"), INCOMPLETE.values(), ids=INCOMPLETE)
def test_a_push_with_a_missing_or_wrong_field_is_incomplete(body, field):
    """The reason names the field."""
    assert refused(body, IncompletePush) == (f"missing or wrong: {field}",) * 2


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_envelope_is_rejected(body):
    with pytest.raises(PushError):
        open_push(body, query_of(SAFE), SECRETS, SAFE["appid"], NOW)


@pytest.mark.parametrize("body", [*UNREADABLE.values(), in_json(), in_json(1), in_json(**EVENT)])
@pytest.mark.parametrize("signature", ["", "0" * 40, SAFE["plainsig"]])
def test_every_unsigned_body_gets_the_same_error(body, signature):
    """This holds with and without an EncodingAESKey."""
    query = PushQuery(SAFE["ts"], "another nonce", signature=signature, msg_signature=signature)
    for secrets in (SECRETS, PLAIN_SECRETS):
        with pytest.raises(PushSignatureMismatch):
            open_push(body, query, secrets, SAFE["appid"], NOW)


@pytest.mark.parametrize("encrypt", [1, True, [], {"a": "b"}])
def test_an_encrypt_other_than_a_text_is_rejected(encrypt):
    with pytest.raises(IncompletePush) as caught:
        open_push(in_json(encrypt), clear_query(), SECRETS, SAFE["appid"], NOW)
    assert caught.value.reason == "missing or wrong: Encrypt"


def test_damage_in_encrypt_is_not_dropped_before_verification():
    for damage in (b"\x1d", b"\xe5", b"\xef\xbf\xbd"):
        for head, tail in ((b'{"Encrypt":"', b'"}'), (b"<xml><Encrypt>", b"</Encrypt></xml>")):
            body = head + SAFE["enc"][:9].encode() + damage + SAFE["enc"][9:].encode() + tail
            with pytest.raises(PushSignatureMismatch):
                open_push(body, query_of(SAFE), SECRETS, SAFE["appid"], NOW)


# Damaged text


CONTROLS = [bytes([code]) for code in (*range(1, 0x20), 0x7F)]
CUT = [b"\xe5", b"\xe5\xb0", b"\xf0\x9f\x8c", b"\xc3", b"\xff", b"\x00"]
FORMS = {
    "json": b'{"MsgType":"event","Event":"revo%ske","CreateTime":1714112445,"OpenID":"oAl%sice",'
    b'"Content":"\xe8\x8a%s\xb1 hello%s"}',
    "xml": b"<xml><MsgType>event</MsgType><Event>revo%ske</Event><CreateTime>1714112445"
    b"</CreateTime><OpenID><![CDATA[oAl%sice]]></OpenID><Content>\xe8\x8a%s\xb1 hello%s"
    b"</Content></xml>",
}


def read_both_ways(body):
    """Read a body in plain mode and encrypted, and check that the results are equal."""
    clear = open_push(body, clear_query(), PLAIN_SECRETS, "wx", NOW)
    inside, query = sealed(body)
    assert open_push(inside, query, SECRETS, SAFE["appid"], NOW) == clear
    return clear


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("damage", CONTROLS + CUT, ids=repr)
def test_damaged_characters_are_dropped_from_a_push(form, damage):
    """The stored message contains no damage, and can be parsed again."""
    push = read_both_ways(form % ((damage,) * 4))
    assert (push.event, push.openid, push.created_at) == ("revoke", "oAlice", NOW)
    assert "hello" in push.message
    assert "\ufffd" not in push.message
    again = read_push(push.message)
    assert (again.event, again.openid, again.key) == (push.event, push.openid, push.key)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_damage_around_the_body_and_a_byte_order_mark_are_dropped(form):
    whole = form % ((b"",) * 4)
    for body in (b"\xef\xbb\xbf" + whole, b"\x08" + whole, whole + b"\xe5\xb0", whole + b"\0\0"):
        assert read_both_ways(body).openid == "oAlice"


@pytest.mark.parametrize(
    "reference",
    ["&#x1d;", "&#29;", "&#0;", "&#x0;", "&#xD800;", "&#xFFFF;", "&#1114112;", f"&#{'9' * 5000};"],
    ids=lambda text: text[:12],
)
def test_references_to_illegal_characters_are_dropped(reference):
    """A reference is another spelling of an illegal character in XML."""
    body = f"<xml><Event>x</Event><OpenID>oAl{reference}ice</OpenID></xml>"
    assert read_both_ways(body.encode()).openid == "oAlice"


def test_legal_references_and_cdata_are_unchanged():
    """Text in a CDATA section may look like a reference or a tag."""
    body = "<xml><Event>&#x64;&#101;mo</Event><C><![CDATA[&#x1d; < b]]></C></xml>"
    push = read_both_ways(body.encode())
    assert (push.event, push.message) == ("demo", body)
    in_json_form = json.dumps({"Event": "demo", "C": "&#x1d; < b"})
    assert read_push(in_json_form).key == push.key


def test_escaped_control_characters_in_json_are_dropped():
    push = read_push('{"Event":"x\\u0000y","OpenID":"oAl\\u001d\\ud83dice\\u007f"}')
    assert (push.event, push.openid) == ("xy", "oAlice")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_random_damage_raises_only_documented_errors(form):
    rng, whole, read = random.Random(26), form % ((b"",) * 4), 0
    for _ in range(1_500):
        body = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        with suppress(PushError):
            push = open_push(bytes(body), clear_query(), PLAIN_SECRETS, "wx", NOW)
            assert read_push(push.message).key == push.key
            read += 1
    assert read > 100


def test_deeply_nested_xml_is_read():
    body = b"<xml>" + b"<a>" * 9_000 + b"</a>" * 9_000 + b"<Event>x</Event></xml>"
    assert open_push(body, clear_query(), PLAIN_SECRETS, "wx", NOW).event == "x"


@pytest.mark.parametrize("depth", range(100, 2_000, 100))
def test_deeply_nested_json_is_read_or_malformed(depth):
    body = b'{"Event":"x","a":' + b"[1," * depth + b"2" + b"]" * depth + b"}"
    with suppress(MalformedPush):
        assert open_push(body, clear_query(), PLAIN_SECRETS, "wx", NOW).event == "x"


@pytest.mark.parametrize("encoding", ["GBK", "UTF-16", "UTF-7", "latin-1", "nonsense"])
def test_xml_is_decoded_as_utf_8_despite_its_declaration(encoding):
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    body = f"{head}<xml><Event>x</Event><OpenID>+ADw-</OpenID><Content>小花</Content></xml>"
    push = open_push(body.encode(), clear_query(), PLAIN_SECRETS, "wx", NOW)
    assert (push.event, push.openid, push.message) == ("x", "+ADw-", body)


# Parsing


def test_every_field_of_a_compliance_event_is_read():
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


def test_xml_and_json_give_the_same_push():
    fields = json.loads(REVOKED)
    as_xml = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    quirk = as_xml.replace("<OpenPID>", "< OpenPID>").replace("</Event>", "</ Event>")
    names = ("event", "openid", "created_at", "revoke_infos", "plugin_id", "open_pid", "key")
    expected = [getattr(read_push(REVOKED), name) for name in names]
    for text in (f"<xml>{as_xml}</xml>", f"\ufeff \n<xml>{quirk}</xml>".strip("\ufeff")):
        assert [getattr(read_push(text), name) for name in names] == expected


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
def test_an_invalid_revoke_info_is_read_as_empty(given, read):
    push = read_push(REVOKED.replace('"RevokeInfo":"1"', f'"RevokeInfo":{given}'))
    assert push.revoke_infos == read


def test_a_message_other_than_an_event_is_named_by_its_type():
    push = read_push('{"MsgType":"text","Content":"小花","MsgId":9007199254740993}')
    assert (push.event, push.msg_id) == ("text", "9007199254740993")
    assert "小花" not in repr(push)


def key_with(**changes):
    return read_push(json.dumps(json.loads(REVOKED) | changes)).key


def test_compliance_events_with_any_different_field_are_distinct():
    assert key_with(ToUserName="gh_x") == key_with()
    changes = [
        {"OpenID": "oBob"},
        {"CreateTime": 1627359465},
        {"RevokeInfo": "8"},
        {"PluginID": "wx2"},
        {"OpenPID": "oP"},
        {"UnionID": "uBob"},
        {"Event": "user_authorization_cancellation"},
        {"Later": "a field of next year"},
    ]
    keys = {key_with(**change) for change in changes}
    assert len(keys | {key_with()}) == 9


def test_messages_are_distinguished_by_id_or_by_their_whole_content():
    def key(**fields):
        return read_push(json.dumps(EVENT | fields)).key

    assert key(MsgId=1) == key(MsgId="1", CreateTime=NOW + 5)
    keys = {key(), key(MsgId=1), key(MsgId=2), key(CreateTime=NOW + 1), key(FromUserName="oBob")}
    keys |= {key(Event="another"), key(CreateTime=None), key(CreateTime=None, debug_str="x")}
    assert len(keys) == 8


MEDIA_CHECK = {
    "ToUserName": "gh_9df7d78a1234",
    "FromUserName": "o4_t144jTUSEoxydysUA2E234_tc",
    "CreateTime": 1626959646,
    "MsgType": "event",
    "Event": "wxa_media_check",
    "appid": "wx8f16a5e77871abcd",
    "trace_id": "60f96f1d-3845297a-1976a3ae",
    "version": 2,
    "detail": [{"strategy": "content_model", "errcode": 0, "suggest": "pass", "prob": 90}],
    "errcode": 0,
    "errmsg": "ok",
    "result": {"suggest": "pass", "label": 100},
}
SETTLEMENT = {
    "ToUserName": "gh_abcdefg",
    "FromUserName": "oABCD",
    "CreateTime": 1662480000,
    "MsgType": "event",
    "Event": "trade_manage_order_settlement",
    "transaction_id": "42000020212023112332159214xx",
    "merchant_id": "1230000109",
    "pay_time": 1662480000,
    "confirm_receive_method": 1,
}


@pytest.mark.parametrize(
    ("event", "change"),
    [
        (MEDIA_CHECK, {"trace_id": "60f96f1d-3845297a-1976a3af"}),
        (MEDIA_CHECK, {"result": {"suggest": "risky", "label": 100}}),
        (MEDIA_CHECK, {"detail": MEDIA_CHECK["detail"] * 2}),
        (SETTLEMENT, {"transaction_id": "42000020212023112332159215xx"}),
        (SETTLEMENT, {"merchant_id": "1230000110"}),
    ],
)
@pytest.mark.parametrize("write", [json.dumps, lambda fields: as_xml(fields)], ids=["json", "xml"])
def test_two_events_of_one_sender_and_second_are_distinct(event, change, write):
    """They differ in any field. The order of the fields is ignored."""
    first, second = read_push(write(event)), read_push(write(event | change))
    assert first.key != second.key
    assert first.key == read_push(write(dict(reversed(event.items())))).key


@pytest.mark.parametrize("event", [MEDIA_CHECK, SETTLEMENT, json.loads(REVOKED)])
def test_a_repetition_in_another_format_has_the_same_key(event):
    spaced = as_xml(event).replace("><", ">\n  <")
    escaped = json.dumps(event, indent=1).replace("pass", "p\\u0061ss")
    texts = {name: str(value) if isinstance(value, int) else value for name, value in event.items()}
    spellings = (json.dumps(event), escaped, json.dumps(texts), as_xml(event), spaced)
    assert len({read_push(text).key for text in spellings}) == 1


def as_xml(value, name="xml"):
    """Write fields as XML, and the members of a list as repeated elements."""
    if isinstance(value, list):
        return "".join(as_xml(one, name) for one in value)
    if isinstance(value, dict):
        value = "".join(as_xml(one, key) for key, one in value.items())
    return f"<{name}>{value}</{name}>"
