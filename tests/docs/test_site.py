"""The built documentation site: links, and no requests to other hosts. `make docs` builds it."""

import json
import os
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from config.documentation import SITE, is_current

LANGUAGES = {"en": SITE, "zh-CN": SITE / "zh-CN"}
# Elements whose address is loaded with the page.
LOADED = {"script", "img", "link", "iframe", "source"}


class Page(HTMLParser):
    """Collects the anchors and the addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add the id and the address of an element."""
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.anchors.add(given["id"])
        for name in {"href", "src"} & set(given):
            (self.loaded if tag in LOADED else self.links).append(given[name])


@cache
def page(file: Path) -> Page:
    """Return a parsed page of the site."""
    return Page(file.read_text())


def pages() -> list[Path]:
    """Return the pages of the site, without `404.html`, which works in a root folder only."""
    assert is_current(), "the site is not built, or older than docs/: run make docs"
    return [file for file in sorted(SITE.rglob("*.html")) if file.name != "404.html"]


def test_every_link_leads_to_a_page_and_heading_of_the_site() -> None:
    """Links to other sites are not followed."""
    broken = [
        f"{file.relative_to(SITE)}: {link}"
        for file in pages()
        for link in page(file).links + page(file).loaded
        if not _is_found(file, link)
    ]
    assert not broken


def _is_found(file: Path, link: str) -> bool:
    parts = urlsplit(link)
    if parts.scheme:
        return parts.scheme in ("https", "mailto", "data")
    target = Path(os.path.normpath(file.parent / unquote(parts.path))) if parts.path else file
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(SITE) or not target.exists():
        return False
    anchor = unquote(parts.fragment)
    return not anchor or anchor.startswith("__") or anchor in page(target).anchors


def test_pages_load_nothing_from_other_hosts() -> None:
    loaded = {(file, address) for file in pages() for address in page(file).loaded}
    assert len(loaded) > len(pages())
    assert not [one for one in loaded if urlsplit(one[1]).netloc]


def test_links_of_llms_txt_lead_to_markdown_pages() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (SITE / "llms.txt").read_text())
    assert len(links) >= 20
    assert not [link for link in links if not (SITE / link).read_text().startswith(("#", "---"))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_exists_in_both_languages(language: str) -> None:
    folder = LANGUAGES[language]
    own, others = (
        {str(file.relative_to(root)) for file in pages() if root in file.parents}
        for root in (folder, SITE / "zh-CN")
    )
    assert {one for one in own if not one.startswith("zh-CN")} == others


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_section_in_the_search_index_exists(language: str) -> None:
    folder = LANGUAGES[language]
    index = json.loads((folder / "search" / "search_index.json").read_text())
    locations = {section["location"] for section in index["docs"]}
    assert len(locations) > 100
    for location in locations:
        path, _, anchor = location.partition("#")
        found = page(folder / path / "index.html")
        assert not anchor or unquote(anchor) in found.anchors, location
