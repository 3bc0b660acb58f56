"""Comments, docstrings, function names and documents avoid words that are hard to read."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HARD = re.compile(
    r"\b(whoever|whomever|whom|whose|somebody|someone|nobody|anybody|everybody|anew|meanwhile"
    r"|is to be|for good|at once)\b",
    re.IGNORECASE,
)
WORD = re.compile(r"[A-Za-z']+")
MOST_PER_10_000_WORDS = 8


def prose_of(path: Path) -> Iterator[str]:
    """Yield the comments, docstrings and function names of a Python file."""
    source = path.read_text()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""
        if isinstance(node, ast.FunctionDef):
            yield node.name.replace("_", " ")


def python_prose(*folders: str) -> Iterator[tuple[Path, str]]:
    """Yield each Python file in the folders with its prose."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, "\n".join(prose_of(path))


def english_documents() -> Iterator[tuple[Path, str]]:
    """Yield each English Markdown file with its text."""
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
        if not path.name.endswith(".zh-CN.md"):
            yield path, path.read_text()


TEXTS = {
    "code": lambda: python_prose("app", "config", "migrations"),
    "tests": lambda: python_prose("tests"),
    "documents": english_documents,
}


def hard_words(texts: Iterable[tuple[Path, str]]) -> tuple[float, list[str]]:
    """Return the number of hard words per 10,000 words, and each hard word with its file."""
    words, found = 0, []
    for path, text in texts:
        words += len(WORD.findall(text))
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in HARD.finditer(text)]
    return len(found) / words * 10_000, found


@pytest.mark.parametrize("kind", TEXTS)
def test_prose_contains_at_most_8_hard_words_per_10000_words(kind: str) -> None:
    rate, found = hard_words(TEXTS[kind]())
    assert rate <= MOST_PER_10_000_WORDS, "\n".join(found)
