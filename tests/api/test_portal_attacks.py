"""Attacks on the push URL: forged, replayed and malformed pushes."""

import base64
import io
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app.services.pushes.receive import HANDLERS
from app.settings import BODY_LIMIT
from app.simulator.pushes.wire import Delivery, Manner, sign, write_delivery
from tests.fixtures.personas import ACME_SHOP, Client, Reader, failure
from tests.fixtures.portal import (
    AES_KEY,
    OPENID,
    REVOKE,
    TOKEN,
    Portal,
    address_of,
    configure,
    event,
    forget_nickname,
    seal,
    succeeded,
)
from tests.test_logs import Captured, captured
from tests.wechat.test_wechat_push_delivery import UNPARSABLE, UNREADABLE

SHOP = address_of(ACME_SHOP)
SIGNATURE_WRONG = (403, "push_signature_wrong")
MALFORMED = (422, "push_malformed")
INCOMPLETE = (422, "push_incomplete")
INVALID = (422, "request_invalid")
UNDECRYPTABLE = (422, "push_undecryptable")
OURS = AES_KEY, ACME_SHOP.appid
MALFORMED_BODIES = set(UNPARSABLE.values())

__all__ = ["captured"]


@pytest.fixture
def portal(app: Flask, client: Client, monkeypatch: pytest.MonkeyPatch) -> Portal:
    """Return the portal of acme's shop, with push secrets and a handler of one event."""
    configure(app)
    monkeypatch.setitem(HANDLERS, REVOKE, forget_nickname)
    return Portal(client)


@pytest.fixture(autouse=True)
def nothing_stored(rows: Reader) -> Any:
    """Assert that the test stored no push and handled no event."""
    yield
    assert rows.count("wechat_pushes") == 0
    assert rows.count("audit_events", "action = 'test.handled'") == 0


def with_query(delivery: Delivery, **query: str | None) -> Delivery:
    """Change the query of a delivery. None removes a parameter."""
    parts = {**delivery.query, **query}
    return replace(delivery, query={k: v for k, v in parts.items() if v is not None})


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("mode", ["compatible", "safe"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("wrong_signature", SIGNATURE_WRONG),
        ("stale", (403, "push_stale")),
        ("foreign_appid", (403, "push_of_another_app")),
    ],
)
def test_an_encrypted_push_with_a_wrong_signature_old_timestamp_or_other_appid_is_rejected(
    portal: Portal, mode: str, form: str, fault: str, expected: tuple[int, str]
) -> None:
    assert failure(portal.push(event(), mode, form, fault)) == expected


@pytest.mark.parametrize("fault", ["wrong_signature", "stale"])
def test_in_plain_mode_a_push_with_a_wrong_signature_or_old_timestamp_is_rejected(
    portal: Portal, app: Flask, fault: str
) -> None:
    configure(app, key=None)
    expected = SIGNATURE_WRONG if fault == "wrong_signature" else (403, "push_stale")
    assert failure(portal.push(event(), "plain", "json", fault)) == expected


def test_an_unencrypted_push_is_rejected_if_the_app_has_an_encoding_aes_key(portal: Portal) -> None:
    for form in ("json", "xml"):
        assert failure(portal.push(event(), "plain", form)) == (403, "push_unencrypted")


def test_the_unencrypted_fields_of_a_push_in_compatible_mode_are_ignored(
    portal: Portal, rows: Reader
) -> None:
    delivery = portal.write({"action": "CheckContainerPath"}, "compatible")
    forged = json.loads(delivery.body) | event()
    assert succeeded(portal.send(replace(delivery, body=json.dumps(forged).encode())))
    assert rows.count("wechat_pushes") == 0


