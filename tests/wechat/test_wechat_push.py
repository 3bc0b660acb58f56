"""Signatures and encryption of the message push."""

import base64
import json
import random
from pathlib import Path

import pytest

from app.wechat import (
    AppMisconfigured,
    PushError,
    PushMessage,
    PushSignatureMismatch,
    UndecryptablePush,
    decrypt_message,
    encrypt_message,
    message_signature,
    plain_signature,
    read_push,
    verify_message_signature,
    verify_plain_signature,
)
from app.wechat.push_events import COMPLIANCE_EVENTS

VECTORS = json.loads(Path(__file__).with_name("wechat_vectors.json").read_text("utf-8"))
PUSHES = VECTORS["push"]
MESSAGES = [
    '{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY",'
    '"CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}',
    '{"demo_resp":"good luck"}',
    "我是中文abcd123",
]
RANDOMS = [b"a8eedb185eb2fecf", b"707722b803182950", b"aaaabbbbccccdddd"]
KEY = PUSHES[0]["key"]


def name(vector):
    return vector.get("name", vector.get("data"))


def event_message(**fields: object) -> str:
    return json.dumps(
        {"MsgType": "event", "Event": "some_event", "FromUserName": "sender"} | fields
    )


@pytest.mark.parametrize("field", ["openid", "OpenId", "OPENID", "payer_openid", "user_open_id"])
def test_the_person_of_an_event_is_read_from_its_openid_field(field):
    assert read_push(event_message(**{field: " oPerson-1 "})).person == "oPerson-1"
    assert (
        read_push(event_message(**{field: "oPerson-1", "OpenID": "oPerson-2"})).person
        == "oPerson-2"
    )


@pytest.mark.parametrize("damage", ["\x1d", "\x08", "\x14", "\t", "\n", "\ufffd"])
@pytest.mark.parametrize("field", ["OpenID", "openid", "payer_openid", "FromUserName"])
def test_damaged_characters_in_an_openid_of_an_event_are_removed(field, damage):
    """Erasure finds the event only by the undamaged openid."""
    assert read_push(event_message(**{field: f"oPerson{damage}-1"})).person == "oPerson-1"


@pytest.mark.parametrize(
    "fields",
    [
        *({"openid": value} for value in ("", None, 7, ["oPerson"], {"a": "b"}, "two words", "名")),
        *({"openid": "o" * 129}, {"OpenPID": "oPerson"}, {"openid_count": "3"}, {}),
    ],
    ids=str,
)
def test_the_person_of_an_event_without_a_valid_openid_is_the_sender(fields):
    assert read_push(event_message(**fields)).person == "sender"


@pytest.mark.parametrize("event", sorted(COMPLIANCE_EVENTS))
def test_the_person_of_a_compliance_event_is_never_read_from_another_field_than_openid(event):
    push = read_push(event_message(Event=event, openid="oPerson-1"))
    assert (push.person, push.openid) == (None, None)


@pytest.mark.parametrize("vector", VECTORS["plain_sig"], ids=name)
def test_plain_signatures_equal_wechats_documented_examples(vector):
    given = vector["token"], vector["ts"], vector["nonce"]
    assert plain_signature(*given) == vector["sig"]
    verify_plain_signature(vector["sig"], *given)


@pytest.mark.parametrize("vector", PUSHES, ids=name)
def test_message_signatures_equal_wechats_documented_examples(vector):
    given = vector["token"], vector["ts"], vector["nonce"], vector["enc"]
    assert message_signature(*given) == vector["sig"]
    verify_message_signature(vector["sig"], *given)


def test_the_plain_signature_of_an_encrypted_push_is_rejected_as_message_signature():
    push = PUSHES[0]
    given = push["token"], push["ts"], push["nonce"]
    verify_plain_signature(push["plainsig"], *given)
    with pytest.raises(PushSignatureMismatch):
        verify_message_signature(push["plainsig"], *given, push["enc"])


@pytest.mark.parametrize(("vector", "message"), list(zip(PUSHES, MESSAGES, strict=True)))
def test_wechats_documented_messages_are_decrypted(vector, message):
    opened = decrypt_message(vector["key"], vector["enc"])
    assert opened == PushMessage(message, vector["appid"])
    assert message not in repr(opened)


@pytest.mark.parametrize(
    ("vector", "message", "random_bytes"), list(zip(PUSHES, MESSAGES, RANDOMS, strict=True))
)
def test_encryption_reproduces_wechats_documented_ciphertexts(vector, message, random_bytes):
    sealed = encrypt_message(vector["key"], message, vector["appid"], random_bytes)
    assert sealed == vector["enc"]


def test_messages_of_every_length_are_decrypted_to_the_encrypted_text():
    for length in range(70):
        sealed = encrypt_message(KEY, "x" * length, "wxacme")
        assert len(base64.b64decode(sealed)) % 32 == 0
        assert decrypt_message(KEY, sealed) == PushMessage("x" * length, "wxacme")


def test_each_encryption_of_a_push_message_gives_a_different_ciphertext():
    assert encrypt_message(KEY, "hello", "wxacme") != encrypt_message(KEY, "hello", "wxacme")


@pytest.mark.parametrize("change", ["token", "ts", "nonce", "enc", "sig"])
def test_a_message_signature_with_a_changed_part_is_rejected(change):
    push = PUSHES[0] | {change: PUSHES[0][change] + "1"}
    with pytest.raises(PushSignatureMismatch):
        verify_message_signature(push["sig"], push["token"], push["ts"], push["nonce"], push["enc"])


@pytest.mark.parametrize("signature", ["", "签", "\ud800", "0" * 40])
def test_a_malformed_or_wrong_plain_signature_is_rejected(signature):
    with pytest.raises(PushSignatureMismatch):
        verify_plain_signature(signature, "AAAAA", "1714036504", "1514711492\ud800")


def test_every_signature_is_rejected_if_the_push_token_is_empty():
    with pytest.raises(PushSignatureMismatch):
        verify_plain_signature(plain_signature("", "1", "2"), "", "1", "2")
    with pytest.raises(PushSignatureMismatch):
        verify_message_signature(message_signature("", "1", "2", "3"), "", "1", "2", "3")


@pytest.mark.parametrize("key", ["", "A" * 42, "A" * 44, "!" * 43, "密" * 43])
def test_a_malformed_encoding_aes_key_raises_app_misconfigured(key):
    with pytest.raises(AppMisconfigured):
        decrypt_message(key, PUSHES[0]["enc"])
    with pytest.raises(AppMisconfigured):
        encrypt_message(key, "hello", "wxacme")


@pytest.mark.parametrize("sealed", ["", "A", "!!!!", "密", "\ud800", "AAAA", "A" * 64, "A" * 44])
def test_an_invalid_ciphertext_of_a_push_raises_undecryptable_push(sealed):
    with pytest.raises(UndecryptablePush):
        decrypt_message(KEY, sealed)


def test_a_decrypted_message_without_an_appid_raises_undecryptable_push():
    with pytest.raises(UndecryptablePush):
        decrypt_message(KEY, encrypt_message(KEY, "hello", ""))


def test_wrong_encoding_aes_keys_raise_only_push_errors():
    rng = random.Random(7)
    for _ in range(500):
        key = base64.b64encode(rng.randbytes(32)).decode().rstrip("=")
        with pytest.raises(PushError):
            decrypt_message(key, PUSHES[0]["enc"])
