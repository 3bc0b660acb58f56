"""Whether WeChat can be reached from this machine, for an operator."""

import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import urlsplit

from app.wechat.http_connections import ConnectionPool, NotConnected

Step = Literal["name", "connection", "proxy", "certificate", "response", "reached"]
MOST_HEAD_BYTES = 16 * 1024
# The exceptions that ConnectionPool names in NotConnected.
STEPS: dict[str, Step] = {
    "gaierror": "name",
    "SSLCertVerificationError": "certificate",
    "SSLError": "certificate",
}


@dataclass(frozen=True, slots=True)
class Reachability:
    """The step at which an attempt to reach WeChat has ended, and the time by WeChat's clock.

    `reason` is safe to show.
    """

    step: Step
    reason: str = ""
    server_time: datetime | None = None


def try_to_reach(base_url: str, proxy_url: str | None, ca_file: str | None) -> Reachability:
    """Send one request without any secret to WeChat. It counts toward no quota."""
    pool = ConnectionPool(base_url, proxy_url, ca_file)
    try:
        connection = pool.take()
    except NotConnected as error:
        reason = str(error)
        step: Step = "proxy" if reason.startswith("the proxy") else "connection"
        return Reachability(STEPS.get(reason, step), reason)
    try:
        host = urlsplit(base_url).netloc
        connection.sendall(f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head = _read_head(connection)
    except OSError as error:
        return Reachability("response", type(error).__name__)
    finally:
        connection.close()
    if not head.startswith("HTTP/"):
        return Reachability("response", "no HTTP response")
    return Reachability("reached", server_time=_date_of(head))


def _read_head(connection: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < MOST_HEAD_BYTES:
        received = connection.recv(4096)
        if not received:
            break
        head += received
    return head.decode("latin-1")


def _date_of(head: str) -> datetime | None:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "date":
            with suppress(ValueError):
                return parsedate_to_datetime(value.strip())
    return None
