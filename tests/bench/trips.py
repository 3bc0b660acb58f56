"""A proxy that counts the round trips between the service and PostgreSQL.

A round trip begins when the service sends bytes after PostgreSQL has sent bytes. So BEGIN, COMMIT
and pings are counted, too, and the count does not depend on the driver.
"""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

CHUNK = 65536


@dataclass
class Trips:
    """The URL of the proxy, and the number of round trips through the proxy so far."""

    url: str
    count: int = 0


class ProxiedConnection:
    """A proxied connection. It stores whether the server or the client sent last."""

    def __init__(self, trips: Trips) -> None:
        self.trips = trips
        self.server_sent_last = True

    async def forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_server: bool
    ) -> None:
        """Forward bytes in one direction until the sender closes the connection."""
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                if to_server and self.server_sent_last:
                    self.trips.count += 1
                self.server_sent_last = not to_server
                writer.write(data)
        writer.close()


@contextmanager
def counting_trips(database_url: str) -> Iterator[Trips]:
    """Run a proxy in front of a database inside the block. Connections must use `Trips.url`."""
    upstream, name = socket_of(database_url)
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(prefix="wxpass-trips-") as folder:
        query = f"host={quote(folder)}&port=5432"
        trips = Trips(f"postgresql://postgres@/{name}?{query}")

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there = await asyncio.open_unix_connection(str(upstream))
            proxied = ProxiedConnection(trips)
            await asyncio.gather(
                proxied.forward(reader, there[1], to_server=True),
                proxied.forward(there[0], writer, to_server=False),
            )

        listening = asyncio.start_unix_server(connected, str(Path(folder, upstream.name)))
        loop.run_until_complete(listening)
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        yield trips
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def socket_of(database_url: str) -> tuple[Path, str]:
    """Return the path of the Unix socket and the database name in a database URL."""
    parts = urlsplit(database_url)
    query = parse_qs(parts.query)
    return Path(query["host"][0], f".s.PGSQL.{query['port'][0]}"), parts.path.lstrip("/")
