"""The pages for newcomers: code of the examples, diagrams, links between languages, llms.txt."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.guards.test_docs import DOCS, FENCE, LINK, TRANSLATED

ROOT = DOCS.parent
EXAMPLES = ROOT / "clients" / "examples"
DIAGRAMS = sorted((DOCS / "diagrams").glob("*.svg"))
ENGLISH_PAGES = sorted(path for path in DOCS.glob("*.md") if ".zh-CN" not in path.name)
# Pages in which readers look something up may be longer.
REFERENCE = {"cli", "concepts", "configuration", "errors", "monitoring", "operations", "scaling"}
GUIDES = [DOCS / f"{name}.md" for name in TRANSLATED if name not in REFERENCE]
MOST_LINES = 200

# A line with nothing but a file name, and the code block below it.
NAMED_BLOCK = re.compile(r"^`([\w./-]+)`[:：]\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")
# "（英文）" marks the link before it, "（均为英文）" all links of the list before it.
ENGLISH_LINKS = re.compile(r"((?:\[[^\]]*\]\([^)]+\)(?:、| 和 |和)?)+)（(均为)?英文）")
ENTRY = re.compile(r"^- \[([^\]]+)\]\(([^)]+)\): (.+)$")


@pytest.mark.parametrize("platform", ["native", "uni-app", "taro"])
@pytest.mark.parametrize("language", ["", ".zh-CN"])
def test_a_platform_page_shows_the_files_of_the_example(platform: str, language: str) -> None:
    """`make test-client` checks the types of the examples, `make examples` builds them."""
    text = (DOCS / f"integrate-{platform}{language}.md").read_text()
    blocks = NAMED_BLOCK.findall(text)
    assert len(blocks) == len([one for one, _ in FENCE.findall(text) if one != "sh"]) >= 3
    for name, code in blocks:
        assert code.rstrip() == (EXAMPLES / platform / name).read_text().rstrip(), name


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_a_guide_has_one_title_and_at_most_200_lines_beside_code(path: Path) -> None:
    prose = FENCE.sub("", path.read_text())
    assert re.findall(r"^# ", prose, re.MULTILINE) == ["# "]
    assert prose.count("\n") <= MOST_LINES


@pytest.mark.parametrize("name", TRANSLATED)
def test_a_chinese_page_links_to_the_chinese_version_of_translated_pages(name: str) -> None:
    """Except for the link to its own English version."""
    links = LINK.findall((DOCS / f"{name}.zh-CN.md").read_text())
    english = {f"{other}.md" for other in TRANSLATED} - {f"{name}.md"}
    assert english & {link.partition("#")[0] for link in links} == set()


CHINESE_PAGES = sorted(
    path
    for folder in (ROOT, DOCS, ROOT / "clients/miniprogram", EXAMPLES)
    for path in folder.glob("*.zh-CN.md")
)


@pytest.mark.parametrize("path", CHINESE_PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_chinese_page_marks_no_link_to_a_chinese_page_as_english(path: Path) -> None:
    marked: list[str] = []
    for links, is_list in ENGLISH_LINKS.findall(path.read_text()):
        targets = [link.partition("#")[0] for link in LINK.findall(links)]
        marked += targets if is_list else targets[-1:]
    assert [link for link in marked if link.endswith(".zh-CN.md")] == []


@pytest.mark.parametrize("name", TRANSLATED)
def test_an_english_page_links_to_no_chinese_page_but_its_own_version(name: str) -> None:
    links = LINK.findall((DOCS / f"{name}.md").read_text())
    chinese = {link.partition("#")[0] for link in links if ".zh-CN." in link}
    assert chinese == {f"{name}.zh-CN.md"}


def test_every_diagram_is_shown_with_an_alternative_text_in_its_language() -> None:
    shown = {}
    for page in DOCS.glob("*.md"):
        for text, link in IMAGE.findall(page.read_text()):
            assert len(text) > 40, link
            assert (".zh-CN." in link) == (".zh-CN." in page.name)
            shown[page.parent / link] = text
    assert sorted(shown) == DIAGRAMS


@pytest.mark.parametrize("path", DIAGRAMS, ids=lambda path: path.name)
def test_a_diagram_has_a_title_dark_colours_and_the_shapes_of_its_translation(path: Path) -> None:
    root = ElementTree.parse(path).getroot()  # noqa: S314
    assert [len(one.text or "") > 20 for one in root if one.tag.endswith("title")] == [True]
    text = path.read_text()
    assert "@media (prefers-color-scheme: dark)" in text
    assert not re.search(r"href|url\((?!#)|<script|<image|@import", text)
    assert set(re.findall(r'class="([^"]+)"', text)) <= set(_classes(text))
    english = path.with_name(path.name.replace(".zh-CN", ""))
    assert _shapes(path) == _shapes(english)
    assert english.with_name(f"{english.stem}.zh-CN.svg").exists()


def _classes(text: str) -> Iterator[str]:
    """Yield the class attributes that the style of a diagram can serve: one class or two."""
    names = re.findall(r"^ +\.(\w+) \{", text, re.MULTILINE)
    yield from names
    yield from (f"{one} {other}" for one in names for other in names)


def _shapes(path: Path) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the tags and attributes of a diagram, without texts."""
    root = ElementTree.parse(path).getroot()  # noqa: S314
    return [(one.tag, sorted(one.attrib.items())) for one in root.iter() if one is not root]


def test_llms_txt_has_a_title_a_summary_and_one_line_for_each_page() -> None:
    """The format is that of llmstxt.org."""
    lines = (DOCS / "llms.txt").read_text().splitlines()
    assert lines[0] == "# wxpass"
    assert lines[2].startswith("> ")
    entries = [ENTRY.fullmatch(line) for line in lines if line.startswith("-")]
    assert all(entries)
    listed = [entry[2] for entry in entries if entry]
    # The list of runbooks stands for all of them.
    assert sorted(listed) == sorted([*(path.name for path in ENGLISH_PAGES), "runbooks/index.md"])
    headings = [line for line in lines if line.startswith("#")]
    assert headings[1:] == [line for line in lines if re.match(r"## \w", line)]


@pytest.mark.parametrize("language", ["", ".zh-CN"])
def test_the_start_page_links_to_every_page(language: str) -> None:
    links = {
        link.partition("#")[0] for link in LINK.findall((DOCS / f"index{language}.md").read_text())
    }
    names = {path.name.replace(f"{language}.md", ".md") for path in ENGLISH_PAGES} - {"index.md"}
    assert names <= {link.replace(".zh-CN.md", ".md") for link in links}
