"""The pages of the documentation site: links and anchors."""

from pathlib import Path

import pytest

from config.documentation.pages import Source, anchors, front_matter, page_text

ENGLISH = "# Sessions\n\nText.\n\n## Refresh a token\n"
CHINESE = "# 会话\n\n[刷新](#刷新凭证)\n\n## 刷新凭证\n"


@pytest.fixture
def sources(tmp_path: Path) -> dict[Path, Source]:
    """The files of a small repository with a translated page, by their path."""
    files = {
        "docs/sessions.md": ("sessions.md", ENGLISH),
        "docs/sessions.zh-CN.md": ("sessions.zh-CN.md", CHINESE),
        "docs/decisions/0001.md": ("decisions/0001.md", "# 1. A decision\n"),
        "clients/README.md": ("clients/client.md", "# Client\n"),
    }
    for path, (_, text) in files.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return {tmp_path / path: Source(tmp_path / path, page) for path, (page, _) in files.items()}


def text_of(sources: dict[Path, Source], page: str, text: str) -> str:
    """Return the text in the site of a page that has this text in the repository."""
    source = next(one for one in sources.values() if one.page == page)
    source.file.write_text(text)
    return page_text(source, sources)


@pytest.mark.parametrize(
    ("page", "text", "expected"),
    [
        ("sessions.md", "[a](decisions/0001.md#x)", "[a](decisions/0001.md#x)"),
        ("sessions.md", "[a](../clients/README.md)", "[a](clients/client.md)"),
        ("decisions/0001.md", "[a](../sessions.md)", "[a](../sessions.md)"),
        ("decisions/0001.md", "[a](../sessions.zh-CN.md)", "[a](../sessions.md)"),
        ("clients/client.md", "![a](../docs/sessions.md)", "![a](../sessions.md)"),
        ("sessions.md", "[`a`](../app/__init__.py)", "`a`"),
        ("decisions/0001.md", "[sessions.md](../sessions.md)", "[Sessions](../sessions.md)"),
        ("sessions.md", "[`0001.md`](decisions/0001.md)", "[1. A decision](decisions/0001.md)"),
        ("sessions.md", "[a](https://example.com/a.md)", "[a](https://example.com/a.md)"),
        ("sessions.md", "```\n[a](../app)\n```\n", "```\n[a](../app)\n```\n"),
        ("sessions.md", "Text. 中文说明见 [s](sessions.zh-CN.md). More.", "Text. More."),
    ],
)
def test_links_lead_to_pages_of_the_site(
    sources: dict[Path, Source], page: str, text: str, expected: str
) -> None:
    assert text_of(sources, page, text) == expected


@pytest.mark.parametrize(
    ("page", "boost"),
    [("faq.md", 4), ("faq.zh-CN.md", 4), ("integrate.md", 1), ("decisions/0001-a.md", 0.1)],
)
def test_search_prefers_answers_to_design(page: str, boost: float) -> None:
    assert front_matter(page) == f"---\nsearch:\n  boost: {boost}\n---\n\n"


def test_headings_of_a_chinese_page_have_the_english_anchors(sources: dict[Path, Source]) -> None:
    assert text_of(sources, "sessions.zh-CN.md", CHINESE) == (
        "# 会话 {#sessions}\n\n[刷新](#refresh-a-token)\n\n## 刷新凭证 {#refresh-a-token}\n"
    )


def test_link_to_a_chinese_heading_has_the_english_anchor(sources: dict[Path, Source]) -> None:
    text = "[刷新](../docs/sessions.zh-CN.md#刷新凭证)"
    assert text_of(sources, "clients/client.md", text) == "[刷新](../sessions.md#refresh-a-token)"


def test_chinese_page_with_other_headings_than_the_english_page_is_refused(
    sources: dict[Path, Source],
) -> None:
    with pytest.raises(ValueError, match="different headings"):
        text_of(sources, "sessions.zh-CN.md", "# 会话\n")


def test_each_error_code_has_an_anchor(sources: dict[Path, Source]) -> None:
    source = Source(next(iter(sources)), "errors.md")
    source.file.write_text("| code | status |\n|---|---|\n| `code_used` | 400 |\n")
    assert '| <span id="code_used">`code_used`</span> | 400 |' in page_text(source, sources)


def test_anchors_are_those_of_github() -> None:
    text = "# PostgreSQL's log\n```\n# a comment\n```\n## `keys rotate`, 轮换\n"
    assert anchors(text) == ["postgresqls-log", "keys-rotate-轮换"]
