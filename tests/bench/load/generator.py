"""What is asked of a load generator, and what it tells."""

from dataclasses import dataclass
from pathlib import Path

THREADS = 2


@dataclass(frozen=True)
class Task:
    """A feed to send; in the mode `once`, no line of it twice. One thread sends them in order."""

    url: str
    feed: Path
    connections: int
    seconds: int
    mode: str = ""
    threads: int = THREADS


@dataclass(frozen=True)
class Load:
    """What a run of the load generator saw; times are in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int

    @property
    def rate(self) -> float:
        """Give the requests a second."""
        return self.requests / self.seconds
