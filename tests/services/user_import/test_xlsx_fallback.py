"""XLSX files that openpyxl rejects, but Excel can open, are read by calamine."""

import os
import time
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook

from app.errors import (
    Failure,
    UserFileBusy,
    UserFileNotSpreadsheet,
    UserFileTooLarge,
    UserFileUnreadable,
)
from app.services.user_import import calamine_rows as fallback
from app.services.user_import.calamine_rows import calamine_rows
from app.services.user_import.cells import Row
from app.services.user_import.files import PersonRow, read_user_file
from app.services.user_import.xlsx_rows import OpenpyxlFailed, xlsx_rows
from tests.fixtures.user_files import repacked, rewritten, sheet_of, strict, with_texts, xlsx_of

HEADER = ("账号", "手机号", "昵称")
ALICE = ("alice", "13800138001", "小花 🌸")
XLSX = xlsx_of(HEADER, ALICE)
STYLES, BOOK, SHEET = "xl/styles.xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"
UNKNOWN_EXTENSION = b'<extLst><ext uri="{9}" xmlns:x="urn:x"><x:uri z="1"/></ext></extLst>'


def with_empty_fill(content: bytes) -> bytes:
    """Return the XLSX file with an empty `fill` element, as several programs write it."""
    return rewritten(content, STYLES, b"<fill><patternFill /></fill>", b"<fill/>")


def with_backslashes(content: bytes) -> bytes:
    """Return the XLSX file with backslashes in its part names, as some Windows programs do."""
    packed = BytesIO()
    with ZipFile(BytesIO(content)) as given, ZipFile(packed, "w", ZIP_DEFLATED) as made:
        for name in given.namelist():
            made.writestr(name.replace("/", "\\"), given.read(name))
    return packed.getvalue()


def with_extension(part: str, end: bytes) -> Callable[[bytes], bytes]:
    """Return a function that inserts an extension, which openpyxl rejects, before an end tag."""
    return lambda content: rewritten(content, part, end, UNKNOWN_EXTENSION + end)


REJECTED = {
    "empty fill": with_empty_fill,
    "strict": strict,
    "extension of styles": with_extension(STYLES, b"</styleSheet>"),
    "extension of the workbook": with_extension(BOOK, b"</workbook>"),
    "extension of the sheet": with_extension(SHEET, b"</worksheet>"),
    "extension of the fills": with_extension(STYLES, b"</fills>"),
    "strict with an empty fill": lambda content: strict(with_empty_fill(content)),
}
EACH_REJECTED = pytest.mark.parametrize("make", REJECTED.values(), ids=REJECTED)


def package_of(content: bytes) -> bytes:
    """Return the XLSX package that is passed to calamine after openpyxl has rejected the file."""
    with pytest.raises(OpenpyxlFailed) as failed:
        list(xlsx_rows(content))
    return failed.value.package


@EACH_REJECTED
def test_xlsx_file_that_openpyxl_rejects_is_read_by_calamine(
    make: Callable[[bytes], bytes],
) -> None:
    content = make(XLSX)
    package_of(content)
    (row,) = read_user_file(content).people
    assert (row.number, row.account, row.phone, row.nickname) == (2, *ALICE)


def test_xlsx_file_that_openpyxl_accepts_is_read_without_a_subprocess(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fallback.subprocess, "run", lambda *_, **__: pytest.fail("started"))
    (row,) = read_user_file(XLSX).people
    assert row == PersonRow(2, *ALICE)
    assert [*xlsx_rows(file_with_every_kind_of_cell())]


def test_xlsx_file_with_backslashes_in_its_part_names_is_read() -> None:
    (row,) = read_user_file(with_backslashes(XLSX)).people
    assert row == PersonRow(2, *ALICE)


def file_with_every_kind_of_cell() -> bytes:
    """Return an XLSX file with every kind of cell, below and to the right of empty cells."""
    book, content = Workbook(), BytesIO()
    sheet = book.active
    hidden = book.create_sheet("hidden", 0)
    hidden.sheet_state = "hidden"
    hidden.append(["account", "of another sheet"])
    values = [
        *("text", " padded ", "=1+1", 10001, 13800138001.0, -5, 0, 1.5, 1e15, 10**17, True, False),
        *("#N/A", "#DIV/0!", None, "", "x" * 300, "a_x000D_\nb_x005F_x0041_", "１２", "two\nlines"),
        *(datetime(2024, 1, 2), datetime(2024, 1, 2, 3, 4)),  # noqa: DTZ001
    ]
    for column, value in enumerate(values, start=3):
        sheet.cell(row=4, column=column, value=value)
    formats = ["000000", "0", "#,##0.00", "0%", "yyyy-mm-dd", '[$-804]yyyy"年"m"月"', "@", "+0"]
    sheet.cell(row=8, column=3, value="#N/A")
    for column, number_format in enumerate(formats, start=3):
        cell = sheet.cell(row=6, column=column, value=1234)
        cell.number_format = number_format
    book.save(content)
    return content.getvalue()


