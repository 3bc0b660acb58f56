"""Cells of import files: cells that Excel damaged are rejected with a reason code."""

from datetime import datetime, time, timedelta
from io import BytesIO

import pytest
from openpyxl import Workbook

from app.services.user_import.files import PersonRow, read_user_file
from app.services.user_import.number_formats import displayed
from app.services.user_import.rows import REASONS, read_person
from tests.fixtures.user_files import csv_of, rewritten

COLUMNS = ("account", "phone", "nickname", "password")
EACH_COLUMN = pytest.mark.parametrize("column", COLUMNS)

ID_CARD = "110101199001011234"


def xlsx_cell(column: str, value: object, number_format: str = "General") -> PersonRow:
    """Read an XLSX sheet with one user, with a value in the given column. Return the row."""
    book, content = Workbook(), BytesIO()
    header = ("account", column) if column != "account" else ("account", "phone")
    book.active.append(header)
    book.active.append(["alice", value] if column != "account" else [value, "13800138001"])
    cell = book.active["B2" if column != "account" else "A2"]
    cell.number_format = number_format
    book.save(content)
    (row,) = read_user_file(content.getvalue()).people
    return row


def csv_cell(column: str, text: str) -> PersonRow:
    """Read a CSV file with one user, with a text in the given column. Return the row."""
    rows = [("account", column), ("alice", text)]
    if column == "account":
        rows = [("account", "phone"), (text, "13800138001")]
    (row,) = read_user_file(csv_of(*rows, delimiter=";")).people
    return row


@EACH_COLUMN
@pytest.mark.parametrize(
    ("value", "number_format", "code"),
    [
        (110101199001011234, "General", "cell_digits_lost"),
        (1.10101199001011e17, "0", "cell_digits_lost"),
        (1000000000000000, "@", "cell_digits_lost"),
        (-1234567890123456, "General", "cell_digits_lost"),
        (1e300, "General", "cell_digits_lost"),
        (1.5, "General", "cell_fraction"),
        (0.1, "0", "cell_fraction"),
        (13800138001.5, "0", "cell_fraction"),
        (True, "General", "cell_boolean"),
        (False, "General", "cell_boolean"),
        (datetime(2024, 1, 2), "yyyy-mm-dd", "cell_unreadable"),  # noqa: DTZ001
        (45293, '[$-804]yyyy"年"m"月"d"日"', "cell_unreadable"),
        (time(12, 30), "h:mm", "cell_unreadable"),
        (timedelta(hours=30), "[h]:mm:ss", "cell_unreadable"),
        ("#N/A", "General", "cell_unreadable"),
        ("#DIV/0!", "General", "cell_unreadable"),
        (5, "0%", "cell_format_unknown"),
        (12, "[DBNum1]General", "cell_format_unknown"),
        (12, '"¥"#,##0.00', "cell_format_unknown"),
    ],
)
def test_xlsx_cell_damaged_by_excel_is_rejected_with_a_reason_code(
    column: str, value: object, number_format: str, code: str
) -> None:
    row = xlsx_cell(column, value, number_format)
    assert row.damaged == ((column, code),)
    assert (row.number, getattr(row, column)) == (2, "")
    assert (column, code) in [(one.column, one.code) for one in read_person(row)[1]]
    assert "ormat the column as text and enter the value again." in REASONS[code]


@pytest.mark.parametrize("number_format", [27, 31, 36, 50, 58])
def test_xlsx_date_in_a_built_in_format_of_chinese_excel_is_rejected(number_format: int) -> None:
    """For these formats, Excel writes only the format number and no format text."""
    book, content = Workbook(), BytesIO()
    book.active.append(["account"])
    book.active.append([45293])
    book.active["A2"].number_format = "0"
    book.save(content)
    written = f'numFmtId="{number_format}"'.encode()
    changed = rewritten(content.getvalue(), "xl/styles.xml", b'numFmtId="1"', written)
    (row,) = read_user_file(changed).people
    assert row.damaged == (("account", "cell_unreadable"),)


@EACH_COLUMN
@pytest.mark.parametrize(
    "text",
    [
        *("1.10101E+17", "1.38e+10", "1.38E10", "1E+10", "1.3800138001E+10", "-1.1E+17"),
        *("1.10101E-05", " 1.10101E+17 ", "1,10101E+17", "１．３８Ｅ＋１０", "1.1E+300"),
        *("13.8E+9", "110.1E+15", "\u200b1.38E+10", "\u202a1.38E+10\u202c", "1.38\u2060E+10"),
    ],
)
def test_number_in_exponent_notation_in_a_csv_file_is_rejected(column: str, text: str) -> None:
    row = csv_cell(column, text)
    assert row.damaged == ((column, "cell_exponent"),)
    assert getattr(row, column) == ""


