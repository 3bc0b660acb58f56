"""What a stranger, or somebody who sees pushes pass, can do at the portal: nothing."""

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
    """Acme's shop, with the push secrets entered on both sides, and an event that is handled."""
    configure(app)
    monkeypatch.setitem(HANDLERS, REVOKE, forget_nickname)
    return Portal(client)


@pytest.fixture(autouse=True)
def nothing_kept(rows: Reader) -> Any:
    """Demand that no attack leaves anything behind."""
    yield
    assert rows.count("wechat_pushes") == 0
    assert rows.count("audit_events", "action = 'test.handled'") == 0


def changed(delivery: Delivery, **query: str | None) -> Delivery:
    """Change the query of a delivery; None leaves a parameter out."""
    parts = {**delivery.query, **query}
    return replace(delivery, query={k: v for k, v in parts.items() if v is not None})


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("mode", ["compatible", "safe"])
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("wrong_signature", SIGNATURE_WRONG),
        ("stale", (403, "push_stale")),
        ("foreign_appid", (403, "push_of_another_app")),
    ],
)
def test_what_the_simulator_does_wrong_is_refused(
    portal: Portal, mode: str, form: str, fault: str, told: tuple[int, str]
) -> None:
    """Otherwise a forged, recorded or misdirected push is obeyed."""
    assert failure(portal.push(event(), mode, form, fault)) == told


@pytest.mark.parametrize("fault", ["wrong_signature", "stale"])
def test_what_is_wrong_in_the_clear_is_refused(portal: Portal, app: Flask, fault: str) -> None:
    """Otherwise plain mode lets strangers in."""
    configure(app, key=None)
    told = SIGNATURE_WRONG if fault == "wrong_signature" else (403, "push_stale")
    assert failure(portal.push(event(), "plain", "json", fault)) == told


def test_a_clear_body_is_refused_where_there_is_a_key(portal: Portal) -> None:
    """Otherwise an attacker who knows no key leaves Encrypt out."""
    for form in ("json", "xml"):
        assert failure(portal.push(event(), "plain", form)) == (403, "push_unencrypted")


def test_a_forged_clear_half_changes_nothing(portal: Portal, rows: Reader) -> None:
    """Otherwise compatible mode is open: the clear half says what the sealed one does not."""
    delivery = portal.write({"action": "CheckContainerPath"}, "compatible")
    forged = json.loads(delivery.body) | event()
    assert succeeded(portal.send(replace(delivery, body=json.dumps(forged).encode())))
    assert rows.count("wechat_pushes") == 0


def test_a_changed_body_under_a_seen_signature_is_refused(portal: Portal) -> None:
    """Otherwise whoever sees a push pass can send another in its name."""
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
    ("query", "told"),
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
def test_a_query_with_something_missing_or_wrong_is_refused(
    portal: Portal, query: dict[str, str | None], told: tuple[int, str]
) -> None:
    """Otherwise nonsense in an address is a 500, or a way in."""
    assert failure(portal.send(changed(portal.write(event()), **query))) == told


@pytest.mark.parametrize("name", ["timestamp", "nonce", "msg_signature", "openid"])
def test_a_parameter_that_comes_twice_is_refused(portal: Portal, name: str) -> None:
    """Otherwise a proxy checks one of them and we believe the other."""
    delivery = portal.write(event())
    query = [*delivery.query.items(), (name, delivery.query[name])]
    answer = portal.send(delivery, query_string="&".join(f"{k}={v}" for k, v in query))
    assert failure(answer) == INVALID


def test_upper_case_signatures_are_none(portal: Portal) -> None:
    """Otherwise one push has two signatures, and a replay a second chance."""
    delivery = portal.write(event())
    upper = delivery.query["msg_signature"].upper()
    assert failure(portal.send(changed(delivery, msg_signature=upper))) == SIGNATURE_WRONG


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_body_that_cannot_be_read_is_a_4xx(portal: Portal, app: Flask, body: bytes) -> None:
    """A sender with a valid signature gets the cause."""
    delivery = replace(portal.write(event(), "plain"), body=body)
    status, code = failure(portal.send(delivery))
    assert code in ("push_malformed", "push_unencrypted"), (status, code)
    configure(app, key=None)
    assert failure(portal.send(delivery)) == (MALFORMED if body in MALFORMED_BODIES else INCOMPLETE)


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b'{"Encrypt":1}', b'{"Encrypt":"AAAA"}', b"<"])
@pytest.mark.parametrize("key", [AES_KEY, None])
def test_a_sender_without_a_signature_gets_one_answer_whatever_the_body_and_the_keys(
    portal: Portal, app: Flask, body: bytes, key: str | None
) -> None:
    """The answer does not reveal whether an app has an EncodingAESKey, or what was parsed."""
    configure(app, key=key)
    delivery = replace(portal.write(event(), "safe", "json", "wrong_signature"), body=body)
    unsigned = changed(delivery, signature="0" * 40)
    assert failure(portal.send(unsigned)) == SIGNATURE_WRONG