@pytest.mark.parametrize("make", [with_empty_fill, strict])
def test_calamine_reads_the_same_cells_as_openpyxl(make: Callable[[bytes], bytes]) -> None:
    def filled(rows: list[Row]) -> list[tuple[int, int, object]]:
        cells = [
            (row, column, cell)
            for row, one in enumerate(rows)
            for column, cell in enumerate(one)
            if cell is not None
        ]
        assert len(cells) > 20
        return cells

    by_openpyxl = filled([*xlsx_rows(file_with_every_kind_of_cell())])
    assert filled([*calamine_rows(package_of(make(file_with_every_kind_of_cell())))]) == by_openpyxl


def test_calamine_fallback_applies_number_formats_and_reports_damaged_cells() -> None:
    book, content = Workbook(), BytesIO()
    book.active.append(HEADER)
    book.active.append([1234, 13800138001, 1.5])
    book.active["A2"].number_format = "000000"
    book.save(content)
    (row,) = read_user_file(strict(content.getvalue())).people
    damaged = (("nickname", "cell_fraction"),)
    assert row == PersonRow(2, account="001234", phone="13800138001", damaged=damaged)


def test_xlsx_number_with_an_empty_style_attribute_has_no_number_format() -> None:
    header = '<row><c s="" t="inlineStr"><is><t>account</t></is></c></row>'
    sheet = sheet_of(f'{header}<row><c s=""><v>1</v></c></row>')
    (row,) = read_user_file(repacked(XLSX, sheet1=sheet)).people
    assert row == PersonRow(2, account="1")


def test_cell_with_an_undefined_style_is_reported_as_cell_format_unknown() -> None:
    cells = (
        '<row><c t="inlineStr"><is><t>account</t></is></c></row><row><c s="7"><v>1</v></c></row>'
    )
    content = with_empty_fill(repacked(XLSX, sheet1=sheet_of(cells)))
    (row,) = read_user_file(content).people
    assert row.damaged == (("account", "cell_format_unknown"),)


@pytest.mark.parametrize("value", ["1e999", "NaN", "INF"])
def test_infinite_or_nan_number_is_reported_as_cell_unreadable(value: str) -> None:
    cells = '<row><c t="inlineStr"><is><t>account</t></is></c></row><row><c><v>{}</v></c></row>'
    content = with_empty_fill(repacked(XLSX, sheet1=sheet_of(cells.format(value))))
    (row,) = read_user_file(content).people
    assert row.damaged == (("account", "cell_unreadable"),)


# Files that Excel rejects as well

TEXT_IN_A_NUMBER = (
    '<row><c><v>account</v></c></row><row><c t="inlineStr"><is><t>a</t></is></c></row>'
)
CELL = '<c r="{}"><v>1</v></c>'


@pytest.mark.parametrize(
    "content",
    [
        repacked(XLSX, sheet1=b"<worksheet"),
        repacked(XLSX, Content_Types=None),
        repacked(XLSX, sheet1=sheet_of('<row r="x"><c r="A1"><v>1</v></c></row>')),
        repacked(XLSX, sheet1=sheet_of('<row><c t="s"><v>99999</v></c></row>')),
        with_empty_fill(repacked(XLSX, sheet1=sheet_of(TEXT_IN_A_NUMBER))),
        with_texts(with_empty_fill(XLSX), b"<sst><si><t>cut off"),
        strict(rewritten(XLSX, BOOK, b'state="visible"', b'state="hidden"')),
    ],
)
def test_xlsx_file_that_excel_rejects_too_is_refused(content: bytes) -> None:
    with pytest.raises(UserFileUnreadable):
        read_user_file(content)


# Attacks


def refusal_of(content: bytes) -> Failure:
    """Return the exception raised for a refused file. Check the duration of the refusal."""
    start = time.monotonic()
    with pytest.raises((UserFileTooLarge, UserFileUnreadable)) as refused:
        read_user_file(content)
    assert time.monotonic() - start < 15
    return refused.value


def rejected(rows: str) -> bytes:
    """Return an XLSX file with these rows that openpyxl rejects, so that calamine reads it."""
    return with_empty_fill(repacked(XLSX, sheet1=sheet_of(rows)))


@pytest.mark.parametrize(
    "last",
    ["XFD1048576", "AF1048576", "D99999999", "D4294967299", "ZZZZZZZZZZZZ1"],
)
def test_file_with_a_distant_cell_is_refused_and_does_not_crash_the_worker(last: str) -> None:
    """calamine allocates memory for every cell between the first and the last cell."""
    row = last.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    cells = f'<row r="1">{CELL.format("A1")}</row><row r="{row}">{CELL.format(last)}</row>'
    refusal_of(rejected(cells))


