"""Load by Locust, if wrk is not installed.

It is written in Python and uses a core for itself, so fast rows also measure Locust.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.bench.load.generator import Load, Task

PROGRAM = "locust"
SCRIPT = Path(__file__).with_name("swarm.py")


def version() -> str:
    """Return the version."""
    finished = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False)
    return " ".join(finished.stdout.split()[:2]) or PROGRAM


def command(task: Task) -> Sequence[str]:
    """Return the command. All connections open immediately. It prints at the end only."""
    many = str(task.connections)
    options = ["--headless", "--json", "--loglevel", "ERROR", "-u", many, "-r", many]
    return [
        *(PROGRAM, "-f", str(SCRIPT), *options, "-t", f"{task.seconds}s", "--host", task.url),
        *("--feed", str(task.feed), "--mode", task.mode),
    ]


def read(output: str, task: Task) -> Load:
    """Parse the statistics, which have one entry."""
    (entry,) = json.loads(output)
    times = sorted((float(ms), many) for ms, many in entry["response_times"].items())
    requests, errors = entry["num_requests"], entry["num_failures"]
    return Load(requests, task.seconds, percentile(times, 0.5), percentile(times, 0.99), errors)


def percentile(times: Sequence[tuple[float, int]], share: float) -> float:
    """Return the time within which a share of the requests was answered."""
    left = share * sum(many for _, many in times)
    for milliseconds, many in times:
        left -= many
        if left <= 0:
            return milliseconds
    return 0
