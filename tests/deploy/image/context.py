"""The build context: the files of the checkout, the wheels, and files that the image must lack."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
MARKER = "must-not-be-in-the-image"
# Files that a developer may have in the checkout. Each contains MARKER.
PRIVATE = (".env", "app/.env", "config/.env.production", "var/secrets.json", "deploy/compose.env")


def make_context(folder: Path, cache: Path, python: str) -> Path:
    """Copy the files that git knows to `folder`, and add private files and the wheels."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    for name in PRIVATE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(MARKER)
    wheels = download_wheels(cache / "wheels", python)
    shutil.copytree(wheels, folder / "deploy" / "image" / "wheels", copy_function=shutil.copy2)
    return folder


def download_wheels(folder: Path, python: str) -> Path:
    """Download the wheels of the production requirements, with the configuration of pip.

    The build then needs no network. `python` is the version of Python in the base image.
    """
    text = subprocess.run(
        [sys.executable, "deploy/image/production_requirements.py", "requirements.txt"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # pip compares such markers with the Python that runs it, which may be a newer 3.11.
    text = re.sub(r" ; python_full_version < '3\.11\.\d+'", "", text)
    pins, done = folder / "production.txt", folder / "done.txt"
    if not done.exists() or done.read_text() != python + text:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        pins.write_text(text)
        options = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--quiet", "--quiet")
        target = ("--python-version", python, "--dest", str(folder), "-r", str(pins))
        command = [sys.executable, "-m", "pip", "download", *options, *target]
        subprocess.run(command, check=True, timeout=180)
        done.write_text(python + text)
    return folder
