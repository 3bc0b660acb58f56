"""The pages about the client packages: links, and the Chinese version of each."""

from pathlib import Path

import pytest

from tests.guards.test_docs import FENCE, LINK, SPAN, _code, _levels, _sections, anchors_of

CLIENTS = Path(__file__).parents[2] / "clients"
PAGES = sorted(path for path in CLIENTS.rglob("*.md") if "node_modules" not in path.parts)
TRANSLATED = [path for path in PAGES if path.with_suffix(".zh-CN.md") in PAGES]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(CLIENTS)))
def test_every_link_of_a_client_page_points_to_an_existing_file_and_heading(path: Path) -> None:
    links = [link.partition("#") for link in LINK.findall(path.read_text()) if "://" not in link]
    assert links
    for file, _, anchor in links:
        target = path.parent / file if file else path
        assert target.exists(), file
        if anchor:
            assert anchor in anchors_of(target.read_text()), anchor


def test_the_package_has_a_chinese_page() -> None:
    assert CLIENTS / "miniprogram" / "README.md" in TRANSLATED


@pytest.mark.parametrize("path", TRANSLATED, ids=lambda path: str(path.relative_to(CLIENTS)))
def test_the_chinese_client_page_has_the_structure_of_the_english_page(path: Path) -> None:
    """Both pages have the same levels of headings, code blocks, and code names in each section."""
    english, chinese = path.read_text(), path.with_suffix(".zh-CN.md").read_text()
    assert FENCE.findall(english)
    assert _levels(english) == _levels(chinese)
    assert _code(english) == _code(chinese)
    for section, translated in zip(_sections(english), _sections(chinese), strict=True):
        assert sorted(SPAN.findall(translated)) == sorted(SPAN.findall(section))
