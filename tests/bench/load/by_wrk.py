"""The load by wrk, which costs so little that two cores are nearly the service's own."""

import json
import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.bench.load.generator import Load, Task

PROGRAM = "wrk"
SCRIPT = Path(__file__).with_name("load.lua")
PATIENCE = "20s"


def version() -> str:
    """Say which it is."""
    said = subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, check=False)
    return " ".join(said.stdout.split("Copyright")[0].split()) or PROGRAM


def command(task: Task) -> Sequence[str]:
    """Say how to run it."""
    threads, run = str(min(task.threads, task.connections)), secrets.token_hex(4)
    options = [f"-t{threads}", f"-c{task.connections}", f"-d{task.seconds}s"]
    own = ["--timeout", PATIENCE, "-s", str(SCRIPT), task.url]
    return [PROGRAM, *options, *own, "--", str(task.feed), threads, run, task.mode]


def read(told: str, _: Task) -> Load:
    """Read what load.lua printed."""
    return Load(**json.loads(next(line for line in told.splitlines() if line.startswith("{"))))
