"""`make docs`: build the documentation site from docs/ into var/guide."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from config.documentation import DIGEST, ROOT, SITE, digest_of_sources, find_files
from config.documentation.inline_scripts import add_policies
from config.documentation.language_links import correct_language_links
from config.documentation.pages import copy_pages
from config.documentation.search_index import split_search_index
from config.documentation.tools import ToolsMissing, install_tools

WORK = ROOT / "var" / "guide-build"
PAGES, NEW, OLD = (WORK / name for name in ("pages", "site", "old-site"))


def main() -> int:
    """Build the site. Return 0, or 1 if a tool is missing or the pages have errors.

    A process that builds at the same time is waited for.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            python = install_tools()
        except ToolsMissing as missing:
            print(missing)
            return 1
        digest = digest_of_sources()
        copy_pages(find_files(), PAGES)
        if not _run_mkdocs(python):
            return 1
        correct_language_links(NEW)
        split_search_index(NEW)
        add_policies(NEW)
        # The pages as Markdown, to which `llms.txt` links.
        shutil.copytree(PAGES, NEW, dirs_exist_ok=True)
        (NEW / DIGEST.name).write_text(digest)
        _replace_site()
    print(f"{SITE.relative_to(ROOT)}/index.html")
    return 0


def _run_mkdocs(python: Path) -> bool:
    """Return whether mkdocs succeeds. It reports links to missing pages as errors."""
    command = [str(python), "-m", "mkdocs", "build", "--strict", "--clean", "--site-dir", str(NEW)]
    # Without the announcement of the theme's successor.
    environ = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode == 0


def _replace_site() -> None:
    """Replace the old site at once, as far as two renames allow."""
    shutil.rmtree(OLD, ignore_errors=True)
    if SITE.exists():
        SITE.rename(OLD)
    NEW.rename(SITE)
    shutil.rmtree(OLD, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