def test_file_with_a_false_count_of_shared_strings_does_not_crash_the_worker() -> None:
    """calamine allocates memory for the stated number of shared strings."""
    texts = b'<sst uniqueCount="4294967295"><si><t>x</t></si></sst>'
    assert "exit code" in refusal_of(with_texts(with_empty_fill(XLSX), texts)).cause


def test_file_that_repeats_a_long_shared_string_is_refused() -> None:
    rows = '<row><c t="s"><v>0</v></c><c t="s"><v>0</v></c></row>' * 60_000
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    for length in (250, 30_000):
        texts = f'<sst xmlns="{namespace}"><si><t>{"x" * length}</t></si></sst>'.encode()
        refusal_of(with_texts(rejected(rows), texts))


def test_size_and_entities_of_an_xlsx_file_are_checked_before_calamine_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fallback.subprocess, "run", lambda *_, **__: pytest.fail("started"))
    refusal_of(rejected("<row/>" * 600_001))
    refusal_of(rejected(" " * (33 << 20)))
    refusal_of(
        with_empty_fill(repacked(XLSX, sheet1=sheet_of("", "<!DOCTYPE x [<!ENTITY a 'b'>]>")))
    )


def test_calamine_process_that_takes_too_long_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    program = tmp_path / "endless.py"
    program.write_text(
        f"import os\nopen({str(pid_file)!r}, 'w').write(str(os.getpid()))\nwhile 1: pass"
    )
    monkeypatch.setattr(fallback, "_PROGRAM", program)
    monkeypatch.setattr(fallback, "SECONDS", 2)
    assert refusal_of(with_empty_fill(XLSX)).cause == "calamine: TimeoutExpired"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_calamine_process_inherits_no_environment_variables_and_no_open_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "curious.py"
    program.write_text(
        "import json, os, sys\n"
        "files = sorted(os.listdir('/proc/self/fd'))[:4]\n"
        "json.dump([[0, ['account']], [1, [' '.join([*os.environ, *files])]]], sys.stdout)"
    )
    monkeypatch.setattr(fallback, "_PROGRAM", program)
    monkeypatch.setenv("WXPASS_KEYS", "secret")
    (row,) = read_user_file(with_empty_fill(XLSX)).people
    # File descriptor 3 is the folder being listed. Python sets LC_CTYPE itself.
    assert set(row.account.split()) <= {"LC_CTYPE", "LD_LIBRARY_PATH", "0", "1", "2", "3"}


def test_number_of_concurrent_calamine_processes_is_limited() -> None:
    slots = [fallback._process_slot() for _ in range(fallback.MOST_PROCESSES)]
    for slot in slots:
        slot.__enter__()
    try:
        with pytest.raises(UserFileBusy) as busy:
            read_user_file(with_empty_fill(XLSX))
        assert (busy.value.status, busy.value.retry_after) == (503, 5)
        assert read_user_file(XLSX).people
    finally:
        for slot in slots:
            slot.__exit__(None, None, None)
    assert read_user_file(with_empty_fill(XLSX)).people


# Files that are not spreadsheets


def archive_of(*names: str) -> bytes:
    """Return a ZIP archive with files of these names."""
    packed = BytesIO()
    with ZipFile(packed, "w") as made:
        for name in names:
            made.writestr(name, b"<x/>")
    return packed.getvalue()


PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
    b"\x1f\x15\xc4\x89\x00\x00\x00\rIDATx\xdac\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff"
)


@pytest.mark.parametrize(
    "content",
    [
        PNG,
        b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01",
        b"GIF89a\x01\x00\x01\x00",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj",
        b"\x7fELF\x02\x01\x01\x00\x00",
        b"\x1f\x8b\x08\x00\x00\x00",
        archive_of("word/document.xml", "[Content_Types].xml"),
        archive_of("META-INF/MANIFEST.MF"),
        archive_of("photo.jpg"),
    ],
)
def test_file_that_is_not_a_spreadsheet_is_refused_with_a_message_of_one_sentence(
    content: bytes,
) -> None:
    with pytest.raises(UserFileNotSpreadsheet) as refused:
        read_user_file(content)
    assert refused.value.code == "people_file_not_spreadsheet"
    assert refused.value.en.count(". ") == 0
    assert refused.value.about == ""


@pytest.mark.parametrize(
    "content",
    [
        archive_of("xl/workbook.bin"),
        archive_of("mimetype", "content.xml"),
        archive_of("workbook.xml", "sheet1.xml"),
        b"<html><table><tr><td>account</td></tr></table></html>",
        b'\xef\xbb\xbf<?xml version="1.0"?><Workbook/>',
        b"\xd0\xcf\x11\xe0",
    ],
)
def test_file_in_another_spreadsheet_format_is_refused_with_the_advice_to_save_as_xlsx(
    content: bytes,
) -> None:
    with pytest.raises(UserFileUnreadable) as refused:
        read_user_file(content)
    assert "save it as .xlsx" in refused.value.en