def test_a_push_with_a_changed_body_and_a_captured_signature_is_rejected(portal: Portal) -> None:
    delivery = portal.write(event())
    sealed = json.loads(delivery.body)
    other = json.loads(portal.write(event(OpenID="oBob")).body)
    flipped = bytearray(base64.b64decode(sealed["Encrypt"]))
    flipped[20] ^= 1
    for encrypt in (
        other["Encrypt"],
        base64.b64encode(flipped).decode(),
        "",
        sealed["Encrypt"] * 2,
    ):
        body = json.dumps(sealed | {"Encrypt": encrypt}).encode()
        assert failure(portal.send(replace(delivery, body=body))) == SIGNATURE_WRONG


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"timestamp": None}, INVALID),
        ({"nonce": None}, INVALID),
        ({"msg_signature": None}, SIGNATURE_WRONG),
        ({"timestamp": ""}, INVALID),
        ({"nonce": "\0"}, INVALID),
        ({"nonce": "n" * 129}, INVALID),
        ({"msg_signature": "签" * 40}, SIGNATURE_WRONG),
        ({"msg_signature": "0" * 41}, INVALID),
        ({"msg_signature": "0" * 40}, SIGNATURE_WRONG),
        ({"timestamp": "9" * 10}, SIGNATURE_WRONG),
        ({"timestamp": "soon"}, SIGNATURE_WRONG),
        ({"nonce": "\ufffd"}, SIGNATURE_WRONG),
    ],
)
def test_a_push_with_a_missing_or_invalid_query_parameter_is_rejected(
    portal: Portal, query: dict[str, str | None], expected: tuple[int, str]
) -> None:
    assert failure(portal.send(with_query(portal.write(event()), **query))) == expected


@pytest.mark.parametrize("name", ["timestamp", "nonce", "msg_signature", "openid"])
def test_a_push_with_a_repeated_query_parameter_is_rejected(portal: Portal, name: str) -> None:
    delivery = portal.write(event())
    query = [*delivery.query.items(), (name, delivery.query[name])]
    answer = portal.send(delivery, query_string="&".join(f"{k}={v}" for k, v in query))
    assert failure(answer) == INVALID


def test_a_push_with_an_upper_case_signature_is_rejected(portal: Portal) -> None:
    delivery = portal.write(event())
    upper = delivery.query["msg_signature"].upper()
    assert failure(portal.send(with_query(delivery, msg_signature=upper))) == SIGNATURE_WRONG


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_signed_push_with_an_unparsable_body_is_rejected_with_the_cause(
    portal: Portal, app: Flask, body: bytes
) -> None:
    delivery = replace(portal.write(event(), "plain"), body=body)
    status, code = failure(portal.send(delivery))
    assert code in ("push_malformed", "push_unencrypted"), (status, code)
    configure(app, key=None)
    assert failure(portal.send(delivery)) == (MALFORMED if body in MALFORMED_BODIES else INCOMPLETE)


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b'{"Encrypt":1}', b'{"Encrypt":"AAAA"}', b"<"])
@pytest.mark.parametrize("key", [AES_KEY, None])
def test_an_unsigned_push_gets_the_same_response_for_every_body_and_key(
    portal: Portal, app: Flask, body: bytes, key: str | None
) -> None:
    """The response does not reveal whether the app has an EncodingAESKey."""
    configure(app, key=key)
    delivery = replace(portal.write(event(), "safe", "json", "wrong_signature"), body=body)
    unsigned = with_query(delivery, signature="0" * 40)
    assert failure(portal.send(unsigned)) == SIGNATURE_WRONG


