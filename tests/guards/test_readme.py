"""The English and the Chinese README: correct, and with the same content."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guards.test_docs import anchors_of

ROOT = Path(__file__).parents[2]
ENGLISH = (ROOT / "README.md").read_text()
CHINESE = (ROOT / "README.zh-CN.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
MOST_LINES = 150

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^(#+) .*$", re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)]+)\)")
MAKE = re.compile(r"(?:^|`)make +([a-z][a-z-]*)", re.MULTILINE)
HAN = re.compile(r"[\u4e00-\u9fff]")

both = pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["english", "chinese"])


def prose(text: str) -> str:
    """Return the text without code blocks."""
    return FENCE.sub("", text)


def sections(text: str) -> list[str]:
    """Return the texts between the headings, without code blocks."""
    return re.split(r"^#+ .*$", prose(text), flags=re.MULTILINE)


def tables(text: str) -> list[list[str]]:
    """Return the first column of every table, with its header cell."""
    found = re.findall(r"(?:^\|.*\n?)+", prose(text), re.MULTILINE)
    columns = [[row.split("|")[1].strip() for row in table.splitlines()] for table in found]
    return [[column[0], *column[2:]] for column in columns]


def code_of(language: str, block: str) -> list[list[str]]:
    """Return the parts of each line of a code block that a translation must not change.

    A block with a language contains commands: only their comments are translated. A block without
    a language contains a tree or a diagram: the name at the start of a line, and words that look
    like a path, an identifier or a number, are not translated.
    """
    if language:
        return [[re.sub(r"(^|\s+)#.*", "", line)] for line in block.splitlines()]
    return [
        re.findall(r"^ *[!-~]+(?=  |$)", line) + sorted(names_in(line))
        for line in block.splitlines()
    ]


def names_in(line: str) -> Iterator[str]:
    """Return the words that contain a digit, an underscore, a slash or an inner dot."""
    words = (word.strip(".") for word in re.findall(r"[A-Za-z0-9_<>./+-]+", line))
    return (word for word in words if re.search(r"[0-9_/]|\w\.\w", word))


def test_both_readmes_have_the_same_levels_of_headings() -> None:
    levels = [[len(marks) for marks in HEADING.findall(prose(text))] for text in (ENGLISH, CHINESE)]
    assert levels[0] == levels[1]


def test_both_readmes_have_the_same_code_blocks() -> None:
    english, chinese = FENCE.findall(ENGLISH), FENCE.findall(CHINESE)
    assert [language for language, _ in english] == [language for language, _ in chinese]
    for original, translated in zip(english, chinese, strict=True):
        assert code_of(*translated) == code_of(*original)


def test_both_readmes_have_the_same_tables() -> None:
    for original, translated in zip(tables(ENGLISH), tables(CHINESE), strict=True):
        assert len(translated) == len(original)
        for cell, translated_cell in zip(original, translated, strict=True):
            assert SPAN.findall(translated_cell) == SPAN.findall(cell), cell
            assert translated_cell == cell or SPAN.search(cell) or HAN.search(translated_cell), cell


def test_each_section_has_the_same_code_names_and_links_in_both_readmes() -> None:
    for original, translated in zip(sections(ENGLISH), sections(CHINESE), strict=True):
        assert sorted(SPAN.findall(translated)) == sorted(SPAN.findall(original))
        links, others = (linked_pages(section) for section in (original, translated))
        assert others == links


def linked_pages(section: str) -> set[str]:
    """Return the files that a section links to, each with the name of its English version."""
    paths = (link.partition("#")[0] for link in LINK.findall(section))
    return {path.replace(".zh-CN.md", ".md") for path in paths}


def test_each_readme_links_to_the_other() -> None:
    assert "](README.zh-CN.md)" in sections(ENGLISH)[1]
    assert "](README.md)" in sections(CHINESE)[1]


@both
def test_every_link_points_to_an_existing_file_and_heading(text: str) -> None:
    """Links to other sites are not checked."""
    links = [link.partition("#") for link in LINK.findall(text) if "://" not in link]
    assert links
    for path, _, anchor in links:
        assert (ROOT / path).exists(), path
        if anchor:
            assert anchor in anchors_of((ROOT / path).read_text()), f"{path}#{anchor}"


def test_the_chinese_readme_links_to_the_chinese_version_of_every_translated_page() -> None:
    """It need not link to every page."""
    linked = {link.partition("#")[0] for link in LINK.findall(CHINESE)}
    translated = {path.name for path in (ROOT / "docs").glob("*.zh-CN.md")}
    assert {f"docs/{name}" for name in translated} & linked
    assert not {f"docs/{name.replace('.zh-CN', '')}" for name in translated} & linked


@both
def test_the_readme_has_at_most_150_lines(text: str) -> None:
    assert text.count("\n") <= MOST_LINES


@both
def test_every_path_in_the_source_tree_exists(text: str) -> None:
    """The source tree is the code block that begins with `app/`."""
    found = list(paths_in_tree(text))
    assert ROOT / "app" / "services" / "login" in found
    assert [path for path in found if not path.exists()] == []


@both
def test_the_source_tree_lists_every_package(text: str) -> None:
    """The packages are those of app/ and app/services/."""
    packages = {path.parent for path in (ROOT / "app").glob("*/__init__.py")}
    packages |= {path.parent for path in (ROOT / "app" / "services").glob("*/__init__.py")}
    assert packages <= set(paths_in_tree(text))


def paths_in_tree(text: str) -> Iterator[Path]:
    """Yield the paths in the source tree of a README.

    The parent folder of a line is the nearest line above with a smaller indentation.
    """
    tree = next(block for _, block in FENCE.findall(text) if block.startswith("app/\n"))
    folders: dict[int, Path] = {}
    for line in tree.splitlines():
        words, depth = re.split(r" {2,}", line.strip()), len(line) - len(line.lstrip())
        above = [folders[one] for one in sorted(folders) if one < depth]
        folder = above[-1] if above else ROOT
        named = [word for word in words if word.endswith(("/", ".py"))]
        folders = {one: path for one, path in folders.items() if one < depth}
        folders[depth] = folder / named[-1]
        yield from (folder / name for name in named)


@pytest.mark.parametrize(
    "text", [ENGLISH, CHINESE, CONTRIBUTING], ids=["english", "chinese", "contributing"]
)
def test_every_make_target_named_in_a_document_exists(text: str) -> None:
    named = set(MAKE.findall(text))
    assert named
    assert named <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
