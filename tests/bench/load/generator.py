"""Input and output of a load generator."""

from dataclasses import dataclass
from pathlib import Path

THREADS = 2


@dataclass(frozen=True)
class Task:
    """A feed to send. The mode `once` sends each line once. One thread sends lines in order."""

    url: str
    feed: Path
    connections: int
    seconds: int
    mode: str = ""
    threads: int = THREADS


@dataclass(frozen=True)
class Load:
    """The result of a run. Times are in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int

    @property
    def rate(self) -> float:
        """Return the requests per second."""
        return self.requests / self.seconds
