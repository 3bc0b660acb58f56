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
# WeChat's documented event 授权用户信息变更. OpenPID begins with a space there.
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


def encrypted_push(message, appid=SAFE["appid"]):
    """Return the body of an encrypted push, and the query with its msg_signature."""
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
def test_wechats_documented_push_is_read_as_json_and_xml(body):
    push = open_push(body, query_of(SAFE), SECRETS, SAFE["appid"], NOW)
    assert (push.event, push.created_at) == ("debug_demo", 1714112445)
    assert push.from_user == "o9AgO5Kd5ggOC-bXrbNODIiE3bGY"
    assert json.loads(push.message)["debug_str"] == "hello world"


def test_encrypted_reply_reproduces_wechats_documented_reply():
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
def test_wechats_documented_url_verifications_are_accepted(vector):
    query = PushQuery(vector["ts"], vector["nonce"], signature=vector["sig"])
    verify_url(query, PushSecrets(vector["token"]), int(vector["ts"]))
    with pytest.raises(PushSignatureMismatch):
        verify_url(query, PushSecrets("another"), int(vector["ts"]))


# Verification


def test_an_encrypted_push_with_only_a_plain_signature_is_rejected():
    """The plain signature does not cover the body."""
    with pytest.raises(PushSignatureMismatch):
        open_push(
            in_json(),
            query_of(SAFE, signature=SAFE["plainsig"], msg_signature=SAFE["plainsig"]),
            SECRETS,
            SAFE["appid"],
            NOW,
        )


def test_unencrypted_fields_beside_encrypt_are_ignored():
    body = in_json(**EVENT | {"Event": "user_authorization_cancellation", "OpenID": "oBob"})
    push = open_push(body, query_of(SAFE), SECRETS, SAFE["appid"], NOW)
    assert (push.event, push.openid) == ("debug_demo", None)


@pytest.mark.parametrize("encrypt", [None, {}])
def test_an_unencrypted_push_to_an_app_with_an_encoding_aes_key_is_rejected(encrypt):
    fields = EVENT if encrypt is None else EVENT | {"Encrypt": None}
    with pytest.raises(UnencryptedPush):
        open_push(json.dumps(fields).encode(), clear_query(), SECRETS, SAFE["appid"], NOW)


def test_an_encrypted_push_to_an_app_without_a_key_raises_push_key_missing():
    with pytest.raises(PushKeyMissing):
        open_push(in_json(**EVENT), clear_query(), PLAIN_SECRETS, SAFE["appid"], NOW)


def test_a_push_encrypted_for_another_appid_raises_foreign_push():
    for appid in ("wxother", SAFE["appid"] + "1", SAFE["appid"][:-1]):
        body, query = encrypted_push(json.dumps(EVENT), appid)
        with pytest.raises(ForeignPush):
            open_push(body, query, SECRETS, SAFE["appid"], NOW)


