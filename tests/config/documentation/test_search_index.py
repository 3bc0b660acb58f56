"""The search indexes of the documentation site."""

import json
from pathlib import Path

import pytest

from config.documentation.search_index import split_search_index

CONFIG = (
    '<script id="__config" type="application/json">{"annotate": null, "base": "../.."}</script>'
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A built site with a translated and an untranslated page."""
    for folder in ("search", "zh-CN/sessions"):
        (tmp_path / folder).mkdir(parents=True)
    sections = ["sessions/", "sessions/#refresh", "decisions/", "zh-CN/sessions/"]
    index = {"config": {"lang": ["en", "zh"]}, "docs": [{"location": one} for one in sections]}
    (tmp_path / "search" / "search_index.json").write_text(json.dumps(index))
    (tmp_path / "zh-CN" / "sessions" / "index.html").write_text(CONFIG)
    return tmp_path


def locations(folder: Path) -> list[str]:
    """Return the locations in the index of a folder."""
    index = json.loads((folder / "search" / "search_index.json").read_text())
    assert index["config"] == {"lang": ["en", "zh"]}
    return [section["location"] for section in index["docs"]]


def test_each_language_has_an_index_of_its_own(site: Path) -> None:
    split_search_index(site)
    assert locations(site) == ["sessions/", "sessions/#refresh", "decisions/"]
    assert locations(site / "zh-CN") == ["sessions/", "decisions/"]


def test_chinese_pages_read_the_chinese_index(site: Path) -> None:
    split_search_index(site)
    assert '"base": ".."' in (site / "zh-CN" / "sessions" / "index.html").read_text()


def test_page_without_configuration_of_the_search_is_refused(site: Path) -> None:
    (site / "zh-CN" / "index.html").write_text("<html></html>")
    with pytest.raises(ValueError, match="index"):
        split_search_index(site)
