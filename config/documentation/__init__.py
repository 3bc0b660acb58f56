"""The documentation site: its folder, and whether `make docs` has built it.

The other modules build it (`python -m config.documentation`).
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The built site. It consists of static files, which any web server can serve in any folder.
SITE = ROOT / "var" / "guide"
HOME = SITE / "index.html"
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


def is_current() -> bool:
    """Return whether the site is built, and none of its files has changed since."""
    if not HOME.exists():
        return False
    files = [ROOT / "mkdocs.yml", *(ROOT / path for path in OTHER_FILES.values())]
    files += [*(ROOT / "docs").rglob("*"), *(ROOT / "config" / "documentation").glob("*.py")]
    return max(file.stat().st_mtime for file in files) <= HOME.stat().st_mtime
