"""Run the tools that check the files in deploy/."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
SECONDS = 60
# The Debian package of each tool. Those without one are in requirements-dev.txt.
PACKAGES = {
    "docker-compose": "docker-compose",
    "nginx": "nginx-light",
    "openssl": "openssl",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
}


def run(name: str, *arguments: str, cwd: Path = ROOT, ok: bool = True) -> str:
    """Run a tool and return its output. Fail if the tool is missing, slow or, with `ok`, fails."""
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    program = shutil.which(name, path=path)
    hint = f"apt-get install --no-install-recommends {PACKAGES.get(name, '')}"
    assert program, f"{name} is missing: {hint if name in PACKAGES else 'make setup'}"
    done = subprocess.run(
        [program, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    output = done.stdout + done.stderr
    assert (done.returncode == 0) == ok, f"{name} exited with {done.returncode}: {output}"
    return output
