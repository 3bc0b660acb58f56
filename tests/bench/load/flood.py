"""A flood of POST requests by many clients: `python -m tests.bench.load.flood`.

Each client repeats one POST request. `@` in the body is replaced by a number that is unique for
each request. After a response, a client waits for the seconds of Retry-After, or for the given
pause.
"""

import asyncio
import itertools
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from random import uniform
from urllib.parse import urlsplit

from config.development import ROOT
from config.development.children import launch
from tests.bench.data.world import Service, World

numbers = itertools.count()


@dataclass(frozen=True)
class Flood:
    """The number of clients, their request, and the pause between two requests in seconds."""

    clients: int
    path: str
    body: str
    pause: float

    @contextmanager
    def running(self, world: World, service: Service) -> Iterator[None]:
        """Run the clients in a separate process inside the block."""
        arguments = [service.url, str(self.clients), self.path, self.body, str(self.pause)]
        log = world.folder / "flood.log"
        child = launch("flood", ["tests.bench.load.flood", *arguments], world.environ, ROOT, log)
        try:
            yield
            child.check_running()
        finally:
            child.stop(5)


async def repeat(url: str, flood: Flood) -> None:
    """Send the requests of one client until the process is stopped."""
    host, port = urlsplit(url).netloc.split(":")
    while True:
        wait = flood.pause
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(host, int(port))
            body = flood.body.replace("@", str(next(numbers)))
            writer.write(
                f"POST {flood.path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body.encode()
            )
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            writer.close()
            if "retry-after: " in head:
                wait = float(head.partition("retry-after: ")[2].partition("\r\n")[0])
        await asyncio.sleep(wait * uniform(0.5, 1.5))


async def run(arguments: Sequence[str]) -> None:
    """Run all clients. The arguments are URL, number of clients, path, body and pause."""
    url, clients, path, body, pause = arguments
    flood = Flood(int(clients), path, body, float(pause))
    await asyncio.gather(*(repeat(url, flood) for _ in range(flood.clients)))


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1:]))
