"""The processes of the example back ends."""

import atexit
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import requests

from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
# Go must find everything on this machine.
GO_ENVIRON = dict(os.environ) | {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local"}


def flask_command(port: str) -> list[str]:
    """Return the command that starts the Flask example."""
    return [sys.executable, "-m", "flask", "--app", "app", "run", "--port", port]


def node_command(port: str) -> list[str]:
    """Return the command that starts the Node.js example, which reads PORT."""
    return ["node", "server.js"]


@cache
def go_program() -> str:
    """Compile the Go example, and return the path of the program."""
    folder = mkdtemp(prefix="wxpass-go-")
    atexit.register(shutil.rmtree, folder)
    program = f"{folder}/orders"
    command = ["go", "build", "-o", program, "."]
    subprocess.run(command, cwd=EXAMPLES / "go", env=GO_ENVIRON, timeout=300, check=True)
    return program


def go_command(port: str) -> list[str]:
    """Return the command that starts the Go example, which reads PORT."""
    return [go_program()]


PROGRAMS = {"flask": flask_command, "node": node_command, "go": go_command}


@dataclass(frozen=True)
class BackEnd:
    """A running back end. `/orders` takes login tokens, `/reports` takes JWTs."""

    url: str

    def get(self, path: str, token: str | None = None, **headers: str) -> requests.Response:
        """Send a request. `token` is sent as a bearer token."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return requests.get(f"{self.url}{path}", headers=headers, timeout=20)

    def status(self, path: str, token: str | None = None) -> int:
        """Return the status of a request."""
        return self.get(path, token).status_code


@contextmanager
def serving(name: str, wxpass: str, folder: Path) -> Iterator[BackEnd]:
    """Run an example inside the block. It reaches wxpass at the URL `wxpass`."""
    port = str(free_port())
    environ = dict(os.environ) | {"PORT": port, "WXPASS_URL": wxpass}
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            PROGRAMS[name](port), cwd=EXAMPLES / name, env=environ, stdout=log, stderr=log
        )
    running = BackEnd(f"http://127.0.0.1:{port}")
    try:
        until(lambda: _answers(running, process))
        yield running
    finally:
        process.terminate()
        process.wait(20)


def _answers(running: BackEnd, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "the back end ended by itself"
    try:
        return running.status("/orders") == 401
    except requests.ConnectionError:
        return False
