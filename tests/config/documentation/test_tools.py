"""The installation of the programs that build the documentation site."""

import sys
from pathlib import Path

import pytest

from config.documentation import tools


@pytest.fixture
def requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with requirements that can be installed without a network: none."""
    file = tmp_path / "requirements-docs.txt"
    file.touch()
    monkeypatch.setattr(tools, "REQUIREMENTS", file)
    monkeypatch.setattr(tools, "TOOLS", tmp_path / "docs-tools")
    monkeypatch.setattr(tools, "STAMP", tmp_path / "docs-tools" / "installed.txt")
    # Stands for the Python of the new environment.
    monkeypatch.setattr(tools, "PYTHON", Path(sys.executable))
    return file


def test_tools_are_installed_once_for_each_version_of_the_requirements(
    requirements: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text, times in (("", 1), ("", 0), ("# changed\n", 1)):
        requirements.write_text(text)
        tools.install_tools()
        assert capsys.readouterr().out.count("Installing") == times


def test_failed_installation_is_explained_and_tried_again(requirements: Path) -> None:
    requirements.write_text("./missing\n")
    for _ in range(2):
        with pytest.raises(tools.ToolsMissing, match="Is there a network"):
            tools.install_tools()
    assert not tools.STAMP.exists()
