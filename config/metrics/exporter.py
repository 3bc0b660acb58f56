"""The process that serves `GET /metrics`: `python -m config.metrics.exporter`.

gunicorn's master starts it (config/metrics/child.py). It ends with the master. Every connection has
a deadline, and there is a bound on connections. Above the bound, a new connection replaces the
oldest one, so that slow clients do not exclude Prometheus.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections import OrderedDict
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from config.metrics.exposition import render

MOST_CONNECTIONS = 32
LONGEST_HEAD = 8 * 1024
# To send the request, and to receive the response.
REQUEST_SECONDS = 5.0
RESPONSE_SECONDS = 10.0
# Scrapes within this time get the same values, so that many scrapes cost little CPU time.
SAME_SECONDS = 1.0
# How often to try a port that is in use, and how often to log that.
RETRY_SECONDS = 0.25
WARN_SECONDS = 300.0
# How often to check whether the master still runs.
PARENT_SECONDS = 0.5
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REQUEST = b"GET /metrics"


class Exporter:
    """Serves the metrics of a folder."""

    def __init__(self, folder: Path, *, as_json: bool = False) -> None:
        self._folder = folder
        self._as_json = as_json
        self._connections: OrderedDict[asyncio.Task[None], None] = OrderedDict()
        self._body, self._rendered_at = b"", float("-inf")

    async def serve(self, host: str, port: int, parent: int) -> None:
        """Serve until the process `parent` is no longer the parent. Wait while the port is used."""
        server, warn_at = None, 0.0
        while os.getppid() == parent:
            if server is None:
                try:
                    server = await asyncio.start_server(
                        self._connected, host, port, limit=LONGEST_HEAD
                    )
                except OSError as error:
                    if time.monotonic() >= warn_at:
                        self._log("metrics_port_unavailable", error=os.strerror(error.errno or 0))
                        warn_at = time.monotonic() + WARN_SECONDS
            await asyncio.sleep(RETRY_SECONDS if server is None else PARENT_SECONDS)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for mypy
        self._connections[task] = None
        if len(self._connections) > MOST_CONNECTIONS:
            oldest, _ = self._connections.popitem(last=False)
            oldest.cancel()
        try:
            await self._answer(reader, writer)
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass
        except asyncio.CancelledError:
            pass  # Replaced by a newer connection.
        finally:
            self._connections.pop(task, None)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(REQUEST_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        status, body = self._response_to(head)
        writer.transport.set_write_buffer_limits(high=0)
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\n"
            "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n".encode()
        )
        writer.write(body)
        async with asyncio.timeout(RESPONSE_SECONDS):
            await writer.drain()
            # Wait until the client closes. An abort could discard what it has not received yet.
            writer.write_eof()
            while await reader.read(LONGEST_HEAD):
                pass

    def _response_to(self, head: bytes) -> tuple[str, bytes]:
        target, _, version = head.partition(b"\r\n")[0].rpartition(b" ")
        if target.partition(b"?")[0] != REQUEST or not version.startswith(b"HTTP/1."):
            return "404 Not Found", b"GET /metrics\n"
        try:
            return "200 OK", self._values()
        except Exception as error:
            self._log("metrics_unreadable", error=type(error).__name__)
            return "500 Internal Server Error", b""

    def _values(self) -> bytes:
        moment = time.monotonic()
        if moment - self._rendered_at >= SAME_SECONDS:
            self._body, self._rendered_at = render(self._folder), moment
        return self._body

    def _log(self, event: str, **facts: str) -> None:
        moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = {"event": event, "level": "warning", "timestamp": moment, **facts}
        text = " ".join(f"{name}={value}" for name, value in line.items())
        with suppress(OSError):
            print(json.dumps(line) if self._as_json else text, file=sys.stderr, flush=True)


def main() -> None:
    """Run the exporter."""
    parser = argparse.ArgumentParser(prog="config.metrics.exporter")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    # Ctrl-C reaches all processes of a terminal. The master decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(
        Exporter(given.folder, as_json=given.json).serve(given.host, given.port, given.parent)
    )


if __name__ == "__main__":
    main()
