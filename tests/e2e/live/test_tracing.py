"""Traces of gunicorn workers, sent to a collector: content, secrets, and a missing collector."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from flask import Flask

from config import Config
from tests.e2e.live.conftest import Database
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import ACME_SHOP, Person, WeChat, enter_user
from tests.fixtures.servers.collector import Collector, collecting
from tests.fixtures.servers.gunicorn import Service, is_ready, serving
from tests.fixtures.waiting import until

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PHONE, OTHER_PHONE = "13800138071", "13800138072"
HEADER_SECRET = "collector-password"
LOGIN = "POST /v1/apps/<string:appid>/login"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@contextmanager
def traced_service(
    config: Config, database: Database, folder: Path, endpoint: str, **settings: str
) -> Iterator[Service]:
    """Run gunicorn with traces to an endpoint inside the block."""
    with serving(
        config,
        folder,
        DATABASE_URL=database.server.url,
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer {HEADER_SECRET}",
        GUNICORN_KEEPALIVE="1",
        **settings,
    ) as service:
        until(lambda: is_ready(service.url), seconds=90)
        yield service


class Story:
    """A person's requests, and the secrets that occur in them."""

    def __init__(self, service: Service, person: Person) -> None:
        self.service, self.person = service, person
        self.http = requests.Session()
        self.secrets = {ACME_SHOP.secret, GOOD_PASSWORD, PHONE, OTHER_PHONE, HEADER_SECRET}

    def send(self, method: str, path: str, token: str = "", **how: Any) -> requests.Response:
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        url = self.service.url + path
        return self.http.request(method, url, headers=headers, timeout=20, **how)

    def post(self, what: str, token: str = "", **body: Any) -> dict[str, Any]:
        answer = self.send("POST", f"/v1/apps/{ACME_SHOP.appid}/{what}", token, json=body)
        assert answer.status_code < 300, answer.text
        tokens: dict[str, Any] = answer.json()
        self.secrets |= {tokens[name] for name in ("token", "refresh_token") if tokens.get(name)}
        return tokens

    def code(self) -> str:
        code = self.person.wx_login()
        key = self.person.wechat.ask("session-key", person=self.person.name, appid=ACME_SHOP.appid)
        self.secrets |= {code, key["session_key"]}
        return code

    def tell(self) -> None:
        """Log in by code, by phone and by password, and use the login."""
        unbound = self.post("login", code=self.code())["token"]
        phone = self.person.tap_phone()
        self.secrets |= {phone["code"], phone["encryptedData"], phone["iv"]}
        token = self.post("phone", unbound, code=phone["code"])["token"]
        for path in ("/v1/verify", "/v1/me") * 3:
            assert self.send("GET", path, token).status_code < 300
        self.post("password-login", account="traced", password=GOOD_PASSWORD)
        gitegg = f"/wx/user/{ACME_SHOP.appid}/login"
        found = self.send("GET", gitegg, params={"code": self.code()}).json()
        self.secrets.add(found["data"]["bindKey"])
        tokens = self.person.wechat.ask("tokens", appid=ACME_SHOP.appid)
        self.secrets |= set(tokens["stable"])
        self.fail()

    def fail(self) -> None:
        path = f"/v1/apps/{ACME_SHOP.appid}/login"
        self.person.wechat.fault("blocked", times=1)
        assert self.send("POST", path, json={"code": self.code()}).status_code == 403

    def found_in(self, data: bytes) -> set[str]:
        return {
            secret
            for secret in self.secrets
            for spelling in (secret, quote(secret, safe=""))
            if spelling.encode() in data
        }


@pytest.fixture(scope="module")
def traced_person(live_app: Flask, wechat: WeChat) -> Person:
    wechat.reset()
    enter_user(live_app, account="traced", password=GOOD_PASSWORD, phone=OTHER_PHONE)
    return Person(wechat, "traced", PHONE)


def ended_well(service: Service) -> float:
    """End the service as an operator does. Return the seconds that it took."""
    began = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(30) == 0
    return time.monotonic() - began


def test_a_story_is_traced_from_the_request_to_wechat_and_sql_without_a_secret(
    live_config: Config, database: Database, folder: Path, traced_person: Person
) -> None:
    """Spans are sent by the background threads of the forked workers, and at their exit."""
    with (
        collecting() as collector,
        traced_service(
            live_config,
            database,
            folder,
            collector.url,
            OTEL_BSP_SCHEDULE_DELAY="100",
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
        ) as service,
    ):
        story = Story(service, traced_person)
        story.tell()
        until(lambda: len(collector.named("GET /v1/verify")) == 3)
        assert ended_well(service) < 10
    assert len(story.secrets) >= 15
    data = b"".join(collector.bodies)
    assert story.found_in(data) == set()
    assert story.found_in((folder / "gunicorn.log").read_bytes()) == set()
    assert collector.resource["service.name"] == "wxpass"
    assert collector.resource["deployment.environment.name"] == "test"
    assert collector.headers[0]["authorization"] == f"Bearer {HEADER_SECRET}"
    check_spans(collector)
    check_log(folder / "gunicorn.log", collector)


