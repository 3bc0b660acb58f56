"""A Debian root as the base of the image, made with the apt sources of this machine."""

import hashlib
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

# Of these, slim images lack python3-venv only.
PACKAGES = ("python3", "python3-venv", "ca-certificates", "libstdc++6", "passwd")
# Slim images have neither pages of `man` nor translations.
EXCLUDED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")
SECONDS = 240


def base_root(cache: Path) -> Path:
    """Return a tar file with a Debian root, which is kept in `cache` for a day."""
    today = datetime.now(UTC).date().isoformat()
    key = hashlib.sha256(repr((today, PACKAGES, EXCLUDED)).encode()).hexdigest()[:12]
    made = cache / f"root-{key}.tar"
    if not made.exists():
        for old in cache.glob("root-*"):
            with suppress(OSError):
                old.unlink()
        unfinished = made.with_suffix(".part.tar")
        _run_mmdebstrap(unfinished)
        unfinished.rename(made)
    return made


def _run_mmdebstrap(target: Path) -> None:
    excluded = [f"--dpkgopt=path-exclude={path}" for path in EXCLUDED]
    packages = f"--include={','.join(PACKAGES)}"
    command = ["mmdebstrap", "--quiet", "--variant=essential", packages, *excluded]
    subprocess.run([*command, codename(), str(target)], check=True, timeout=SECONDS)


def codename() -> str:
    """Return the name of the Debian release of this machine, of which it has the apt sources."""
    text = Path("/etc/os-release").read_text()
    names = [line.partition("=")[2] for line in text.splitlines() if "VERSION_CODENAME=" in line]
    return names[0].strip('"')
