"""Load generation by Locust, which is used if wrk is not installed.

Locust is written in Python and uses a whole core. Fast rows are therefore limited by Locust.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.bench.load.generator import Load, Task

PROGRAM = "locust"
SCRIPT = Path(__file__).with_name("swarm.py")


def version() -> str:
    """Return the name and version of Locust."""
    finished = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False)
    return " ".join(finished.stdout.split()[:2]) or PROGRAM


def command(task: Task) -> Sequence[str]:
    """Return the Locust command, which prints JSON at the end."""
    many = str(task.connections)
    options = ["--headless", "--json", "--loglevel", "ERROR", "-u", many, "-r", many]
    return [
        *(PROGRAM, "-f", str(SCRIPT), *options, "-t", f"{task.seconds}s", "--host", task.url),
        *("--feed", str(task.feed), "--mode", task.mode),
    ]


def read(output: str, task: Task) -> Load:
    """Return the result in Locust's JSON output, which has one entry."""
    (entry,) = json.loads(output)
    times = sorted((float(ms), many) for ms, many in entry["response_times"].items())
    requests, errors = entry["num_requests"], entry["num_failures"]
    return Load(requests, task.seconds, percentile(times, 0.5), percentile(times, 0.99), errors)


def percentile(times: Sequence[tuple[float, int]], share: float) -> float:
    """Return a percentile in milliseconds.

    `times` are the sorted response times in milliseconds, each with its number of requests.
    """
    left = share * sum(many for _, many in times)
    for milliseconds, many in times:
        left -= many
        if left <= 0:
            return milliseconds
    return 0
