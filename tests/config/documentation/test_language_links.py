"""Links between the languages of the documentation site."""

from pathlib import Path

import pytest

from config.documentation.language_links import correct_language_links

LINK = '<link rel="alternate" href="./" hreflang="en">'
HOME = LINK + '<a href="/">English</a><a href="/zh-CN/">中文</a>'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A built site with two home pages and a sitemap."""
    (tmp_path / "zh-CN").mkdir()
    for name in ("index.html", "zh-CN/index.html"):
        (tmp_path / name).write_text(HOME)
    (tmp_path / "sitemap.xml").write_text("")
    return tmp_path


def test_home_pages_link_to_each_other_in_any_folder(site: Path) -> None:
    correct_language_links(site)
    english, chinese = (site / name for name in ("index.html", "zh-CN/index.html"))
    assert english.read_text() == '<a href="./">English</a><a href="zh-CN/">中文</a>'
    assert chinese.read_text() == '<a href="../">English</a><a href="./">中文</a>'


def test_site_without_a_fixed_address_has_no_sitemap(site: Path) -> None:
    correct_language_links(site)
    assert not list(site.glob("sitemap*"))


def test_home_page_without_a_language_switch_is_refused(site: Path) -> None:
    (site / "index.html").write_text('<a href="/">English</a>')
    with pytest.raises(ValueError, match="zh-CN"):
        correct_language_links(site)
