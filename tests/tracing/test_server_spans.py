"""Spans of requests: names, attributes, parents, and the ids in the log."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app.services.cache.registry import Caches
from tests.fixtures.personas import ACME_SHOP, Client, Person, failure
from tests.test_logs import Captured, captured
from tests.tracing.conftest import Recorded, attributes_of, ids_of

__all__ = ["captured"]

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
LOGIN = "POST /v1/apps/<string:appid>/login"


@pytest.fixture
def fresh_caches(traced_app: Flask) -> Iterator[Caches]:
    """Mark the caches as up to date, so that the fast path answers from them."""
    caches: Caches = traced_app.extensions["caches"].of_this_process()
    caches.changes.begin()
    caches.changes.mark_fresh(float("inf"))
    yield caches
    caches._clear()


def test_the_span_of_a_login_has_route_app_tenant_and_status(
    traced: Client, recorded: Recorded, alice: Person
) -> None:
    answer = traced.post("login", code=alice.wx_login())

    assert recorded.server.name == LOGIN
    assert attributes_of(recorded.server) == {
        "http.request.method": "POST",
        "http.route": "/v1/apps/<string:appid>/login",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "wxpass.appid": ACME_SHOP.appid,
        "wxpass.tenant": "acme",
        "wxpass.request_id": answer.headers["X-Request-Id"],
    }
    assert recorded.server.status.is_unset
    names = recorded.names_below(recorded.server)
    assert names[0].startswith("SELECT") or names[0] == "WeChat login"
    assert "WeChat login" in names
    assert any(name.startswith("INSERT") or "INSERT" in name for name in names)


def test_the_span_of_a_refused_request_has_the_error_code(
    traced: Client, recorded: Recorded, alice: Person
) -> None:
    alice.wechat.fault("blocked")
    assert failure(traced.post("login", code=alice.wx_login())) == (403, "wechat_person_blocked")

    attributes = attributes_of(recorded.server)
    assert attributes["wxpass.error_code"] == "wechat_person_blocked"
    assert attributes["wxpass.wechat.errcode"] == 40226
    assert attributes["http.response.status_code"] == 403
    assert recorded.server.status.is_unset


def test_the_span_of_a_failed_request_is_an_error_without_a_description(
    traced: Client, recorded: Recorded, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    token = traced.bind(alice)["token"]
    monkeypatch.setattr("app.services.users.users.show_user", fail)
    assert failure(traced.me(token)) == (500, "internal")

    assert recorded.server.status.status_code.name == "ERROR"
    assert recorded.server.status.description is None
    assert attributes_of(recorded.server)["error.type"] == "internal"
    assert recorded.server.events == ()


@pytest.mark.usefixtures("fresh_caches")
@pytest.mark.parametrize("path", ["/v1/verify", "/v1/me"])
def test_the_fast_path_records_the_same_span_as_flask(
    traced: Client, recorded: Recorded, alice: Person, path: str
) -> None:
    token = traced.bind(alice)["token"]
    seen = []
    for _ in range(3):
        recorded.clear()
        assert traced.send("GET", path, token).status_code < 300
        attributes = attributes_of(recorded.server)
        assert attributes.pop("wxpass.request_id")
        seen.append((recorded.server.name, attributes))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][0] == f"GET {path}"
    assert seen[0][1]["wxpass.appid"] == ACME_SHOP.appid
    assert [span.kind.name for span in recorded.all] == ["SERVER"]


def test_a_request_of_a_path_without_a_route_has_no_text_of_the_client(
    traced: Client, recorded: Recorded
) -> None:
    traced.send("SECRET", "/secret?secret=1", headers={"User-Agent": "secret", "Host": "secret"})

    assert recorded.server.name == "_OTHER"
    assert "secret" not in recorded.server.to_json().lower()


def test_health_checks_have_no_spans(traced: Client, recorded: Recorded) -> None:
    assert traced.send("GET", "/healthz").status_code == 200
    traced.send("GET", "/readyz")

    assert recorded.all == ()


def test_traceparent_of_the_client_becomes_the_parent(
    traced: Client, recorded: Recorded, alice: Person
) -> None:
    traced.post("login", code=alice.wx_login())
    traced.send("GET", "/openapi.json", headers=TRACEPARENT)

    assert ids_of(recorded.server)[0] == TRACE
    assert recorded.server.parent is not None
    assert f"{recorded.server.parent.span_id:016x}" == PARENT


@pytest.mark.parametrize("header", ["", "00-x", f"00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01"])
def test_a_malformed_traceparent_begins_a_new_trace(
    traced: Client, recorded: Recorded, header: str
) -> None:
    traced.send("GET", "/openapi.json", headers={"traceparent": header})

    assert recorded.server.parent is None
    assert ids_of(recorded.server)[0] != TRACE


def test_every_log_line_of_a_request_has_the_ids_of_its_span(
    traced: Client,
    recorded: Recorded,
    captured: Captured,
    alice: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    token = traced.bind(alice)["token"]
    captured.clear()
    monkeypatch.setattr("app.services.users.users.show_user", fail)
    traced.send("GET", "/v1/me", token, headers=dict(TRACEPARENT))

    assert [line["event"] for line in captured.lines] == ["unexpected", "request"]
    for line in captured.lines:
        assert (line["trace_id"], line["span_id"]) == ids_of(recorded.server)
    assert captured.last["trace_id"] == TRACE


@pytest.mark.usefixtures("fresh_caches")
def test_the_log_line_of_the_fast_path_has_the_ids_of_its_span(
    traced: Client, recorded: Recorded, captured: Captured, alice: Person
) -> None:
    token = traced.bind(alice)["token"]
    for _ in range(2):
        traced.send("GET", "/v1/verify", token, headers=dict(TRACEPARENT))
        ids = captured.last["trace_id"], captured.last["span_id"]
        assert ids == ids_of(recorded.server)
        assert ids[0] == TRACE


def test_the_span_of_a_streamed_response_ends_with_the_response(
    traced_app: Flask, recorded: Recorded
) -> None:
    wrapped = traced_app.wsgi_app
    middleware = type(wrapped)

    def stream(environ: object, start_response: object) -> Iterator[bytes]:
        start_response("200 OK", [])  # type: ignore[operator]
        yield b"one"
        assert recorded.all == ()
        yield b"two"

    parts = middleware(stream, traced_app.extensions["spans"])(  # type: ignore[call-arg]
        {"PATH_INFO": "/x", "REQUEST_METHOD": "GET", "wsgi.url_scheme": "http"}, lambda *_: None
    )
    assert list(parts) == [b"one", b"two"]
    assert recorded.all == ()
    parts.close()  # type: ignore[attr-defined]
    assert recorded.server.name == "GET"


def test_a_request_on_the_same_connection_is_not_below_the_previous_one(
    traced: Client, recorded: Recorded
) -> None:
    for _ in range(2):
        traced.send("GET", "/openapi.json")

    first, second = recorded.all[-2:]
    assert first.parent is second.parent is None
    assert ids_of(first)[0] != ids_of(second)[0]
