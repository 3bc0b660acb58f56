"""Input and output of a load generator."""

from dataclasses import dataclass
from pathlib import Path

THREADS = 2


@dataclass(frozen=True)
class Task:
    """A feed that the load generator sends.

    Each thread sends a part of the lines in order. In the mode `once`, each line is sent once.
    Otherwise, each thread starts again after its last line.
    """

    url: str
    feed: Path
    connections: int
    seconds: int
    mode: str = ""
    threads: int = THREADS


@dataclass(frozen=True)
class Load:
    """The result of a run. `p50` and `p99` are in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int

    @property
    def rate(self) -> float:
        """Return the number of requests per second."""
        return self.requests / self.seconds
