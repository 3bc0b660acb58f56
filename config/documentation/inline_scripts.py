"""The Content-Security-Policy of the documentation site.

Each page has its policy in a `meta` element, so the policy applies on every web server. The theme
has inline scripts, which the policy allows by their hashes.
"""

import base64
import hashlib
from html.parser import HTMLParser
from pathlib import Path

HEAD = '<meta charset="utf-8">'
META = '<meta http-equiv="Content-Security-Policy" content="{}">'
# Types of script elements that hold data instead of code.
DATA_TYPES = {"application/json", "application/ld+json"}


class InlineCode(HTMLParser):
    """Collects the hashes of the inline scripts and styles of a page, by their element."""

    def __init__(self) -> None:
        super().__init__()
        self.hashes: dict[str, list[str]] = {"script": [], "style": []}
        self._element: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the beginning of an inline script or style."""
        given = dict(attrs)
        if tag in self.hashes and "src" not in given and given.get("type") not in DATA_TYPES:
            self._element = tag

    def handle_data(self, data: str) -> None:
        """Add the hash of an inline script or style."""
        if self._element:
            digest = base64.b64encode(hashlib.sha256(data.encode()).digest()).decode()
            self.hashes[self._element].append(f"'sha256-{digest}'")

    def handle_endtag(self, tag: str) -> None:
        """Note the end of an inline script or style."""
        self._element = None


def policy_of(page: str) -> str:
    """Return the Content-Security-Policy that allows what a page of the site needs."""
    code = InlineCode()
    code.feed(page)
    scripts, styles = (" ".join(["'self'", *code.hashes[tag]]) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; worker-src 'self'; form-action 'self'; "
        "base-uri 'none'"
    )


def add_policies(site: Path) -> None:
    """Add its policy to each page of a built site. Raise ValueError for a page without a head."""
    for file in sorted(site.rglob("*.html")):
        page = file.read_text()
        if HEAD not in page:
            raise ValueError(f"{file} has no {HEAD}")
        file.write_text(page.replace(HEAD, HEAD + META.format(policy_of(page)), 1))
