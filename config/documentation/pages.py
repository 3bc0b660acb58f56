"""The pages of the documentation site, copied from the Markdown files of the repository.

The files are written for readers of the repository: a link leads to a file, and a page links to its
Chinese version. In the site a link can lead only to another page, a menu switches the language, and
a heading has the same anchor in both languages.
"""

import os
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

CHINESE = ".zh-CN.md"
DECISIONS = "decisions"
ERRORS = "errors."
# A search lists pages that answer questions first, and pages about the design last.
BOOSTS = {
    "faq.": 4,
    "quick-start.": 2,
    **dict.fromkeys(("decisions/", "changelog.", "contributing.", "architecture."), 0.1),
    "performance.": 0.1,
}

_FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
# A row of a table of error codes.
_CODE_ROW = re.compile(r"^\| (`([a-z0-9_]+)`)", re.MULTILINE)
# The sentence that leads to the page in the other language.
_OTHER_LANGUAGE = re.compile(r" ?(?:中文说明见|English:) \[[^\]]+\]\([^)]+\)[.。]?")


@dataclass(frozen=True)
class Source:
    """A file of the repository, and its path in the site."""

    file: Path
    page: str

    @property
    def is_chinese(self) -> bool:
        """Return whether this is the Chinese version of a page."""
        return self.page.endswith(CHINESE)

    @property
    def english_file(self) -> Path:
        """Return the file of the English version."""
        return self.file.with_name(self.file.name.replace(CHINESE, ".md"))

    def english_anchors(self) -> dict[str, str]:
        """Return the anchor of each heading in the English version, by the anchor in this file.

        The headings of both versions correspond by their order. Raises ValueError if their numbers
        differ, or if two headings of this file have the same anchor.
        """
        own, english = (anchors(file.read_text()) for file in (self.file, self.english_file))
        if len(own) != len(english):
            raise ValueError(f"{self.file} and {self.english_file.name} have different headings")
        if repeated := [one for one, count in Counter(own).items() if count > 1]:
            raise ValueError(f"{self.file} repeats the headings {repeated}")
        return dict(zip(own, english, strict=True))


def copy_pages(files: dict[str, Path], target: Path) -> None:
    """Copy files of the repository, by their path in the site, with the links of the site.

    The folder `target` is deleted first.
    """
    shutil.rmtree(target, ignore_errors=True)
    sources = {file: Source(file, page) for page, file in files.items()}
    for source in sources.values():
        copy = target / source.page
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.file.suffix == ".md":
            copy.write_text(front_matter(source.page) + page_text(source, sources))
        else:
            shutil.copy(source.file, copy)
    (target / DECISIONS / "index.md").write_text(_list_decisions(list(sources.values())))


def front_matter(page: str) -> str:
    """Return the settings of a page at its start: its weight in the search."""
    boost = next((value for start, value in BOOSTS.items() if page.startswith(start)), 1)
    return f"---\nsearch:\n  boost: {boost}\n---\n\n"


def anchors(text: str) -> list[str]:
    """Return the anchors that GitHub and the site generate for the headings of a page."""
    titles = _HEADING.findall(_FENCE.sub("", text))
    return [re.sub(r"[^\w\s-]", "", title.lower()).replace(" ", "-") for title in titles]


def page_text(source: Source, sources: dict[Path, Source]) -> str:
    """Return the text of a page with the links and anchors of the site.

    A link to a file that is not in the site becomes text. A link that shows the name of a file gets
    the title of the page. Each error code gets an anchor. Code blocks are not changed.
    """

    def replace(link: "re.Match[str]") -> str:
        mark, label, address = link.groups()
        if "://" in address:
            return link[0]
        path, hash_sign, anchor = address.partition("#")
        found = sources.get((source.file.parent / path).resolve()) if path else source
        if found is None:
            return label
        if anchor and found.is_chinese:
            anchor = found.english_anchors().get(anchor, anchor)
        # The site itself chooses the language.
        page = found.page.replace(CHINESE, ".md")
        if label.strip("`") == found.file.name:
            label = _title(found.file)
        path = os.path.relpath(page, Path(source.page).parent) if path else ""
        return f"{mark}[{label}]({path}{hash_sign}{anchor})"

    text = _OTHER_LANGUAGE.sub("", source.file.read_text())
    if source.page.startswith(ERRORS):
        text = _CODE_ROW.sub(r'| <span id="\2">\1</span>', text)
    parts = _FENCE.split(text)
    new = [part if part.startswith("```") else _LINK.sub(replace, part) for part in parts]
    return "".join(_with_english_anchors(new, source) if source.is_chinese else new)


def _with_english_anchors(parts: list[str], source: Source) -> list[str]:
    """Return the parts of a page, in which each heading names its anchor in the English version."""
    english = iter(source.english_anchors().values())
    return [
        part
        if part.startswith("```")
        else _HEADING.sub(lambda heading: f"{heading[0]} {{#{next(english)}}}", part)
        for part in parts
    ]


def _list_decisions(sources: list[Source]) -> str:
    """Return a page with links to all decision records."""
    records = [source.file for source in sources if source.page.startswith(f"{DECISIONS}/")]
    lines = [f"- [{_title(record)}]({record.name})" for record in records]
    return "\n".join(["# Decisions", "", "Why wxpass is built as it is.", "", *lines, ""])


def _title(page: Path) -> str:
    return page.read_text().partition("\n")[0].removeprefix("# ")
