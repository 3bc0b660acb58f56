"""Run an image as a container runtime does: as its user, with a read-only root.

The network is that of the machine.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.image.building import Image

# Arguments: root, user, folder with the secrets, and the command. The root gets a tmpfs for /tmp.
ENTER = """set -e
root=$1 user=$2 secrets=$3; shift 3
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir "$root/run/secrets"
mount --bind -o ro "$secrets" "$root/run/secrets"
mount -o remount,ro "$root/run"
mount -t tmpfs -o mode=1777,size=64m tmpfs "$root/tmp"
mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" --groups= "$root" /usr/bin/env --ignore-environment "$@"
"""


@dataclass(frozen=True)
class Container:
    """What all containers of an image have in common."""

    image: Image
    secrets: Path
    environ: dict[str, str]

    def command(self, *command: str) -> list[str]:
        """Return the command that runs `command` as first process of a container."""
        environ = self.image.environ | self.environ
        listed = [f"{name}={value}" for name, value in environ.items()]
        return [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, "sh"),
            *(str(self.image.root), self.image.settings["User"], str(self.secrets)),
            *(f"--chdir={self.image.settings['WorkingDir']}", *listed, *command),
        ]

    def run(self, *command: str, text: str = "", check: bool = True) -> str:
        """Run a command in a container. Return its output, with that of a failed one."""
        done = subprocess.run(
            self.command(*command),
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + ("" if done.returncode == 0 else done.stderr)

    @contextmanager
    def serving(self, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run the command of the image inside the block. Then stop it as a runtime does."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(*self.image.settings["Cmd"]), stdout=output, stderr=output
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.kill(first_process(process), signal.SIGTERM)
            process.wait(60)


def first_process(process: subprocess.Popen[bytes]) -> int:
    """Return the id of the first process of a container on this machine."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0])
