"""Free ports for processes that are told which one to take."""

import socket
from contextlib import suppress
from pathlib import Path
from random import SystemRandom

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
HOW_MANY = 15_000


def free_port() -> int:
    """Return a port that is free, and that no connection of this machine takes in the meantime.

    The system takes the ports of its connections, and those it is asked to choose, from a range
    of its own. These lie below it.
    """
    above = int(EPHEMERAL.read_text().split()[0]) if EPHEMERAL.exists() else 32768
    # Not the module's generator: tests with one seed would all choose the same ports.
    chosen = SystemRandom().sample(range(max(1024, above - HOW_MANY), above), 50)
    for port in chosen:
        with suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            return port
    raise AssertionError("no port is free")
