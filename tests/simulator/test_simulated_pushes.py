"""Message pushes of the simulator: modes, formats, retries and faults."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit

import pytest
from defusedxml.ElementTree import fromstring

from app.simulator.pushes.wire import FORMATS, MODES
from app.wechat import PushQuery, PushSecrets, open_push
from tests.fixtures.servers.http_servers import QuietServer

ACME = "wx00000000000000ac"
SECRETS = PushSecrets("acmetoken", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")


@dataclass
class Received:
    """A push that the mini-program's server received."""

    path: str
    query: dict[str, str]
    content_type: str
    body: bytes

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the body, which is JSON or XML."""
        if self.body.startswith(b"{"):
            return json.loads(self.body)
        return {child.tag: child.text or "" for child in fromstring(self.body)}

    def open(self, secrets: PushSecrets = SECRETS):
        """Verify and decrypt the push as the service does, at the time of the push."""
        names = ("timestamp", "nonce", "signature", "msg_signature")
        query = PushQuery(**{name: self.query.get(name, "") for name in names})
        return open_push(self.body, query, secrets, ACME, int(query.timestamp))


class MiniProgramServer(QuietServer):
    """A mini-program's server.

    The server sends `answers` in order and repeats the last one. Each answer contains status, body
    and delay in seconds.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[Received] = []
        self.answers = [(200, b"success", 0.0)]
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/portal?fixed=1"


class _Handler(BaseHTTPRequestHandler):
    server: MiniProgramServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, strict_parsing=True))
        content_type = self.headers["Content-Type"]
        self.server.received.append(Received(parts.path, query, content_type, body))
        answers = self.server.answers
        status, answer, wait = answers.pop(0) if len(answers) > 1 else answers[0]
        self.server.released.wait(wait)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[MiniProgramServer]:
    """A running server of a mini-program."""
    server = MiniProgramServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pusher(simulator, server):
    """A simulator that sends pushes of the app ACME to the server."""
    simulator.control(
        "/apps",
        appid=ACME,
        secret="acme secret",
        push_url=server.url,
        push_token=SECRETS.token,
        encoding_aes_key=SECRETS.encoding_aes_key,
    )
    return simulator


@pytest.mark.parametrize("mode", sorted(MODES))
@pytest.mark.parametrize("data_format", sorted(FORMATS))
def test_the_service_can_open_pushes_of_every_mode_and_format(pusher, server, mode, data_format):
    result = pusher.control(
        "/pushes", appid=ACME, event="debug_demo", mode=mode, format=data_format
    )
    assert (result["accepted"], len(result["attempts"])) == (True, 1)
    (received,) = server.received
    assert (received.path, received.query["fixed"]) == ("/portal", "1")
    assert received.content_type == {"json": "application/json", "xml": "text/xml"}[data_format]
    assert ("Event" in received.fields) is (mode != "safe")
    assert ("Encrypt" in received.fields) is (mode != "plain")
    assert ("msg_signature" in received.query) is (mode != "plain")
    secrets = PushSecrets(SECRETS.token) if mode == "plain" else SECRETS
    push = received.open(secrets)
    assert (push.event, push.created_at) == ("debug_demo", result["message"]["CreateTime"])
    assert push.from_user == result["message"]["FromUserName"]


def test_a_push_contains_the_given_fields(pusher, server):
    fields = {"MsgType": "text", "MsgId": 7, "Content": "小花 ]]> & <b>", "CreateTime": 1}
    for data_format in FORMATS:
        pusher.control("/pushes", appid=ACME, fields=fields, format=data_format)
    for received in server.received:
        push = received.open()
        assert (push.event, push.msg_id, push.created_at) == ("text", "7", 1)
    as_json = next(r.open() for r in server.received if b"{" in r.body[:1])
    assert json.loads(as_json.message)["Content"] == fields["Content"]
    as_xml = next(r.open() for r in server.received if b"<" in r.body[:1])
    assert fromstring(as_xml.message).findtext("Content") == fields["Content"]


@pytest.mark.parametrize("answer", [(500, b"success"), (200, b"ok"), (200, b"<xml/>")])
def test_a_push_is_sent_three_times_if_the_server_never_returns_success(pusher, server, answer):
    server.answers = [(*answer, 0.0)]
    result = pusher.control("/pushes", appid=ACME, event="debug_demo")
    assert not result["accepted"]
    assert [attempt["status"] for attempt in result["attempts"]] == [answer[0]] * 3
    assert len({received.query["nonce"] for received in server.received}) == 3
    assert len({received.open().message for received in server.received}) == 1


def test_a_push_is_sent_again_after_a_timeout(pusher, server):
    server.answers = [(200, b"success", 9.0), (200, b"", 0.0)]
    result = pusher.control("/pushes", appid=ACME, event="debug_demo", patience=0.2)
    assert result["attempts"][0] == {"status": None, "answer": "TimeoutError"}
    assert (result["accepted"], len(result["attempts"])) == (True, 2)


