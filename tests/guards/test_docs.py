"""Links in the documentation for operators, and the structure of both languages."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)]+)\)")
SPAN = re.compile(r"`([^`\n]+)`")

PAGES = sorted(
    DOCS / f"{name}.md"
    for name in (
        *("console", "cli", "errors", "configuration", "operations", "security", "performance"),
        *("console.zh-CN", "operations.zh-CN"),
    )
)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_has_a_target(path: Path) -> None:
    """Targets are files, and headings in them."""
    for link in LINK.findall(path.read_text()):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target.read_text()), link


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in plain}


@pytest.mark.parametrize("name", ["console", "operations"])
def test_both_languages_have_the_same_structure(name: str) -> None:
    """The Chinese page has the headings, commands, tables and code names of the English one."""
    english, chinese = ((DOCS / f"{name}{end}.md").read_text() for end in ("", ".zh-CN"))
    assert _levels(english) == _levels(chinese)
    assert _code(english) == _code(chinese)
    for section, translated in zip(_sections(english), _sections(chinese), strict=True):
        assert sorted(SPAN.findall(translated)) == sorted(SPAN.findall(section))


def _levels(text: str) -> list[str]:
    return re.findall(r"^#+(?= )", FENCE.sub("", text), re.MULTILINE)


def _code(text: str) -> list[tuple[str, str]]:
    """Return the code blocks with their languages, without the comments."""
    return [
        (language, re.sub(r"(^|\s+)#.*", "", block, flags=re.MULTILINE))
        for language, block in FENCE.findall(text)
    ]


def _sections(text: str) -> list[str]:
    return re.split(r"^#+ .*$", FENCE.sub("", text), flags=re.MULTILINE)
