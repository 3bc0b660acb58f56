"""A TLS connection to a checked address, with one deadline for everything."""

import io
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from app.notifications.failures import NotDelivered, Reason

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

R = TypeVar("R")

CONNECT_SECONDS = 3.0  # for each address
MOST_ADDRESSES = 2  # addresses that are tried
TOTAL_SECONDS = 10.0
MOST_BYTES = 64 * 1024  # of an answer with its head
_CHUNK_BYTES = 16 * 1024


class Deadline:
    """The end of a delivery."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def rest(self) -> float:
        """Return the seconds that are left. Raise TimeoutError if there are none."""
        rest = self._end - time.monotonic()
        if rest <= 0:
            raise TimeoutError
        return rest


# Connects to an address and port within some seconds. Raises OSError.
Dial = Callable[[tuple[str, int], float], socket.socket]


def connect(dial: Dial, addresses: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    """Return a connection to the first address that accepts one. Raise NotDelivered."""
    for address in addresses[:MOST_ADDRESSES]:
        try:
            return dial((address, port), min(CONNECT_SECONDS, deadline.rest()))
        except OSError:
            continue
    raise NotDelivered(Reason.NOT_CONNECTED)


class TlsStream(io.RawIOBase):
    """The plaintext of a TLS connection. Every wait ends at the deadline.

    A timeout of the socket alone would start again with each byte of the peer. The TLS layer reads
    and writes memory, so that each operation of the socket gets the time that is left.
    """

    def __init__(
        self, connection: socket.socket, context: ssl.SSLContext, host: str, deadline: Deadline
    ) -> None:
        super().__init__()
        self._connection = connection
        self._deadline = deadline
        self._received = 0
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def handshake(self) -> None:
        """Verify the certificate of the peer. Raise NotDelivered."""
        try:
            self._do(self._tls.do_handshake)
        except ssl.SSLCertVerificationError:
            raise NotDelivered(Reason.CERTIFICATE_INVALID) from None
        except OSError:
            raise NotDelivered(Reason.NOT_CONNECTED) from None

    def send(self, data: bytes) -> None:
        """Send all of `data`. Raises OSError."""
        self._do(lambda: self._tls.write(data))

    def readable(self) -> bool:
        """Return True, which io.BufferedReader requires."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read the next bytes. Raises OSError, also if the answer is too long."""
        view = memoryview(buffer).cast("B")
        data = self._do(lambda: self._tls.read(len(view)))
        view[: len(data)] = data
        return len(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return a buffered reader, as http.client.HTTPResponse asks for."""
        return io.BufferedReader(self)

    def _do(self, operation: Callable[[], R]) -> R:
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._connection.settimeout(self._deadline.rest())
            self._connection.sendall(data)

    def _fill(self) -> None:
        self._connection.settimeout(self._deadline.rest())
        data = self._connection.recv(_CHUNK_BYTES)
        self._received += len(data)
        if self._received > MOST_BYTES:
            raise AnswerTooLong
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


class AnswerTooLong(OSError):
    """The peer sent more than `MOST_BYTES`."""
