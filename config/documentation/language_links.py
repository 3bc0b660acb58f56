"""Links between the languages of the site, corrected for a site that can be in any folder."""

import re
from pathlib import Path

# mkdocs-static-i18n lets the home pages link to the root folder of the web server.
HOME_LINKS = {
    "index.html": {"/": "./", "/zh-CN/": "zh-CN/"},
    "zh-CN/index.html": {"/": "../", "/zh-CN/": "./"},
}
# The theme requests a sitemap below each of these addresses. There is none without a fixed address.
ALTERNATE = re.compile(r'<link rel="alternate"[^>]*>')


def correct_language_links(site: Path) -> None:
    """Correct the pages of a built site. Raise ValueError if a home page has no such links."""
    for name, links in HOME_LINKS.items():
        for old, new in links.items():
            _replace(site / name, f'href="{old}"', f'href="{new}"')
    for file in site.rglob("*.html"):
        file.write_text(ALTERNATE.sub("", file.read_text()))
    for file in site.glob("sitemap.xml*"):
        file.unlink()


def _replace(file: Path, old: str, new: str) -> None:
    page = file.read_text()
    if old not in page:
        raise ValueError(f"{file} has no {old}")
    file.write_text(page.replace(old, new))
