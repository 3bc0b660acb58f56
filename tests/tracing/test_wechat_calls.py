"""Spans of calls to WeChat, and the header that they send."""

import pytest

from app.wechat.transport import Transport
from tests.fixtures.personas import ACME_SHOP, Client, Person
from tests.tracing.conftest import Recorded, attributes_of, ids_of


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The requests sent to WeChat."""
    requests: list[bytes] = []
    fetch = Transport._fetch

    def note(self: Transport, request: bytes) -> object:
        requests.append(request)
        return fetch(self, request)

    monkeypatch.setattr(Transport, "_fetch", note)
    return requests


def test_the_span_of_a_call_has_its_name_and_errcode_0_for_a_success(
    traced: Client, recorded: Recorded, alice: Person, sent: list[bytes]
) -> None:
    code = alice.wx_login()
    traced.post("login", code=code)

    (span,) = [one for one in recorded.below(recorded.server) if one.name == "WeChat login"]
    assert span.kind.name == "CLIENT"
    attributes = attributes_of(span)
    assert attributes.pop("server.port")
    assert attributes == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "wxpass.appid": ACME_SHOP.appid,
        "wxpass.wechat.call": "login",
        "wxpass.wechat.errcode": 0,
    }
    assert code.encode() in sent[0]
    assert code not in span.to_json()
    assert ACME_SHOP.secret not in span.to_json()


def test_a_call_sends_the_id_of_its_span_to_wechat(
    traced: Client, recorded: Recorded, alice: Person, sent: list[bytes]
) -> None:
    traced.post("login", code=alice.wx_login())

    (span,) = [one for one in recorded.all if one.name == "WeChat login"]
    trace_id, span_id = ids_of(span)
    assert f"\r\ntraceparent: 00-{trace_id}-{span_id}-01\r\n".encode() in sent[0]


def test_calls_of_a_binding_are_recorded_by_name(
    traced: Client, recorded: Recorded, alice: Person
) -> None:
    traced.bind(alice)

    calls = [one for one in recorded.all if one.name.startswith("WeChat")]
    assert [one.name for one in calls] == ["WeChat login", "WeChat token", "WeChat phone"]
    assert {attributes_of(one)["wxpass.wechat.errcode"] for one in calls} == {0}


@pytest.mark.parametrize(
    ("kind", "errcode", "error"),
    [
        ("blocked", 40226, "PersonBlocked"),
        ("rate_limited", 45011, "RateLimited"),
        ("drop", None, "WeChatUnavailable"),
    ],
)
def test_the_span_of_a_failed_call_has_errcode_and_class_of_the_error(
    traced: Client,
    recorded: Recorded,
    alice: Person,
    kind: str,
    errcode: int | None,
    error: str,
) -> None:
    alice.wechat.fault(kind)
    traced.post("login", code=alice.wx_login())

    (span,) = [one for one in recorded.all if one.name == "WeChat login"]
    assert attributes_of(span).get("wxpass.wechat.errcode") == errcode
    assert attributes_of(span)["error.type"] == error
    assert ("wxpass.wechat.rid" in attributes_of(span)) == (errcode is not None)
    assert span.status.status_code.name == "ERROR"
    assert span.events == ()


def test_without_tracing_no_header_is_sent(
    client: Client, alice: Person, sent: list[bytes]
) -> None:
    headers = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    path = f"/v1/apps/{ACME_SHOP.appid}/login"
    client.send("POST", path, json={"code": alice.wx_login()}, headers=headers)

    assert len(sent) == 1
    assert b"traceparent" not in sent[0]
