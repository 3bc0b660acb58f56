"""Network failures of calls to WeChat, and secrecy of codes, tokens and AppSecrets."""

import contextlib
import gzip
import json
import logging
import socket
import traceback

import pytest

from app.wechat import (
    AppMisconfigured,
    WeChatClient,
    WeChatError,
    WeChatUnavailable,
    http_connections,
    transport,
)
from tests.fixtures.waiting import until

SESSION = {"openid": "oAlice", "session_key": "tiihtNczf5v6AKRyjwEUhQ=="}
SECRET = "a5ec12e7a5ec12e7"
CODE = "071GaTvK0UyoL92mO8yK"


def log_in(client):
    return client.code_to_session("wxacme", SECRET, CODE)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/json; encoding=utf-8", "text/html; charset=gbk", "nonsense", ""],
)
def test_the_content_type_of_a_response_is_ignored(client, wechat, content_type):
    wechat.answers(SESSION, headers={"Content-Type": content_type})
    assert log_in(client).openid == "oAlice"


def test_a_wechat_response_is_decoded_as_utf_8(client, wechat):
    answer = {**SESSION, "nickName": "爱丽丝😀"}
    wechat.answers(json.dumps(answer, ensure_ascii=False).encode("utf-8"))
    read = transport.Transport(wechat.url)
    assert read.exchange("GET", "/")["nickName"] == "爱丽丝😀"
    read.close()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><body>502 Bad Gateway</body></html>",
        b"<xml></xml>",
        b'{"openid":"oAlice","session_k',
        b"[]",
        b"null",
        b'"ok"',
        b"40029",
        b'{"openid":"\xff"}',
        json.dumps(SESSION).encode("utf-16"),
        b"[" * 60_000,
        b"{" + b" " * 70_000 + b"}",
    ],
    ids=lambda content: f"{content[:20]!r}",
)
def test_a_response_that_is_not_a_json_object_raises_unavailable(client, wechat, content):
    wechat.answers(content)
    with pytest.raises(WeChatUnavailable) as caught:
        log_in(client)
    assert caught.value.maybe_consumed
    assert len(wechat.received) == 1


@pytest.mark.parametrize("status", [201, 204, 400, 412, 500, 502, 503])
def test_a_response_status_other_than_200_raises_unavailable(client, wechat, status):
    wechat.answers(b"" if status == 204 else SESSION, status=status)
    with pytest.raises(WeChatUnavailable, match=f"HTTP {status}"):
        log_in(client)
    assert len(wechat.received) == 1


@pytest.mark.parametrize("location", ["/sns/elsewhere", "http://[broken", "http://127.0.0.1:1/"])
def test_redirects_by_wechat_are_not_followed(client, wechat, location):
    wechat.answers(SESSION, status=302, headers={"Location": location})
    with pytest.raises(WeChatUnavailable, match="HTTP 302"):
        log_in(client)
    assert len(wechat.received) == 1


def test_cookies_set_by_wechat_are_not_sent_back(client, wechat):
    wechat.answers(SESSION, headers={"Set-Cookie": "who=alice; Path=/"})
    log_in(client)
    log_in(client)
    assert [request.headers["Cookie"] for request in wechat.received] == [None, None]


def test_sequential_calls_to_wechat_reuse_one_connection(client, wechat):
    wechat.answers(SESSION)
    for _ in range(5):
        log_in(client)
    assert wechat.connections == 1


