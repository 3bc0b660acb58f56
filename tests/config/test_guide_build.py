"""The build of the documentation site in the background of `make run`."""

import os
from pathlib import Path

import pytest

from config import documentation
from config.development import guide
from config.development.children import Child

SERVICE = "http://127.0.0.1:8000"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page in a repository without a built site."""
    for folder in ("docs", "config/documentation", "var/guide"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("mkdocs.yml", "requirements-docs.txt", "docs/index.md", "docs/faq.md"):
        (tmp_path / name).touch()
    monkeypatch.setattr(documentation, "ROOT", tmp_path)
    monkeypatch.setattr(documentation, "REQUIREMENTS", tmp_path / "requirements-docs.txt")
    monkeypatch.setattr(documentation, "DIGEST", tmp_path / "var" / "guide" / ".digest")
    monkeypatch.setattr(documentation, "OTHER_FILES", {})
    return tmp_path / "docs" / "index.md"


def build() -> None:
    """Store the digest of the sources, as `make docs` does."""
    documentation.DIGEST.write_text(documentation.digest_of_sources())


def start_build(folder: Path) -> Child | None:
    """Start the build with the environment of the tests."""
    return guide.start_build(os.environ, folder / "log")


def test_site_is_current_until_a_source_changes(page: Path) -> None:
    assert not documentation.is_current()
    for change in (
        lambda: page.write_text("# New"),
        lambda: page.with_name("faq.md").unlink(),
        lambda: page.with_name("more.md").touch(),
        lambda: documentation.REQUIREMENTS.write_text("mkdocs==1"),
    ):
        build()
        assert documentation.is_current()
        change()
        assert not documentation.is_current()


def test_hidden_files_of_editors_are_no_sources(page: Path) -> None:
    build()
    page.with_name(".#index.md").symlink_to("someone@somewhere.1234")
    page.with_name(".index.md.swp").touch()
    assert documentation.is_current()
    assert list(documentation.find_files()) == ["faq.md", "index.md"]


def test_source_that_cannot_be_read_makes_the_site_outdated(page: Path) -> None:
    build()
    (page.parents[1] / "mkdocs.yml").unlink()
    assert not documentation.is_current()


def test_current_site_is_not_built_again(page: Path) -> None:
    build()
    assert start_build(page.parent) is None
    assert "being built" not in guide.describe(SERVICE, None)


@pytest.mark.parametrize(("program", "result"), [("true", "is ready"), ("false", "was not built")])
def test_end_of_the_build_is_reported(
    page: Path, monkeypatch: pytest.MonkeyPatch, program: str, result: str
) -> None:
    monkeypatch.setattr(guide, "COMMAND", [program])
    build = start_build(page.parent)
    assert build is not None
    assert "being built" in guide.describe(SERVICE, build)
    build.process.wait()
    assert result in guide.describe_end(SERVICE, build)
