"""`make docs`: build the documentation site from docs/ into var/guide."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from config.documentation import ROOT, SITE
from config.documentation.inline_scripts import add_policies
from config.documentation.language_links import correct_language_links
from config.documentation.pages import copy_pages
from config.documentation.search_index import split_search_index

WORK = ROOT / "var" / "guide-build"
# In a virtual environment of its own, so that the service runs without it.
MKDOCS = ROOT / "var" / "docs-tools" / "bin" / "mkdocs"


def main() -> int:
    """Build the site. Return the exit code of mkdocs, which reports broken links as errors.

    A process that builds at the same time is waited for. The old site is replaced at the end.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        copy_pages(ROOT, WORK / "pages")
        new = WORK / "site"
        code = _run_mkdocs(new)
        if code == 0:
            correct_language_links(new)
            split_search_index(new)
            add_policies(new)
            _add_markdown(new)
            shutil.rmtree(SITE, ignore_errors=True)
            new.rename(SITE)
            print(f"{SITE.relative_to(ROOT)}/index.html")
    return code


def _add_markdown(site: Path) -> None:
    """Add the pages as Markdown, to which `llms.txt` links."""
    shutil.copytree(
        WORK / "pages", site, ignore=shutil.ignore_patterns("*.svg", "*.conf"), dirs_exist_ok=True
    )


def _run_mkdocs(site: Path) -> int:
    command = [str(MKDOCS), "build", "--strict", "--clean", "--site-dir", str(site)]
    # Without the announcement of the theme's successor.
    environ = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