@pytest.mark.parametrize(
    ("url", "error"),
    [("http://127.0.0.1:1/", "ConnectionRefusedError"), ("http://127.0.0.1:x/", "InvalidURL")],
)
def test_a_push_returns_the_error_of_each_failed_connection(pusher, url, error):
    result = pusher.control("/pushes", appid=ACME, event="x", url=url)
    assert [attempt["answer"] for attempt in result["attempts"]] == [error] * 3


def test_the_fault_duplicate_sends_the_same_bytes_twice(pusher, server):
    pusher.control("/pushes", appid=ACME, event="debug_demo", faults=["duplicate"])
    first, second = server.received
    assert first == second


def test_the_fault_wrong_signature_sends_a_signature_that_does_not_match(pusher, server):
    wrong = {"appid": ACME, "event": "debug_demo", "faults": ["wrong_signature"]}
    pusher.control("/pushes", **wrong)
    pusher.control("/pushes", mode="plain", **wrong)
    pusher.control("/pushes", mode="plain", appid=ACME, event="debug_demo")
    encrypted, plain, valid = (received.query for received in server.received)
    assert encrypted["msg_signature"] == encrypted["signature"]
    assert len(plain["signature"]) == len(valid["signature"]) == 40


def test_the_faults_stale_and_foreign_appid_change_the_timestamp_and_the_appid(pusher, server):
    pusher.control("/pushes", appid=ACME, event="x", faults=["stale"])
    pusher.control("/pushes", appid=ACME, event="x")
    stale, fresh = (int(received.query["timestamp"]) for received in server.received)
    assert 3500 < fresh - stale < 3700
    pusher.control("/pushes", appid=ACME, event="x", faults=["foreign_appid"])
    with pytest.raises(Exception, match="ForeignPush"):
        server.received[-1].open()


def test_compliance_events_have_the_fields_that_wechat_documents(pusher, server):
    openid = pusher.log_in()["openid"]
    person = {"person": "alice", "appid": ACME, "mode": "plain"}
    pusher.control("/revoke", revoke_info="8", **person)
    pusher.control("/revoke", revoke_info="1", plugin_id="wxplugin", **person)
    pusher.control("/cancel-account", **person)
    pusher.control("/modify-profile", **person)
    revoked, in_plugin, cancelled, modified = (received.fields for received in server.received)
    always = {"ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "OpenID", "AppID"}
    assert set(cancelled) == set(modified) == always
    assert set(revoked) == always | {"RevokeInfo"}
    assert set(in_plugin) == always | {"RevokeInfo", "PluginID", "OpenPID"}
    assert revoked["Event"] == in_plugin["Event"] == "user_authorization_revoke"
    assert cancelled["Event"] == "user_authorization_cancellation"
    assert modified["Event"] == "user_info_modified"
    for event in (revoked, in_plugin, cancelled, modified):
        assert (event["OpenID"], event["AppID"], event["MsgType"]) == (openid, ACME, "event")
        assert event["FromUserName"] != openid
        assert isinstance(event["CreateTime"], int)
    assert (revoked["RevokeInfo"], in_plugin["OpenPID"][0]) == ("8", " ")


@pytest.mark.parametrize(
    ("path", "body", "advice"),
    [
        ("/pushes", {"event": "x", "url": "127.0.0.1:8000"}, "Give url"),
        ("/pushes", {"event": "x", "url": "ftp://x/"}, "Give url"),
        ("/pushes", {"event": "x", "mode": "secret"}, "one of compatible, plain, safe"),
        ("/pushes", {"event": "x", "format": "yaml"}, "one of json, xml"),
        ("/pushes", {"event": "x", "faults": ["meteor"]}, "duplicate"),
        ("/pushes", {"fields": {"a": []}}, "strings and integers"),
        ("/pushes", {"fields": []}, "strings and integers"),
        ("/revoke", {"person": "alice"}, "Give revoke_info"),
        ("/cancel-account", {"person": "nobody"}, "There is no person nobody"),
        ("/apps", {"secret": "s", "encoding_aes_key": "short"}, "43 letters"),
    ],
)
def test_an_invalid_push_request_returns_an_error_with_advice_in_english_and_chinese(
    pusher, path, body, advice
):
    response = pusher.http.post(f"/_simulator{path}", json={"appid": ACME, **body})
    assert response.status_code in (400, 404)
    english, chinese = response.get_json()["error"].split(" / ", 1)
    assert advice in english
    assert any("一" <= letter <= "鿿" for letter in chinese)


def test_a_push_of_an_app_without_push_secrets_is_rejected(simulator, server):
    body = {"appid": ACME, "event": "x", "url": server.url}
    response = simulator.http.post("/_simulator/pushes", json=body)
    assert (response.status_code, server.received) == (400, [])
    assert "push_token" in response.text
