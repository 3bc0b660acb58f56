"""The previous release: its code, its Python, and a database with its schema."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.fixtures.personas import APPS

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Release:
    """An unpacked release and the Python that has its requirements."""

    checkout: Path
    python: str

    def flask(self, environ: dict[str, str], *arguments: str, stdin: str = "") -> str:
        """Run a command of this release. Return its output."""
        command = [self.python, "-m", "flask", "--app", "wsgi", *arguments]
        done = subprocess.run(
            command, cwd=self.checkout, env=environ, input=stdin, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def create_database(self, environ: dict[str, str]) -> None:
        """Create the schema of this release, with the tenants and mini-programs of the tests."""
        self.flask(environ, "db", "upgrade")
        for slug in ("acme", "globex"):
            self.flask(environ, "tenants", "add", slug, "--name", slug)
        for app in APPS:
            options = ["--tenant", app.tenant, "--name", app.appid, "--secret-stdin"]
            options += ["--registration", app.registration]
            self.flask(environ, "apps", "add", app.appid, *options, stdin=f"{app.secret}\n")


def unpack_previous_release(folder: Path) -> Release:
    """Unpack the newest release of CHANGELOG.md, and install its requirements if ours lack any."""
    checkout = folder / "previous_release"
    checkout.mkdir()
    archive = subprocess.run(
        ["git", "archive", previous_commit()], cwd=ROOT, capture_output=True, check=False
    )
    assert archive.returncode == 0, (
        f"{archive.stderr.decode()}The clone lacks the commit of the previous release. "
        "Run: git fetch --unshallow"
    )
    subprocess.run(["tar", "-x"], cwd=checkout, input=archive.stdout, check=True)
    if requirements_of(checkout) <= requirements_of(ROOT):
        return Release(checkout, sys.executable)
    subprocess.run(["make", "setup", f"PYTHON={sys.executable}"], cwd=checkout, check=True)
    return Release(checkout, str(checkout / ".venv/bin/python"))


def requirements_of(checkout: Path) -> set[str]:
    """Return the pinned requirements, such as flask==3.1.2."""
    text = (checkout / "requirements.txt").read_text()
    return set(re.findall(r"^[\w.\[\]-]+==\S+", text, re.MULTILINE))


def previous_commit() -> str:
    """Return the commit of the newest release in CHANGELOG.md."""
    changelog = (ROOT / "CHANGELOG.md").read_text()
    found = re.search(r"^Release commit: `(\w+)`$", changelog, re.MULTILINE)
    assert found, "CHANGELOG.md names no release commit"
    return found[1]
