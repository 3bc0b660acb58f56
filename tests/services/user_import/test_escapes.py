"""Escaping of exported cells against formulas, and reading the escaped cells back."""

import csv
import re
from collections.abc import Iterator
from io import StringIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.services.user_import.cells import csv_cell, entered_text
from app.services.user_import.escapes import escaped, unescaped

FORMULA = "=+-@＝＋－＠"
# Random texts made of characters that matter for escaping.
TEXTS = st.text(st.sampled_from([*"ab1=+-@＝;,\t\r\n\"' .E#/\u200b\ufeff\u3000"]), max_size=9)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("", ""),
        ("o'neil", "o'neil"),
        ("=1+1", "'=1+1"),
        ("+8613800138001", "'+8613800138001"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("x;=cmd", "x;'=cmd"),
        ("x,=cmd", "x,'=cmd"),
        ("x\t=cmd", "x\t'=cmd"),
        ("x\n=cmd", "x\n'=cmd"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ('x;"=cmd"', 'x;\'"=cmd"'),
        ("x; ＠cmd;-1", "x;' ＠cmd;'-1"),
        ("x;'=cmd", "x;''=cmd"),
        ("a;b,c", "a;b,c"),
        ("1.10101E+17", "'1.10101E+17"),
        ("13.8E+9", "'13.8E+9"),
        ("1.1\u200dE+17", "'1.1\u200dE+17"),
        ("#N/A", "'#N/A"),
        (" padded ", "' padded "),
    ],
)
def test_cell_is_escaped_on_export_and_unescaped_on_import(text: str, cell: str) -> None:
    assert escaped(text) == cell
    assert unescaped(cell) == text


@given(st.one_of(TEXTS, st.text(max_size=9)))
@example("''=1")
@example("';'=1")
@example("1.1\u200dE+17")
@example("\u200d #N/A")
def test_any_text_is_unchanged_after_export_and_import(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert unescaped(escaped(escaped(text))) == escaped(text)
    cell = csv_cell(escaped(text))
    assert isinstance(cell, str)
    assert entered_text(cell) == text


def fields_of(line: str, delimiter: str) -> Iterator[str]:
    """Yield the fields of a line split at a delimiter, with and without regard to quotes."""
    for row in csv.reader(StringIO(line, newline=""), delimiter=delimiter):
        yield from row
    yield from re.split(f"[\r\n{delimiter}]", line)


@given(st.lists(TEXTS, min_size=1, max_size=3))
@example(["x", 'y;"=cmd"'])
@example(['"', "y;=cmd"])
@example(["x", "y\n=cmd", "z"])
def test_no_exported_cell_is_read_as_a_formula_with_any_delimiter(cells: list[str]) -> None:
    line = StringIO()
    csv.writer(line).writerow([escaped(cell) for cell in cells])
    for delimiter in ",;\t":
        for field in fields_of(line.getvalue(), delimiter):
            assert not field.lstrip('" \u200b\ufeff\u3000').startswith(tuple(FORMULA)), field