def test_a_large_compressed_response_is_rejected(client, wechat):
    bomb = gzip.compress(b" " * 5_000_000)
    wechat.answers(bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(WeChatUnavailable, match="too long"):
        log_in(client)


def test_the_connection_of_an_oversized_response_is_closed(client, wechat):
    """The unread rest would otherwise be read as the response to the next login."""
    wechat.answers(b"x" * 1_000_000)
    for _ in range(3):
        with pytest.raises(WeChatUnavailable, match="too long"):
            log_in(client)
    wechat.answers(SESSION)
    assert log_in(client).openid == log_in(client).openid == "oAlice"
    assert wechat.connections == 4


def test_a_compressed_response_that_was_not_requested_is_read(client, wechat):
    wechat.answers(
        gzip.compress(json.dumps(SESSION).encode()), headers={"Content-Encoding": "gzip"}
    )
    assert log_in(client).openid == "oAlice"


def test_a_login_call_to_wechat_sends_only_the_expected_headers(client, wechat):
    wechat.answers(SESSION)
    log_in(client)
    assert dict(wechat.received[0].headers) == {
        "Host": wechat.url.removeprefix("http://"),
        "User-Agent": "wxpass",
        "Accept-Encoding": "identity",
        "Accept": "*/*",
        "Connection": "keep-alive",
    }


@pytest.mark.parametrize("end", ["", "/"])
def test_the_path_of_the_base_url_is_prepended_to_api_paths(wechat, end):
    client = WeChatClient(f"{wechat.url}/mirror/of{end}")
    wechat.answers(SESSION)
    log_in(client)
    client.close()
    assert wechat.received[0].path == "/mirror/of/sns/jscode2session"


def test_http_proxies_set_in_environment_variables_are_ignored(
    client, wechat, refused_url, monkeypatch
):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, refused_url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    wechat.answers(SESSION)
    assert log_in(client).openid == "oAlice"


def test_a_call_that_timed_out_is_not_retried(client, wechat, monkeypatch):
    monkeypatch.setattr(http_connections, "READ_TIMEOUT", 0.1)
    wechat.answers(SESSION, waits=5.0)
    with pytest.raises(WeChatUnavailable) as caught:
        log_in(client)
    assert caught.value.maybe_consumed
    until(lambda: wechat.received)
    assert len(wechat.received) == 1


def test_a_call_whose_connection_was_dropped_is_not_retried(client, wechat):
    wechat.answers(SESSION, drops_connection=True)
    with pytest.raises(WeChatUnavailable) as caught:
        log_in(client)
    assert caught.value.maybe_consumed
    assert len(wechat.received) == 1


def test_a_call_whose_reused_connection_was_dropped_is_not_retried(client, wechat):
    """The code may be used up, so a retry could not succeed."""
    wechat.answers(SESSION)
    log_in(client)
    wechat.answers(SESSION, drops_connection=True)
    with pytest.raises(WeChatUnavailable) as caught:
        log_in(client)
    assert caught.value.maybe_consumed
    assert (len(wechat.received), wechat.connections) == (2, 1)


def test_a_connection_closed_by_wechat_is_not_reused(client, wechat):
    raw = json.dumps(SESSION).encode()
    wechat.answers(raw, claims_bytes=len(raw))  # closes the connection without a header
    for number in range(1, 4):
        log_in(client)
        until(lambda number=number: wechat.closed == number)
    assert (len(wechat.received), wechat.connections) == (3, 3)


def test_a_call_with_a_truncated_response_is_not_retried(client, wechat):
    wechat.answers(SESSION, claims_bytes=1000)
    with pytest.raises(WeChatUnavailable) as caught:
        log_in(client)
    assert caught.value.maybe_consumed
    assert len(wechat.received) == 1


def test_a_refused_connection_reports_that_the_code_is_not_used_up(refused_url):
    client = WeChatClient(refused_url)
    with pytest.raises(WeChatUnavailable) as caught:
        log_in(client)
    assert not caught.value.maybe_consumed


def test_an_unknown_host_reports_that_the_code_is_not_used_up(monkeypatch):
    def unknown(*args):
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    client = WeChatClient("http://wechat.invalid")
    with pytest.raises(WeChatUnavailable) as caught:
        log_in(client)
    assert not caught.value.maybe_consumed


@pytest.mark.parametrize(("failures", "succeeds"), [(1, True), (2, False)])
def test_a_failed_connection_attempt_is_retried_once(
    client, wechat, monkeypatch, failures, succeeds
):
    connect, attempts = socket.create_connection, []

    def failing_at_first(*args, **kwargs):
        attempts.append(args)
        if len(attempts) <= failures:
            raise TimeoutError
        return connect(*args, **kwargs)

    monkeypatch.setattr(socket, "create_connection", failing_at_first)
    wechat.answers(SESSION)
    with contextlib.nullcontext() if succeeds else pytest.raises(WeChatUnavailable):
        log_in(client)
    assert len(attempts) == 2


def failures_by_name():
    yield "dropped", {"content": b"", "drops_connection": True}
    yield "garbled", {"content": f"<b>{SECRET}{CODE}</b>".encode()}
    yield "refused", {"content": {"errcode": 40125, "errmsg": f"invalid {SECRET} {CODE}"}}
    yield "misshapen", {"content": {"openid": SECRET, "session_key": SECRET + CODE}}
    yield "status", {"content": SECRET.encode(), "status": 500}
    yield "headers", {"content": b"[]", "headers": {"X": "1\r\n nonsense\r\nno colon here"}}


@pytest.mark.parametrize("how", dict(failures_by_name()).values(), ids=dict(failures_by_name()))
def test_exceptions_and_logs_of_failed_calls_contain_no_secret_or_code(
    client, wechat, caplog, monkeypatch, how
):
    monkeypatch.setattr(http_connections, "READ_TIMEOUT", 0.2)
    caplog.set_level(logging.DEBUG)
    wechat.answers(**how)
    with pytest.raises(WeChatError) as caught:
        log_in(client)
    assert_no_secret(caught.value, caplog.text)


def test_the_exception_and_log_of_a_failed_connection_contain_no_secret(refused_url, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(WeChatError) as caught:
        log_in(WeChatClient(refused_url))
    assert_no_secret(caught.value, caplog.text)


def assert_no_secret(error, logged):
    shown = "".join(traceback.format_exception(error)) + str(error) + repr(error) + logged
    assert SECRET not in shown
    assert CODE not in shown


def test_the_log_of_a_successful_login_contains_no_secret_or_session_key(client, wechat, caplog):
    caplog.set_level(logging.DEBUG)
    wechat.answers(SESSION)
    identity = log_in(client)
    assert SESSION["session_key"] not in repr(identity) + caplog.text
    assert SECRET not in caplog.text


def test_access_tokens_are_not_in_repr_exceptions_or_logs(client, wechat, caplog):
    caplog.set_level(logging.DEBUG)
    wechat.answers({"access_token": "74_token", "expires_in": 7200})
    assert "74_token" not in repr(client.stable_token("wxacme", SECRET))
    wechat.answers({"errcode": 48001})
    with pytest.raises(AppMisconfigured) as caught:
        client.phone_number("wxacme", "74_token", CODE)
    assert "74_token" not in caplog.text + repr(caught.value) + str(caught.value)
