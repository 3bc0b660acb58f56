"""Reading of an HTTP response with httptools, which wraps the parser of Node.js (llhttp)."""

import socket
import time
import zlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

TOTAL_TIMEOUT = 8.0  # seconds
_CHUNK_BYTES = 16 * 1024
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class BrokenResponse(Exception):
    """The response is malformed, incomplete or too long. The message is safe to log."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response. `content` is complete and decompressed if the status is 200, else empty."""

    status: int
    content: bytes
    can_reuse: bool  # whether the connection may be used for another request


def read_response(connection: socket.socket, most_bytes: int) -> HttpResponse:
    """Read the response to a request.

    Raises OSError, and BrokenResponse, also if head and body, or the decompressed body, exceed
    `most_bytes`. The timeout of the connection limits the time between two bytes, and
    `TOTAL_TIMEOUT` the whole response.
    """
    reader = _Reader()
    received, deadline = 0, time.monotonic() + TOTAL_TIMEOUT
    while not reader.is_complete:
        if received and time.monotonic() > deadline:
            raise TimeoutError
        data = connection.recv(_CHUNK_BYTES)
        if not data and not received:
            raise ConnectionResetError
        received += len(data)
        if received > most_bytes:
            raise BrokenResponse("answer too long")
        reader.feed(data)
    reader.release()
    return HttpResponse(reader.status, reader.read_content(most_bytes), reader.can_reuse)


class _Reader:
    """Receives the events of the parser. Skips informational responses (1xx)."""

    def __init__(self) -> None:
        self._parser: Any = HttpResponseParser(self)
        self._content = b""
        self._encoding = b""
        self._has_length = False
        self._has_head = False
        self.status = 0
        self.is_complete = False
        self.can_reuse = False

    def feed(self, data: bytes) -> None:
        if not data:
            self._end()
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            if not self.is_complete:
                raise BrokenResponse("answer is no HTTP response") from None
            self.can_reuse = False  # data follows the response

    def release(self) -> None:
        """Break the reference cycle with the parser, so that the response is freed immediately."""
        self._parser = None

    def read_content(self, most_bytes: int) -> bytes:
        if self._encoding in (b"", b"identity"):
            return self._content
        if self._encoding not in (b"gzip", b"deflate"):
            raise BrokenResponse("answer has an unknown encoding")
        inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            content = inflater.decompress(self._content, most_bytes + 1)
        except zlib.error:
            raise BrokenResponse("answer is no gzip data") from None
        if len(content) > most_bytes:
            raise BrokenResponse("answer too long")
        if not inflater.eof or inflater.unused_data:
            raise BrokenResponse("answer is no gzip data")
        return content

    def _end(self) -> None:
        """Handle the end of the connection, which ends a body without a length."""
        if not self._has_head or self._has_length:
            raise BrokenResponse("answer is incomplete")
        self.is_complete = True

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise BrokenResponse("data follows the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"content-encoding":
            self._encoding = value.strip().lower()
        elif name in (b"content-length", b"transfer-encoding"):
            self._has_length = True

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._has_head = self.status >= HTTPStatus.OK
        if self.status == HTTPStatus.OK:
            self.can_reuse = self._parser.should_keep_alive()
        elif self._has_head:
            # Only the status matters. The connection is closed, because the body is not read.
            self.is_complete = True

    def on_body(self, data: bytes) -> None:
        self._content += data

    def on_message_complete(self) -> None:
        self.is_complete = self._has_head
