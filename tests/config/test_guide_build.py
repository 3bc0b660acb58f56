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
    for name in ("mkdocs.yml", "docs/index.md"):
        (tmp_path / name).touch()
    monkeypatch.setattr(documentation, "ROOT", tmp_path)
    monkeypatch.setattr(documentation, "HOME", tmp_path / "var" / "guide" / "index.html")
    monkeypatch.setattr(documentation, "OTHER_FILES", {})
    return tmp_path / "docs" / "index.md"


def start_build(folder: Path) -> Child | None:
    """Start the build with the environment of the tests."""
    return guide.start_build(os.environ, folder / "log")


def test_site_is_current_until_a_page_changes(page: Path) -> None:
    assert not documentation.is_current()
    documentation.HOME.touch()
    assert documentation.is_current()
    built = documentation.HOME.stat().st_mtime
    os.utime(page, (built + 1, built + 1))
    assert not documentation.is_current()


def test_current_site_is_not_built_again(page: Path) -> None:
    documentation.HOME.touch()
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
