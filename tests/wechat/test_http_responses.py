"""Reading of HTTP responses: lengths, encodings, and what makes a connection unusable."""

import gc
import gzip
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.wechat import http_responses
from app.wechat.http_responses import BrokenResponse, HttpResponse, read_response

HEAD = b"HTTP/1.1 200 OK\r\n"
GZIP = gzip.compress(b"{}", mtime=0)  # the time would differ between processes of pytest
SIZED = HEAD + b"Content-Length: 2\r\n\r\n{}"


@contextmanager
def connection_with(*parts: bytes) -> Iterator[socket.socket]:
    """A connection on which a server has sent parts of a response, and closed it."""
    client, server = socket.socketpair()
    with client:
        with server:
            for part in parts:
                server.sendall(part)
        yield client


def read(*parts: bytes, most_bytes: int = 1000) -> HttpResponse:
    with connection_with(*parts) as connection:
        return read_response(connection, most_bytes)


@pytest.mark.parametrize(
    ("response", "content"),
    [
        (SIZED, b"{}"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", b"{}"),
        (HEAD + b"content-length:0\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + SIZED, b"{}"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + SIZED, b"{}"),
    ],
    ids=["length", "chunked", "empty", "continue", "early hints"],
)
def test_a_complete_response_leaves_the_connection_usable(response: bytes, content: bytes) -> None:
    assert read(response) == HttpResponse(200, content, can_reuse=True)


@pytest.mark.parametrize(
    "response",
    [
        HEAD + b"\r\n{}",
        HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        SIZED + b"garbage",
        SIZED + SIZED,
    ],
    ids=["no length", "close", "HTTP/1.0", "garbage behind", "second response behind"],
)
def test_a_response_after_which_the_connection_is_closed(response: bytes) -> None:
    assert read(response) == HttpResponse(200, b"{}", can_reuse=False)


@pytest.mark.parametrize("status", [204, 302, 412, 500])
def test_the_body_of_another_status_is_not_read(status: int) -> None:
    response = read(b"HTTP/1.1 %d No\r\nContent-Length: 99999\r\n\r\nx" % status)
    assert (response.status, response.can_reuse) == (status, False)


@pytest.mark.parametrize("wbits", [zlib.MAX_WBITS + 16, zlib.MAX_WBITS], ids=["gzip", "deflate"])
def test_a_compressed_body_is_decompressed(wbits: int) -> None:
    compressor = zlib.compressobj(wbits=wbits)
    body = compressor.compress(b"{}") + compressor.flush()
    encoding = b"gzip" if wbits > zlib.MAX_WBITS else b"Deflate"
    head = HEAD + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(body))
    assert read(head + body).content == b"{}"


@pytest.mark.parametrize(
    "response",
    [
        b"220 mail.example ESMTP\r\n",
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        HEAD + b"Content-Length: -1\r\n\r\n{}",
        HEAD + b"X : 1\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        HEAD,
        HEAD + b"Content-Length: 3\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}",
        HEAD + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 14\r\n\r\n" + GZIP[:14],
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 23\r\n\r\n" + GZIP + b"x",
    ],
)
def test_a_broken_response_is_rejected(response: bytes) -> None:
    with pytest.raises(BrokenResponse):
        read(response)


def test_a_connection_closed_before_the_response_raises_connection_reset() -> None:
    with pytest.raises(ConnectionResetError):
        read()


@pytest.mark.parametrize(
    "response",
    [
        HEAD + b"X: " + b"x" * 2000,
        HEAD + b"X: x\r\n" * 400,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
        HEAD + b"\r\n" + b"x" * 2000,
    ],
    ids=["long header", "many headers", "many interim responses", "long body"],
)
def test_head_and_body_of_a_response_are_limited(
    response: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_responses, "_CHUNK_BYTES", 7)
    with pytest.raises(BrokenResponse, match="too long"):
        read(response)


def test_the_decompressed_body_is_limited() -> None:
    body = zlib.compress(b" " * 100_000)
    head = HEAD + b"Content-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(body)
    with pytest.raises(BrokenResponse, match="too long"):
        read(head + body)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_response_may_arrive_in_parts_of_any_size(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_responses, "_CHUNK_BYTES", size)
    response = HEAD + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"
    assert read(response) == HttpResponse(200, b"{}", can_reuse=True)


def test_a_response_that_takes_too_long_in_all_is_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte arrives in time, but the response would take hours."""
    monkeypatch.setattr(http_responses, "TOTAL_TIMEOUT", -1.0)
    monkeypatch.setattr(http_responses, "_CHUNK_BYTES", 1)
    with pytest.raises(TimeoutError):
        read(SIZED)


def test_a_response_leaves_no_reference_cycle() -> None:
    """The content, which contains a session_key, is freed without a garbage collection."""
    gc.collect()
    gc.disable()
    try:
        read(SIZED)
        assert not any(isinstance(one, http_responses._Reader) for one in gc.get_objects())
    finally:
        gc.enable()