@pytest.mark.parametrize(
    ("content", "sealed_for", "told", "cause"),
    [
        (b"[]", OURS, MALFORMED, "MalformedPush: MalformedPush"),
        (b"<xml>", OURS, MALFORMED, "MalformedPush: MalformedPush"),
        (b"{}", OURS, INCOMPLETE, "missing or wrong: Event"),
        (b'{"Event":"x","OpenID":{}}', OURS, INCOMPLETE, "OpenID"),
        (b'{"Event":"x"}', (AES_KEY[::-1], ACME_SHOP.appid), UNDECRYPTABLE, "UndecryptablePush"),
        (b'{"Event":"x"}', (AES_KEY, "wxother"), (403, "push_of_another_app"), "ForeignPush"),
    ],
)
def test_the_log_names_why_a_signed_push_cannot_be_read(
    portal: Portal,
    captured: Captured,
    content: bytes,
    sealed_for: tuple[str, str],
    told: tuple[int, str],
    cause: str,
) -> None:
    """Each cause has a code of its own, and the log names the field."""
    encrypt = seal(content, *sealed_for)
    delivery = portal.write(event())
    signed = delivery.query["timestamp"], delivery.query["nonce"], encrypt
    query = delivery.query | {"msg_signature": sign(portal.simulated, *signed)}
    body = json.dumps({"Encrypt": encrypt}).encode()
    assert failure(portal.send(replace(delivery, query=query, body=body))) == told
    assert (captured.last["status"], captured.last["failure"]) == told
    assert cause in captured.last["cause"]


def test_a_stranger_cannot_have_bodies_parsed_in_plain_mode(portal: Portal, app: Flask) -> None:
    """Otherwise the parser is open to everybody."""
    configure(app, key=None)
    delivery = replace(portal.write(event(), "plain", "json", "wrong_signature"), body=b"<")
    assert failure(portal.send(delivery)) == SIGNATURE_WRONG


@pytest.mark.parametrize("size", [BODY_LIMIT + 1, BODY_LIMIT * 100])
def test_a_huge_body_is_refused_unread(portal: Portal, size: int) -> None:
    """Otherwise anybody fills the memory."""
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
def test_other_methods_are_refused(portal: Portal, client: Client, method: str) -> None:
    """Otherwise a push comes in by a door nobody thought of."""
    assert failure(client.send(method, SHOP)) == (405, "method_not_allowed")


def test_no_secret_is_in_an_answer_or_in_the_log(
    portal: Portal, app: Flask, captured: Captured, monkeypatch: pytest.MonkeyPatch, rows: Reader
) -> None:
    """Otherwise logs open the portal, or name the people who withdrew."""

    def fail(*_: Any) -> None:
        rows("INSERT INTO phones (id) VALUES (gen_random_uuid())")

    monkeypatch.setitem(HANDLERS, REVOKE, fail)
    deliveries = [portal.write(event(), "safe", "json", fault) for fault in ("stale", "duplicate")]
    deliveries += [portal.write(event(), "safe", "xml", "wrong_signature")]
    deliveries += [portal.write(event("debug_demo", OpenID=OPENID), "compatible")]
    answers = [portal.send(delivery) for delivery in deliveries]
    assert [answer.status_code for answer in answers] == [403, 200, 403, 200]
    assert "NotNullViolation" in captured.text
    told = captured.text + "".join(answer.text for answer in answers)
    for secret in (TOKEN, AES_KEY, OPENID, base64.b64decode(AES_KEY + "=").hex()):
        assert secret not in told
    for delivery in deliveries:
        for part in ("signature", "msg_signature", "nonce"):
            assert delivery.query[part] not in told
    rows("DELETE FROM wechat_pushes")


def test_the_failure_is_in_the_log_for_the_operator(portal: Portal, captured: Captured) -> None:
    """Otherwise nobody learns why WeChat's pushes stopped arriving."""
    portal.push(event(), "safe", "json", "stale")
    line = captured.last
    assert (line["failure"], line["appid"], line["status"]) == (
        "push_stale",
        ACME_SHOP.appid,
        403,
    )


def test_a_clock_that_is_off_by_little_is_forgiven(portal: Portal, rows: Reader) -> None:
    """Otherwise a server two minutes late hears nothing any more."""
    for off in (-120, 120):
        moment, manner = time.time() + off, Manner("safe", "json")
        delivery = write_delivery(event("debug_demo"), portal.simulated, manner, moment)
        assert succeeded(portal.send(delivery))
    rows("DELETE FROM wechat_pushes")
