"""Load by wrk, which leaves almost two cores to the service."""

import json
import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.bench.load.generator import Load, Task

PROGRAM = "wrk"
SCRIPT = Path(__file__).with_name("load.lua")
TIMEOUT = "20s"


def version() -> str:
    """Return the version."""
    finished = subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, check=False)
    return " ".join(finished.stdout.split("Copyright")[0].split()) or PROGRAM


def command(task: Task) -> Sequence[str]:
    """Return the command."""
    threads, run = str(min(task.threads, task.connections)), secrets.token_hex(4)
    options = [f"-t{threads}", f"-c{task.connections}", f"-d{task.seconds}s"]
    own = ["--timeout", TIMEOUT, "-s", str(SCRIPT), task.url]
    return [PROGRAM, *options, *own, "--", str(task.feed), threads, run, task.mode]


def read(output: str, _: Task) -> Load:
    """Parse the output of load.lua."""
    return Load(**json.loads(next(line for line in output.splitlines() if line.startswith("{"))))