@EACH_COLUMN
@pytest.mark.parametrize("text", ["#N/A", "#REF!", "#DIV/0!", "#SPILL!", "########", " #N/A "])
def test_excel_error_value_in_a_csv_file_is_rejected(column: str, text: str) -> None:
    assert csv_cell(column, text).damaged == ((column, "cell_unreadable"),)


@pytest.mark.parametrize(
    "text",
    [
        *(ID_CARD, "3e12", "12e5", "1.5", "1.38E", "E+10", "1.38E+10x", "v1.38E+10", "true"),
        *("#1", "C#", "001234", "2024-01-02", "1.10101E+1234", "12E-5", "1380.1E+7"),
    ],
)
def test_texts_that_resemble_damaged_cells_are_read_from_a_csv_file(text: str) -> None:
    assert csv_cell("account", text) == PersonRow(2, account=text, phone="13800138001")
    assert csv_cell("password", text) == PersonRow(2, account="alice", password=text)


@pytest.mark.parametrize("text", [ID_CARD, "1.10101E+17", "1.5", "TRUE", "001234", "3e12"])
def test_text_cell_that_resembles_a_number_is_read_from_an_xlsx_file(text: str) -> None:
    assert xlsx_cell("account", text, "@") == PersonRow(2, account=text, phone="13800138001")
    assert xlsx_cell("nickname", text) == PersonRow(2, account="alice", nickname=text)


@pytest.mark.parametrize("marked", ["'1.10101E+17", '="1.10101E+17"'])
def test_exponent_notation_marked_as_text_is_read_from_a_csv_file(marked: str) -> None:
    assert csv_cell("account", marked).account == "1.10101E+17"


def test_xlsx_numbers_of_up_to_fifteen_digits_are_read_exactly() -> None:
    assert xlsx_cell("account", 999_999_999_999_999).account == "999999999999999"
    assert xlsx_cell("account", 13800138001.0).account == "13800138001"


@pytest.mark.parametrize(
    ("number", "number_format", "shown"),
    [
        (1234, "000000", "001234"),
        (1234567, "000000", "1234567"),
        (0, "0000", "0000"),
        (-7, "0000", "-0007"),
        (7, '"A"0000', "A0007"),
        (7, "\\A\\-000", "A-007"),
        (13800138001, "000-0000-0000", "138-0013-8001"),
        (13105551234, "+0", "+13105551234"),
        (13105551234, '"+"0', "+13105551234"),
        (12, "00 00", "00 12"),
        (12, "###0", "12"),
        (12, "0_ ;[红色]\\-0\\ ", "12"),
        (-12, "0_ ;[Red]\\-0\\ ", "-12"),
        (-12, "0000;-0000", None),
        (12, "[$-804]0;@", "12"),
        (1234, "General", "1234"),
        (1234, "@", "1234"),
        (1234, "#,##0", "1234"),
        (1234, "#,##0.00", "1234"),
        (1234, "0.00", "1234"),
        (1234, "0.00E+00", "1234"),
        (12, '_(* #,##0_);_(* \\(#,##0\\);_(* "-"_);_(@_)', "12"),
        (12, "0%", None),
        (12, "# ?/?", None),
        (12000, "0,", None),
        (12, "000.00", None),
        (12, "[>100]0;00", None),
        (12, '"¥"#,##0', None),
        (0, "0;-0;;@", None),
        (12, '"x"', None),
        (12, "", None),
    ],
)
def test_xlsx_number_is_read_as_its_number_format_displays_it(
    number: int, number_format: str, shown: str | None
) -> None:
    assert displayed(number, number_format) == shown


@EACH_COLUMN
def test_xlsx_number_padded_with_zeros_is_read_as_displayed(column: str) -> None:
    assert getattr(xlsx_cell(column, 1234, "000000"), column) == "001234"


def test_damaged_cell_in_an_ignored_column_is_not_reported() -> None:
    row = xlsx_cell("remark", 1.5)
    assert row == PersonRow(2, account="alice")
    assert csv_cell("remark", "1.38E+10") == PersonRow(2, account="alice")
