"""Every command on a page is run by a test, or a comment says why not."""

import ast
import re
from pathlib import Path

import pytest

from tests.fixtures.documented_commands import (
    EXECUTED,
    NOT_RUN,
    OTHER_SHELLS,
    Block,
    all_blocks,
    blocks_in,
    is_not_run,
    shell_blocks,
)

ROOT = Path(__file__).parents[2]
TESTS = sorted({row.test for row in EXECUTED})


@pytest.mark.parametrize("block", shell_blocks(), ids=str)
def test_every_command_block_is_run_by_a_test_or_has_a_reason(block: Block) -> None:
    """If this fails, add a row to EXECUTED, or a comment `Not run by tests: ...` to the page.

    A block with a comment is not run, even if a row matches it.
    """
    assert is_not_run(block) or any(row.matches(block) for row in EXECUTED), block.code


@pytest.mark.parametrize("block", shell_blocks(), ids=str)
def test_every_reason_is_a_sentence(block: Block) -> None:
    if block.comment is not None:
        assert re.fullmatch(rf"{NOT_RUN}[a-z`][^<>]{{10,}}\.", block.comment), block.comment


def test_every_row_names_an_existing_test_and_matches_a_block() -> None:
    blocks = [block for block in shell_blocks() if not is_not_run(block)]
    for row in EXECUTED:
        assert any(row.matches(block) for block in blocks), row
    for test in TESTS:
        path, _, name = test.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


def test_new_test_modules_read_their_blocks_from_the_pages() -> None:
    """Only the tests of `make run` find their commands in another way."""
    for test in TESTS:
        path = test.partition("::")[0]
        if path != "tests/e2e/test_make_run.py":
            assert "blocks_run_by(" in (ROOT / path).read_text(), path


def test_command_blocks_have_the_language_sh() -> None:
    assert [str(block) for block in all_blocks() if block.language in OTHER_SHELLS] == []


def test_a_comment_belongs_to_the_block_directly_after_it() -> None:
    comment = f"<!-- {NOT_RUN}needs a moon. -->"
    blocks = blocks_in(f"{comment}\n\n```sh\none\n```\n\n- x\n\n  ```sh\n  two\n  ```\n", "page.md")
    assert [(block.code, is_not_run(block)) for block in blocks] == [
        ("one\n", True),
        ("two\n", False),
    ]
    apart = blocks_in(f"{comment}\n\ntext\n\n```sh\none\n```\n", "page.md")
    assert [is_not_run(block) for block in apart] == [False]
