"""SQL round trips per request, counted on the wire.

A proxy stands between the service and PostgreSQL. A round trip starts when the client sends after
the server has sent. So BEGIN, COMMIT and pings are counted, with every driver.
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
    """The number of round trips, and the URL that counts them."""

    url: str
    count: int = 0


class ProxiedConnection:
    """One connection, and the side that sent last."""

    def __init__(self, trips: Trips) -> None:
        self.trips = trips
        self.server_sent_last = True

    async def forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_server: bool
    ) -> None:
        """Forward the bytes of one side until it closes the connection."""
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                if to_server and self.server_sent_last:
                    self.trips.count += 1
                self.server_sent_last = not to_server
                writer.write(data)
        writer.close()


@contextmanager
def counting_trips(database_url: str) -> Iterator[Trips]:
    """Run a proxy in front of the database."""
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
    """Return the socket of the embedded PostgreSQL and the name of the database."""
    parts = urlsplit(database_url)
    query = parse_qs(parts.query)
    return Path(query["host"][0], f".s.PGSQL.{query['port'][0]}"), parts.path.lstrip("/")