@pytest.mark.parametrize(("off", "is_fresh"), [(300, True), (301, False), (86400, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_push_or_url_verification_more_than_five_minutes_off_raises_stale_push(
    off, is_fresh, sign
):
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
def test_a_url_verification_with_an_invalid_timestamp_raises_stale_push(timestamp):
    with pytest.raises(StalePush):
        verify_url(clear_query(timestamp), SECRETS, NOW)


# Unreadable bodies


def with_padding(end):
    """Encrypt a message with the given bytes in place of its padding."""
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
def test_invalid_padding_of_a_push_raises_undecryptable_push(end):
    encrypt = with_padding(end)
    with pytest.raises(UndecryptablePush):
        open_push(in_json(encrypt), signed(encrypt), SECRETS, SAFE["appid"], NOW)


def test_every_padding_length_of_a_push_is_accepted():
    lengths = set()
    for extra in range(32):
        body, query = encrypted_push(json.dumps(EVENT | {"x": "x" * extra}))
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


def assert_rejected_in_both_modes(body, kind):
    """Assert that a push fails, unencrypted and encrypted. Return the reasons of both errors."""
    with pytest.raises(kind) as plain:
        open_push(body, clear_query(), PLAIN_SECRETS, "wx", NOW)
    inside, query = encrypted_push(body)
    with pytest.raises(kind) as encrypted:
        open_push(inside, query, SECRETS, SAFE["appid"], NOW)
    return plain.value.reason, encrypted.value.reason


@pytest.mark.parametrize("body", UNPARSABLE.values(), ids=UNPARSABLE)
def test_a_push_that_is_neither_json_nor_xml_raises_malformed_push(body):
    """XML entities are not expanded, no file or URL is read, and the nesting is limited."""
    assert assert_rejected_in_both_modes(body, MalformedPush) == ("", "")


@pytest.mark.parametrize(("body", "field"), INCOMPLETE.values(), ids=INCOMPLETE)
def test_a_push_with_a_missing_or_invalid_field_raises_incomplete_push(body, field):
    """The reason of the exception names the field."""
    assert (
        assert_rejected_in_both_modes(body, IncompletePush) == (f"missing or wrong: {field}",) * 2
    )


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_body_in_place_of_the_encrypted_envelope_raises_a_push_error(body):
    with pytest.raises(PushError):
        open_push(body, query_of(SAFE), SECRETS, SAFE["appid"], NOW)


@pytest.mark.parametrize("body", [*UNREADABLE.values(), in_json(), in_json(1), in_json(**EVENT)])
@pytest.mark.parametrize("signature", ["", "0" * 40, SAFE["plainsig"]])
def test_every_body_without_a_valid_signature_raises_push_signature_mismatch(body, signature):
    """The error is the same for apps with and without an EncodingAESKey."""
    query = PushQuery(SAFE["ts"], "another nonce", signature=signature, msg_signature=signature)
    for secrets in (SECRETS, PLAIN_SECRETS):
        with pytest.raises(PushSignatureMismatch):
            open_push(body, query, secrets, SAFE["appid"], NOW)


@pytest.mark.parametrize("encrypt", [1, True, [], {"a": "b"}])
def test_an_encrypt_field_that_is_not_a_text_raises_incomplete_push(encrypt):
    with pytest.raises(IncompletePush) as caught:
        open_push(in_json(encrypt), clear_query(), SECRETS, SAFE["appid"], NOW)
    assert caught.value.reason == "missing or wrong: Encrypt"


def test_damaged_characters_in_encrypt_are_kept_for_the_signature_check():
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


def read_in_both_modes(body):
    """Parse a push unencrypted and encrypted. Assert that the results are equal."""
    clear = open_push(body, clear_query(), PLAIN_SECRETS, "wx", NOW)
    inside, query = encrypted_push(body)
    assert open_push(inside, query, SECRETS, SAFE["appid"], NOW) == clear
    return clear


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("damage", CONTROLS + CUT, ids=repr)
def test_damaged_characters_in_the_fields_of_a_push_are_removed(form, damage):
    """`Push.message`, which is stored, contains no marks and can be parsed again."""
    push = read_in_both_modes(form % ((damage,) * 4))
    assert (push.event, push.openid, push.created_at) == ("revoke", "oAlice", NOW)
    assert "hello" in push.message
    assert "\ufffd" not in push.message
    again = read_push(push.message)
    assert (again.event, again.openid, again.key) == (push.event, push.openid, push.key)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_damaged_characters_around_the_body_and_a_byte_order_mark_are_removed(form):
    whole = form % ((b"",) * 4)
    for body in (b"\xef\xbb\xbf" + whole, b"\x08" + whole, whole + b"\xe5\xb0", whole + b"\0\0"):
        assert read_in_both_modes(body).openid == "oAlice"


@pytest.mark.parametrize(
    "reference",
    ["&#x1d;", "&#29;", "&#0;", "&#x0;", "&#xD800;", "&#xFFFF;", "&#1114112;", f"&#{'9' * 5000};"],
    ids=lambda text: text[:12],
)
def test_xml_references_to_illegal_characters_are_removed(reference):
    """An XML character reference may name a character that is illegal in XML."""
    body = f"<xml><Event>x</Event><OpenID>oAl{reference}ice</OpenID></xml>"
    assert read_in_both_modes(body.encode()).openid == "oAlice"


def test_legal_xml_references_are_resolved_and_cdata_is_unchanged():
    """In a CDATA section, references and tags are text."""
    body = "<xml><Event>&#x64;&#101;mo</Event><C><![CDATA[&#x1d; < b]]></C></xml>"
    push = read_in_both_modes(body.encode())
    assert (push.event, push.message) == ("demo", body)
    in_json_form = json.dumps({"Event": "demo", "C": "&#x1d; < b"})
    assert read_push(in_json_form).key == push.key


def test_escaped_control_characters_in_the_json_of_a_push_are_removed():
    push = read_push('{"Event":"x\\u0000y","OpenID":"oAl\\u001d\\ud83dice\\u007f"}')
    assert (push.event, push.openid) == ("xy", "oAlice")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_random_changes_of_a_push_raise_only_push_errors(form):
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


def test_a_push_with_deeply_nested_xml_is_read():
    body = b"<xml>" + b"<a>" * 9_000 + b"</a>" * 9_000 + b"<Event>x</Event></xml>"
    assert open_push(body, clear_query(), PLAIN_SECRETS, "wx", NOW).event == "x"


@pytest.mark.parametrize("depth", range(100, 2_000, 100))
def test_a_push_with_deeply_nested_json_is_read_or_raises_malformed_push(depth):
    body = b'{"Event":"x","a":' + b"[1," * depth + b"2" + b"]" * depth + b"}"
    with suppress(MalformedPush):
        assert open_push(body, clear_query(), PLAIN_SECRETS, "wx", NOW).event == "x"


@pytest.mark.parametrize("encoding", ["GBK", "UTF-16", "UTF-7", "latin-1", "nonsense"])
def test_xml_is_decoded_as_utf_8_regardless_of_its_encoding_declaration(encoding):
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    body = f"{head}<xml><Event>x</Event><OpenID>+ADw-</OpenID><Content>小花</Content></xml>"
    push = open_push(body.encode(), clear_query(), PLAIN_SECRETS, "wx", NOW)
    assert (push.event, push.openid, push.message) == ("x", "+ADw-", body)


# Parsing


def test_read_push_reads_every_field_of_a_compliance_event():
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


def test_read_push_gives_equal_results_for_xml_and_json():
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
def test_revoke_infos_contains_the_listed_numbers_and_is_empty_for_an_invalid_revoke_info(
    given, read
):
    push = read_push(REVOKED.replace('"RevokeInfo":"1"', f'"RevokeInfo":{given}'))
    assert push.revoke_infos == read


def test_the_event_of_a_message_without_an_event_field_is_its_msg_type():
    push = read_push('{"MsgType":"text","Content":"小花","MsgId":9007199254740993}')
    assert (push.event, push.msg_id) == ("text", "9007199254740993")
    assert "小花" not in repr(push)


def key_with(**changes):
    return read_push(json.dumps(json.loads(REVOKED) | changes)).key


def test_compliance_events_that_differ_in_any_field_have_different_keys():
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


def test_the_key_of_a_message_depends_on_msg_id_or_else_on_all_fields():
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
def test_different_events_of_one_sender_and_second_have_different_keys(event, change, write):
    """Events that differ in any field have different keys. The order of fields is ignored."""
    first, second = read_push(write(event)), read_push(write(event | change))
    assert first.key != second.key
    assert first.key == read_push(write(dict(reversed(event.items())))).key


@pytest.mark.parametrize("event", [MEDIA_CHECK, SETTLEMENT, json.loads(REVOKED)])
def test_a_repeated_event_in_another_format_has_the_same_key(event):
    spaced = as_xml(event).replace("><", ">\n  <")
    escaped = json.dumps(event, indent=1).replace("pass", "p\\u0061ss")
    texts = {name: str(value) if isinstance(value, int) else value for name, value in event.items()}
    spellings = (json.dumps(event), escaped, json.dumps(texts), as_xml(event), spaced)
    assert len({read_push(text).key for text in spellings}) == 1


def as_xml(value, name="xml"):
    """Return fields as XML. The members of a list become repeated elements."""
    if isinstance(value, list):
        return "".join(as_xml(one, name) for one in value)
    if isinstance(value, dict):
        value = "".join(as_xml(one, key) for key, one in value.items())
    return f"<{name}>{value}</{name}>"
