"""DeadlineSocket: deadlines for slow and idle clients of a worker."""

import socket
from collections.abc import Iterator

import pytest
from gunicorn.http.errors import NoMoreData

from config import worker
from config.worker import DeadlineSocket


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[DeadlineSocket, socket.socket]]:
    """The server's socket and the client's socket of a connection, with deadlines of 50 ms."""
    monkeypatch.setattr(worker, "HEAD_SECONDS", 0.05)
    monkeypatch.setattr(worker, "BODY_SECONDS", 0.05)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield DeadlineSocket(ours, keepalive=0.05), theirs


Pair = tuple[DeadlineSocket, socket.socket]


def test_an_incomplete_request_head_closes_the_connection_at_the_deadline(pair: Pair) -> None:
    ours, theirs = pair
    theirs.sendall(b"GET / HT")
    assert ours.recv(100) == b"GET / HT"
    with pytest.raises(NoMoreData):
        ours.recv(100)


def test_an_incomplete_body_raises_timeout_error_first_and_then_closes_the_connection(
    pair: Pair,
) -> None:
    ours, theirs = pair
    ours.begin_body()
    theirs.sendall(b"{")
    assert ours.recv(100) == b"{"
    with pytest.raises(TimeoutError):
        ours.recv(100)
    with pytest.raises(NoMoreData):
        ours.recv(100)


def test_received_bytes_of_a_body_extend_the_deadline_of_the_body(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    ours.begin_body()
    before = ours._deadline
    theirs.sendall(b"x" * 6400)
    received = len(ours.recv(6400))
    assert ours._deadline - before == pytest.approx(received / worker.BYTES_PER_SECOND)


def test_an_idle_connection_is_closed_after_the_keepalive_time(pair: Pair) -> None:
    ours, _ = pair
    ours.begin_idle()
    with pytest.raises(NoMoreData):
        ours.recv(100)


def test_the_first_byte_after_idle_time_starts_the_deadline_of_the_request_head(pair: Pair) -> None:
    ours, theirs = pair
    ours.begin_idle()
    theirs.sendall(b"G")
    assert ours.recv(100) == b"G"
    theirs.sendall(b"E")
    assert ours.recv(100) == b"E"
    with pytest.raises(NoMoreData):
        ours.recv(100)


def test_deadline_socket_delegates_other_methods_to_the_socket(pair: Pair) -> None:
    ours, theirs = pair
    ours.sendall(b"HTTP/1.1 200 OK")
    assert theirs.recv(100) == b"HTTP/1.1 200 OK"
    assert ours.fileno() > 0
