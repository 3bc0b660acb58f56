"""Load generation by wrk, which uses little CPU time."""

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
    """Return the name and version of wrk."""
    finished = subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, check=False)
    return " ".join(finished.stdout.split("Copyright")[0].split()) or PROGRAM


def command(task: Task) -> Sequence[str]:
    """Return the wrk command."""
    threads, run = str(min(task.threads, task.connections)), secrets.token_hex(4)
    options = [f"-t{threads}", f"-c{task.connections}", f"-d{task.seconds}s"]
    own = ["--timeout", TIMEOUT, "-s", str(SCRIPT), task.url]
    return [PROGRAM, *options, *own, "--", str(task.feed), threads, run, task.mode]


def read(output: str, _: Task) -> Load:
    """Return the result in the JSON line that load.lua prints."""
    return Load(**json.loads(next(line for line in output.splitlines() if line.startswith("{"))))
