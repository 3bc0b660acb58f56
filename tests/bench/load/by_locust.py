"""The load by Locust, for where there is no wrk.

It is written in Python and takes a core for itself, so quick rows then measure Locust as well.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.bench.load.generator import Load, Task

PROGRAM = "locust"
SCRIPT = Path(__file__).with_name("swarm.py")


def version() -> str:
    """Say which it is."""
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False)
    return " ".join(said.stdout.split()[:2]) or PROGRAM


def command(task: Task) -> Sequence[str]:
    """Say how to run it: all connections at once, and nothing on the way."""
    many = str(task.connections)
    how = ["--headless", "--json", "--loglevel", "ERROR", "-u", many, "-r", many]
    return [
        *(PROGRAM, "-f", str(SCRIPT), *how, "-t", f"{task.seconds}s", "--host", task.url),
        *("--feed", str(task.feed), "--mode", task.mode),
    ]


def read(told: str, task: Task) -> Load:
    """Read the statistics, of which there is one entry."""
    (entry,) = json.loads(told)
    times = sorted((float(ms), many) for ms, many in entry["response_times"].items())
    requests, errors = entry["num_requests"], entry["num_failures"]
    return Load(requests, task.seconds, percentile(times, 0.5), percentile(times, 0.99), errors)


def percentile(times: Sequence[tuple[float, int]], share: float) -> float:
    """Find the time within which a share of the requests was answered."""
    left = share * sum(many for _, many in times)
    for milliseconds, many in times:
        left -= many
        if left <= 0:
            return milliseconds
    return 0
