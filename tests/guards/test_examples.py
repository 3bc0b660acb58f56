"""The example back ends: the documentation shows their files unchanged."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
BACK_ENDS = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
# A path in a line of its own, and the code block after it.
SHOWN = re.compile(r"^`(examples/[^`]+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Files that a developer does not copy.
NOT_SHOWN = {".npmrc", "package-lock.json", "go.mod"}
GENERATED = {"node_modules", "__pycache__", "target"}


def files_of(name: str) -> set[str]:
    """Return the paths of the files of an example that its page shows."""
    return {
        str(path.relative_to(ROOT))
        for path in (EXAMPLES / name).rglob("*")
        if path.is_file() and path.name not in NOT_SHOWN and not GENERATED & set(path.parts)
    }


def test_each_example_has_a_page() -> None:
    assert BACK_ENDS == ["flask", "go", "node", "spring-boot"]
    overview = (ROOT / "docs" / "protect-your-api.md").read_text()
    assert [name for name in BACK_ENDS if f"](protect-{name}.md)" not in overview] == []


@pytest.mark.parametrize("language", ["", ".zh-CN"])
@pytest.mark.parametrize("name", BACK_ENDS)
def test_the_page_shows_every_file_of_the_example_unchanged(name: str, language: str) -> None:
    """After a change of an example, copy the file into both pages."""
    page = (ROOT / "docs" / f"protect-{name}{language}.md").read_text()
    shown = dict(SHOWN.findall(page))
    assert set(shown) == files_of(name)
    for path, code in shown.items():
        assert code == (ROOT / path).read_text(), path