def check_spans(collector: Collector) -> None:
    """Check names and parents of the spans of the story."""
    assert {span.trace_id for span in collector.spans} == {TRACE}
    first, _refused = logins = collector.named(LOGIN)
    assert [span.parent_id for span in logins] == [PARENT, PARENT]
    assert (first.attributes["wxpass.appid"], first.attributes["wxpass.tenant"]) == (
        ACME_SHOP.appid,
        "acme",
    )
    below = {span.name: span for span in collector.below(first)}
    assert below["WeChat login"].attributes["wxpass.wechat.errcode"] == 0
    assert any("INSERT login_sessions" in name for name in below)
    assert [one.attributes.get("wxpass.error_code") for one in logins] == [
        None,
        "wechat_person_blocked",
    ]
    assert {"WeChat token", "WeChat phone"} <= {span.name for span in collector.spans}
    assert len(collector.named("GET /v1/me")) == 3
    assert len({span.span_id for span in collector.spans}) == len(collector.spans)
    known = {span.span_id for span in collector.spans} | {PARENT}
    assert [span for span in collector.spans if span.parent_id not in known] == []


def check_log(file: Path, collector: Collector) -> None:
    """Check that each request line names the span of its request."""
    lines = [line for line in file.read_text().splitlines() if "milliseconds=" in line]
    assert len([line for line in lines if f"trace_id={TRACE}" in line]) >= 11
    for span in collector.named(LOGIN):
        assert [line for line in lines if f"span_id={span.span_id}" in line]


def test_spans_that_are_still_queued_are_sent_at_the_exit(
    live_config: Config, database: Database, folder: Path, traced_person: Person
) -> None:
    with (
        collecting() as collector,
        traced_service(
            live_config, database, folder, collector.url, OTEL_BSP_SCHEDULE_DELAY="600000"
        ) as service,
    ):
        story = Story(service, traced_person)
        for _ in range(20):
            story.send("GET", "/openapi.json")
        assert collector.spans == []
        assert ended_well(service) < 10
        assert len(collector.named("GET /openapi.json")) == 20


def unanswering() -> socket.socket:
    """Return a socket that accepts connections and never answers."""
    return socket.create_server(("127.0.0.1", 0), backlog=100)


@pytest.mark.parametrize("kind", ["refuses", "never answers", "fails"])
def test_a_missing_collector_costs_no_request_and_few_warnings(
    live_config: Config, database: Database, folder: Path, traced_person: Person, kind: str
) -> None:
    """The queue of 50 spans overflows."""
    with unanswering() as silent, collecting() as failing:
        failing.status = 500
        endpoint = {
            "refuses": "http://127.0.0.1:1",
            "never answers": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "fails": failing.url,
        }[kind]
        settings = {
            "OTEL_BSP_SCHEDULE_DELAY": "20",
            "OTEL_BSP_MAX_QUEUE_SIZE": "50",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10",
        }
        with traced_service(live_config, database, folder, endpoint, **settings) as service:
            story = Story(service, traced_person)
            seconds = []
            for _ in range(300):
                began = time.monotonic()
                assert story.send("GET", "/v1/me").status_code == 401
                seconds.append(time.monotonic() - began)
            assert ended_well(service) < 10
    text = (folder / "gunicorn.log").read_text()
    # One per worker.
    assert 1 <= text.count("traces_not_sent") <= 2
    assert HEADER_SECRET not in text
    assert "Traceback" not in text
    assert sorted(seconds)[-30] < 0.1


def test_without_the_packages_gunicorn_does_not_start_and_says_what_to_install(
    live_config: Config, database: Database, folder: Path
) -> None:
    hidden = folder / "opentelemetry"
    hidden.mkdir()
    (hidden / "__init__.py").write_text("")
    settings = {"PYTHONPATH": str(folder), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    with serving(live_config, folder, DATABASE_URL=database.server.url, **settings) as service:
        assert service.process.wait(60) != 0
        service.process.send_signal = lambda _: None  # type: ignore[method-assign]
    text = (folder / "gunicorn.log").read_text()
    assert "pip install --require-hashes -r requirements-tracing.txt" in text
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in text
