"""The Node.js servers of the peers: installation by npm, and their processes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.development.children import launch_command
from tests.bench.data.people import App
from tests.bench.data.world import STOP_SECONDS, Service, World, free_port, wait_for
from tests.bench.progress import say

SOURCES = Path(__file__).with_name("node")
INSTALL = ["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
PROCESSES = (1, 2)
# The mini-program of the peers, which serve only one.
APP = App(2)
# better-auth signs tokens with this secret.
SECRET = "a-secret-of-at-least-32-characters"


def find_node() -> str:
    """Return the version of Node.js. Exit with instructions if node or npm is missing."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            sys.exit(f"There is no {program}. Install Node.js 20 or newer with npm.")
    done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    return f"Node.js {done.stdout.strip().removeprefix('v')}"


def install(folder: Path) -> None:
    """Copy the servers to a folder and install their packages, unless this was done before."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in SOURCES.iterdir():
        shutil.copyfile(source, folder / source.name)
    lock, stamp = (SOURCES / "package-lock.json").read_text(), folder / "installed.json"
    if stamp.exists() and stamp.read_text() == lock:
        return
    say(f"Installing better-auth and wafer-node-session into {folder}")
    run(INSTALL, os.environ, folder)
    # Written last, so that an interrupted installation is repeated.
    stamp.write_text(lock)


def run(command: list[str], environ: Mapping[str, str], folder: Path) -> None:
    """Run a command to its end. Raise RunFailed if it fails."""
    child = launch_command(" ".join(command[:2]), command, environ, folder, folder / "install.log")
    try:
        child.process.wait()
    finally:
        child.stop(STOP_SECONDS)
    child.check_succeeded()


@dataclass(frozen=True)
class Servers:
    """The installed servers, which use the PostgreSQL and the WeChat substitute of a World."""

    world: World
    folder: Path

    def environ(self, database_url: str) -> dict[str, str]:
        """Return the environment of a server."""
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "NODE_ENV": "production",
            "DATABASE_URL": database_url,
            "PORT": str(free_port()),
            "SECRET": SECRET,
            "WECHAT_API_BASE_URL": self.world.environ["WECHAT_API_BASE_URL"],
            "WECHAT_APPID": APP.appid,
            "WECHAT_SECRET": APP.secret,
        }

    def run_script(self, script: str, database_url: str) -> None:
        """Run a script to its end. Raise RunFailed if it fails."""
        run(["node", script], self.environ(database_url), self.folder)

    @contextmanager
    def serving(
        self, script: str, database_url: str, processes: int, **settings: str
    ) -> Iterator[Service]:
        """Run a server inside the block. Its `/ready` must return 200 when it is ready."""
        environ = self.environ(database_url) | {"PROCESSES": str(processes)} | settings
        log = self.folder / f"{script}-{processes}{'-'.join(['', *settings])}.log"
        child = launch_command(script, ["node", script], environ, self.folder, log)
        url = f"http://127.0.0.1:{environ['PORT']}"
        try:
            wait_for(child, f"{url}/ready")
            yield Service(url, child.process.pid)
            child.check_running()
        finally:
            child.stop(STOP_SECONDS)
