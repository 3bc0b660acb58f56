"""A TCP relay that stands for a network link: `python -m tests.ha.links LISTEN:TARGET ...`.

While the process is stopped, connections stay open and no data passes, as if packets were lost.
"""

import asyncio
import sys
from contextlib import suppress


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy data until one side closes the connection."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def relay(listen: int, target: int) -> None:
    """Accept connections on one port and relay them to another one."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))

    server = await asyncio.start_server(connect, "127.0.0.1", listen)
    await server.serve_forever()


async def relay_all(links: list[str]) -> None:
    """Relay all links until the process is ended."""
    ports = [link.split(":") for link in links]
    await asyncio.gather(*[relay(int(listen), int(target)) for listen, target in ports])


if __name__ == "__main__":
    asyncio.run(relay_all(sys.argv[1:]))