@pytest.mark.parametrize(
    ("content", "sealed_for", "expected", "cause"),
    [
        (b"[]", OURS, MALFORMED, "MalformedPush: MalformedPush"),
        (b"<xml>", OURS, MALFORMED, "MalformedPush: MalformedPush"),
        (b"{}", OURS, INCOMPLETE, "missing or wrong: Event"),
        (b'{"Event":"x","OpenID":{}}', OURS, INCOMPLETE, "OpenID"),
        (b'{"Event":"x"}', (AES_KEY[::-1], ACME_SHOP.appid), UNDECRYPTABLE, "UndecryptablePush"),
        (b'{"Event":"x"}', (AES_KEY, "wxother"), (403, "push_of_another_app"), "ForeignPush"),
    ],
)
def test_the_log_contains_the_cause_if_a_signed_push_is_unreadable(
    portal: Portal,
    captured: Captured,
    content: bytes,
    sealed_for: tuple[str, str],
    expected: tuple[int, str],
    cause: str,
) -> None:
    encrypt = seal(content, *sealed_for)
    delivery = portal.write(event())
    signed = delivery.query["timestamp"], delivery.query["nonce"], encrypt
    query = delivery.query | {"msg_signature": sign(portal.simulated, *signed)}
    body = json.dumps({"Encrypt": encrypt}).encode()
    assert failure(portal.send(replace(delivery, query=query, body=body))) == expected
    assert (captured.last["status"], captured.last["failure"]) == expected
    assert cause in captured.last["cause"]


def test_in_plain_mode_a_push_body_with_a_wrong_signature_is_not_parsed(
    portal: Portal, app: Flask
) -> None:
    configure(app, key=None)
    delivery = replace(portal.write(event(), "plain", "json", "wrong_signature"), body=b"<")
    assert failure(portal.send(delivery)) == SIGNATURE_WRONG


@pytest.mark.parametrize("size", [BODY_LIMIT + 1, BODY_LIMIT * 100])
def test_an_oversized_push_body_is_rejected(portal: Portal, size: int) -> None:
    delivery = replace(portal.write(event()), body=b" " * size)
    assert failure(portal.send(delivery)) == (413, "body_too_large")
    chunked = {"wsgi.input_terminated": True}
    answer = portal.send(
        delivery,
        data=None,
        input_stream=io.BytesIO(delivery.body),
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides=chunked,
    )
    assert failure(answer) == (413, "body_too_large")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_the_push_url_rejects_methods_other_than_get_and_post(
    portal: Portal, client: Client, method: str
) -> None:
    assert failure(client.send(method, SHOP)) == (405, "method_not_allowed")


def test_push_secrets_and_signatures_are_in_no_response_and_no_log(
    portal: Portal, app: Flask, captured: Captured, monkeypatch: pytest.MonkeyPatch, rows: Reader
) -> None:
    def fail(*_: Any) -> None:
        rows("INSERT INTO phones (id) VALUES (gen_random_uuid())")

    monkeypatch.setitem(HANDLERS, REVOKE, fail)
    deliveries = [portal.write(event(), "safe", "json", fault) for fault in ("stale", "duplicate")]
    deliveries += [portal.write(event(), "safe", "xml", "wrong_signature")]
    deliveries += [portal.write(event("debug_demo", OpenID=OPENID), "compatible")]
    answers = [portal.send(delivery) for delivery in deliveries]
    assert [answer.status_code for answer in answers] == [403, 200, 403, 200]
    assert "NotNullViolation" in captured.text
    output = captured.text + "".join(answer.text for answer in answers)
    for secret in (TOKEN, AES_KEY, OPENID, base64.b64decode(AES_KEY + "=").hex()):
        assert secret not in output
    for delivery in deliveries:
        for part in ("signature", "msg_signature", "nonce"):
            assert delivery.query[part] not in output
    rows("DELETE FROM wechat_pushes")


def test_a_rejected_push_is_logged_with_appid_and_error_code(
    portal: Portal, captured: Captured
) -> None:
    portal.push(event(), "safe", "json", "stale")
    line = captured.last
    assert (line["failure"], line["appid"], line["status"]) == (
        "push_stale",
        ACME_SHOP.appid,
        403,
    )


def test_a_push_is_accepted_if_wechats_clock_differs_by_two_minutes(
    portal: Portal, rows: Reader
) -> None:
    for off in (-120, 120):
        moment, manner = time.time() + off, Manner("safe", "json")
        delivery = write_delivery(event("debug_demo"), portal.simulated, manner, moment)
        assert succeeded(portal.send(delivery))
    rows("DELETE FROM wechat_pushes")
