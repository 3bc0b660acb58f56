"""How often a request goes to PostgreSQL and back, counted on the wire.

A proxy stands between the service and PostgreSQL; whenever a client speaks after the server has
spoken, or first of all, a trip begins. So it counts BEGIN, COMMIT and pings as well, and does not
know by what driver they are sent.
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
    """How many there were, and the URL by which they are counted."""

    url: str
    count: int = 0


class Talk:
    """One connection, and who spoke last."""

    def __init__(self, trips: Trips) -> None:
        self.trips = trips
        self.server_spoke = True

    async def carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_server: bool
    ) -> None:
        """Carry what one side says to the other, until it ends."""
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                if to_server and self.server_spoke:
                    self.trips.count += 1
                self.server_spoke = not to_server
                writer.write(data)
        writer.close()


@contextmanager
def counting_trips(database_url: str) -> Iterator[Trips]:
    """Stand between whoever uses the given URL and the database."""
    upstream, name = socket_of(database_url)
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(prefix="wxpass-trips-") as folder:
        query = f"host={quote(folder)}&port=5432"
        trips = Trips(f"postgresql://postgres@/{name}?{query}")

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there = await asyncio.open_unix_connection(str(upstream))
            talk = Talk(trips)
            await asyncio.gather(
                talk.carry(reader, there[1], to_server=True),
                talk.carry(there[0], writer, to_server=False),
            )

        listening = asyncio.start_unix_server(connected, str(Path(folder, upstream.name)))
        loop.run_until_complete(listening)
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        yield trips
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def socket_of(database_url: str) -> tuple[Path, str]:
    """Say where the embedded PostgreSQL of a URL listens, and the name of the database."""
    parts = urlsplit(database_url)
    query = parse_qs(parts.query)
    return Path(query["host"][0], f".s.PGSQL.{query['port'][0]}"), parts.path.lstrip("/")
