"""The documentation that the demo links to: the source of docs/, with an anchor per section."""

import re
from html import escape
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"
_NAME = re.compile("[a-z-]+")
_HEADING = re.compile(r"^(#{1,4}) (.*)$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_CODE_ROW = re.compile(r"^\| `([a-z0-9_]+)`", re.MULTILINE)
_PAGE = """<!doctype html><html lang="{lang}"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="../docs.css">
<main>{sections}</main></html>"""


def find_document(name: str, language: str) -> str | None:
    """Return a page of docs/ as HTML, or None if there is no such page.

    In Chinese if the page is translated. Its sections have the anchors of the English page.
    """
    path = DOCS / f"{name}.md"
    if not _NAME.fullmatch(name) or not path.is_file():
        return None
    anchors = [_anchor(title[2]) for title in _headings(path.read_text())]
    translated = DOCS / f"{name}.zh-CN.md"
    is_chinese = language == "zh" and translated.is_file()
    text = (translated if is_chinese else path).read_text()
    sections = zip(anchors, _sections(text), strict=True)
    shown = "".join(f'<pre id="{anchor}">{_marked(part)}</pre>' for anchor, part in sections)
    return _PAGE.format(lang="zh-CN" if is_chinese else "en", title=name, sections=shown)


def _sections(text: str) -> list[str]:
    """Return the text of each heading with what follows it."""
    starts = [found.start() for found in _headings(text)]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def _headings(text: str) -> list["re.Match[str]"]:
    # Comments in code blocks look like headings. The positions must stay the same.
    return list(_HEADING.finditer(_FENCE.sub(lambda found: " " * len(found[0]), text)))


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\s-]", "", title.lower()).replace(" ", "-")


def _marked(text: str) -> str:
    """Return a section as HTML. Each row of a table of error codes gets its code as an anchor."""
    return _CODE_ROW.sub(r'| <span id="\1">`\1`</span>', escape(text))
