"""The documentation site: its sources, its folder, and whether `make docs` has built it.

The other modules build it (`python -m config.documentation`).
"""

import hashlib
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The built site. It consists of static files, which any web server can serve in any folder.
SITE = ROOT / "var" / "guide"
HOME = SITE / "index.html"
# The digest of the sources of the built site.
DIGEST = SITE / ".digest"
REQUIREMENTS = ROOT / "requirements-docs.txt"
# Files outside docs/ that are part of the site, by their path in it.
OTHER_FILES = {
    "overview.md": "README.md",
    "overview.zh-CN.md": "README.zh-CN.md",
    "clients/miniprogram.md": "clients/miniprogram/README.md",
    "clients/miniprogram.zh-CN.md": "clients/miniprogram/README.zh-CN.md",
    "clients/examples.md": "clients/examples/README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "report-a-vulnerability.md": "SECURITY.md",
    "assets/icon.svg": "app/simulator/demo/static/icon.svg",
}


def find_files() -> dict[str, Path]:
    """Return the files of the repository that are part of the site, by their path in it.

    Hidden files, such as those of editors, are left out.
    """
    docs = ROOT / "docs"
    found = (file for file in docs.rglob("[!.]*") if file.is_file())
    own = {str(file.relative_to(docs)): file for file in found}
    return dict(sorted((own | {page: ROOT / path for page, path in OTHER_FILES.items()}).items()))


def digest_of_sources() -> str:
    """Return a digest of everything from which the site is built. Raises OSError."""
    builder = sorted((ROOT / "config" / "documentation").glob("*.[pt]*"))
    digest = hashlib.sha256()
    for file in (*find_files().values(), ROOT / "mkdocs.yml", REQUIREMENTS, *builder):
        digest.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def is_current() -> bool:
    """Return whether the site is built, and its sources have not changed since."""
    with suppress(OSError):
        return DIGEST.read_text() == digest_of_sources()
    return False
