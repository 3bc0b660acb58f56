"""The pages in docs/: links, translations and the claims of the architecture page."""

import re
from pathlib import Path

import pytest

from config.documentation import find_files
from config.documentation.pages import Source, page_text

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)]+)\)")
SPAN = re.compile(r"`([^`\n]+)`")

COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)

PAGES = sorted(DOCS.rglob("*.md"))
ENGLISH_ONLY = {"architecture", "performance"}
TRANSLATED = sorted(path.name.removesuffix(".zh-CN.md") for path in DOCS.glob("*.zh-CN.md"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_every_link_points_to_an_existing_file_and_heading(path: Path) -> None:
    """Links to other sites are not checked."""
    for link in LINK.findall(path.read_text()):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target.read_text()), link


def anchors_of(text: str) -> set[str]:
    """Return the anchors that GitHub generates for the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in plain}


def test_every_page_but_those_for_developers_has_a_chinese_version() -> None:
    pages = {path.stem for path in DOCS.glob("*.md") if not path.stem.endswith(".zh-CN")}
    assert pages - set(TRANSLATED) == ENGLISH_ONLY


@pytest.mark.parametrize("name", TRANSLATED)
def test_the_chinese_page_has_the_structure_of_the_english_page(name: str) -> None:
    """Both pages have the same levels of headings, code blocks, and code names in each section.

    HTML comments are not compared. Readers do not see them.
    """
    english, chinese = (
        COMMENT.sub("", (DOCS / f"{name}{end}.md").read_text()) for end in ("", ".zh-CN")
    )
    assert _levels(english) == _levels(chinese)
    assert _code(english) == _code(chinese)
    for section, translated in zip(_sections(english), _sections(chinese), strict=True):
        assert sorted(SPAN.findall(translated)) == sorted(SPAN.findall(section))


@pytest.mark.parametrize("name", TRANSLATED)
def test_the_english_and_the_chinese_page_link_to_each_other_at_the_top(name: str) -> None:
    english, chinese = ((DOCS / f"{name}{end}.md").read_text() for end in ("", ".zh-CN"))
    assert f"中文说明见 [{name}.zh-CN.md]({name}.zh-CN.md)" in _sections(english)[1]
    assert f"English: [{name}.md]({name}.md)" in _sections(chinese)[1]


def _levels(text: str) -> list[str]:
    return re.findall(r"^#+(?= )", FENCE.sub("", text), re.MULTILINE)


def _code(text: str) -> list[tuple[str, str]]:
    """Return each code block as (language, code). Comments are removed."""
    return [
        (language, re.sub(r"(^|\s+)#.*", "", block, flags=re.MULTILINE))
        for language, block in FENCE.findall(text)
    ]


def _sections(text: str) -> list[str]:
    return re.split(r"^#+ .*$", FENCE.sub("", text), flags=re.MULTILINE)


def test_the_architecture_page_explains_every_dependency_and_only_pinned_packages() -> None:
    """The page explains every package in requirements.in, and may explain development packages."""
    text = (DOCS / "architecture.md").read_text()
    section = text[text.index("## Dependencies\n") :]
    table = re.findall(r"^\| ([a-z0-9, -]+) \|", section, re.MULTILINE)
    explained = {name.strip() for cell in table for name in cell.split(",")} - {"package"}
    files = "".join(path.read_text() for path in ROOT.glob("requirements*.txt"))
    assert explained <= set(re.findall(r"^([a-z0-9-]+)==", files, re.MULTILINE))
    chosen = re.findall(r"^[a-z][a-z0-9-]*", (ROOT / "requirements.in").read_text(), re.MULTILINE)
    assert set(chosen) <= explained


def test_the_architecture_page_names_every_package_and_only_existing_paths() -> None:
    spans = set(SPAN.findall((DOCS / "architecture.md").read_text()))
    paths = {ROOT / span for span in spans if re.match(r"(app|config|migrations|tests)/", span)}
    assert [path for path in paths if not path.exists()] == []
    packages = {path.parent for path in (ROOT / "app").glob("*/__init__.py")}
    packages |= {path.parent for path in (ROOT / "app" / "services").glob("*/__init__.py")}
    assert packages <= paths


def test_the_architecture_page_names_login_functions_with_the_files_that_define_them() -> None:
    """Each row of the table of the login pipeline lists files and functions of these files."""
    rows = re.findall(
        r"^\| [^|]+ \| (`app/[^|]+`) \| (`\w[^|]*`) \|$",
        (DOCS / "architecture.md").read_text(),
        re.MULTILINE,
    )
    assert len(rows) >= 8
    for files, functions in rows:
        text = "".join((ROOT / file).read_text() for file in SPAN.findall(files))
        for function in SPAN.findall(functions):
            assert re.search(rf"^def {function}\b", text, re.MULTILINE), function


@pytest.mark.parametrize("page", sorted(find_files()), ids=str)
def test_every_page_of_the_site_can_be_copied(page: str) -> None:
    """Two equal headings on a Chinese page would have no distinct English anchors."""
    files = find_files()
    sources = {file: Source(file, name) for name, file in files.items()}
    if page.endswith(".md"):
        assert page_text(sources[files[page]], sources)
