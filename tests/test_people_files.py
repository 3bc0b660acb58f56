"""Files of people as Excel, WPS and attackers make them."""

import time
import tracemalloc
import warnings
from datetime import datetime
from io import BytesIO
from zipfile import ZIP_BZIP2, ZIP_LZMA, ZipFile

import pytest
from openpyxl import Workbook

from app.errors import (
    Failure,
    PeopleColumnsWrong,
    PeopleFileEmpty,
    PeopleFileTooLarge,
    PeopleFileUnreadable,
)
from app.services.people_files import LARGEST_FILE, MOST_PEOPLE, PersonRow, read_people
from tests.people import csv_of, repacked, sheet_of, with_texts, xlsx_of

HEADER = ("账号", "手机号", "昵称")
ALICE = ("alice", "13800138001", "小花 🌸")
XLSX = xlsx_of(HEADER, ALICE)


def read(content: bytes) -> list[tuple[int, str, str, str]]:
    """Read a file down to numbers and texts."""
    return [
        (row.number, row.account, row.phone, row.nickname) for row in read_people(content).people
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_a_csv_file_is_not_understood(encoding: str, delimiter: str) -> None:
    content = csv_of(HEADER, ALICE, encoding=encoding, delimiter=delimiter)
    assert read(content) == [(2, *ALICE)]


@pytest.mark.parametrize(
    "header",
    ["account,phone,nickname", "账号,手机号,昵称", " Account , PHONE ,昵称", "帐号,phone,昵称"],
)
def test_a_header_is_not_understood(header: str) -> None:
    assert read(f"{header}\nalice,13800138001,Alice".encode()) == [
        (2, "alice", "13800138001", "Alice")
    ]


def test_a_row_is_called_by_another_number_than_excel_shows() -> None:
    content = b'account,nickname\r\n\r\na,"two\nlines"\r\n,\r\nb,B\r\n\r\n'
    assert [number for number, *_ in read(content)] == [3, 5]
    assert [number for number, *_ in read(xlsx_of(["account"], [], ["a"], [None], ["b"]))] == [3, 5]


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("account,telephone", {"unknown": ["telephone"], "twice": []}),
        ("account,账号,phone", {"unknown": [], "twice": ["account"]}),
        ("nickname,password", {"unknown": [], "twice": []}),
        ("alice,13800138001", {"unknown": ["alice", "13800138001"], "twice": []}),
    ],
)
def test_a_wrong_header_is_taken_or_told_unclearly(header: str, told: dict[str, list[str]]) -> None:
    with pytest.raises(PeopleColumnsWrong) as refused:
        read_people(f"{header}\na,b".encode())
    assert refused.value.errors == {"columns": told}
    assert refused.value.cause == "first row", "a person's number in the log"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"account,phone\n", xlsx_of(HEADER), xlsx_of()])
def test_an_empty_file_is_imported(content: bytes) -> None:
    with pytest.raises(PeopleFileEmpty):
        read_people(content)


@pytest.mark.parametrize(
    "content",
    [
        b'account,nickname\na,"never closed\nb,B\n',
        b'account,nickname\na,"closed" too early\nb,B\n',
        "account\nalice".encode("utf-16")[2:][:-1] + b"\xff\xff",
        b"\xd0\xcf\x11\xe0 an old XLS, or one with a password",
        b"PK\x03\x04 no ZIP at all",
        XLSX[:-100],
        XLSX.replace(b"PK\x01\x02", b"PK\x01\x03"),
        repacked(XLSX, workbook=None),
        repacked(XLSX, Content_Types=None),
        repacked(XLSX, sheet1=b"<worksheet"),
        repacked(XLSX, sheet1=sheet_of('<row r="x"><c r="A1"><v>1</v></c></row>')),
        repacked(XLSX, sheet1=sheet_of('<row><c t="s"><v>99999</v></c></row>')),
    ],
)
def test_a_file_that_cannot_be_read_is_an_accident(content: bytes) -> None:
    with pytest.raises((PeopleFileUnreadable, PeopleColumnsWrong)):
        read_people(content)


def test_cells_beside_the_columns_are_lost_silently() -> None:
    (row,) = read_people(b"account,nickname\nalice,Li, Alice,,\n").people
    assert row.unread == ("",)
    (row,) = read_people(xlsx_of(["account", None, "phone"], ["a", "lost", 13800138001])).people
    assert (row.unread, row.phone) == (("",), "13800138001")


# What Excel makes of things


def test_texts_in_a_table_are_not_found() -> None:
    texts = ("账号", "手机号", "昵称", *ALICE)
    table = "".join(
        f"<si><t>{text}</t><rPh sb='0' eb='1'><t>pinyin</t></rPh></si>" for text in texts
    )
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    cells = [f'<c t="s" s="0"><v>{number}</v></c>' for number in range(6)]
    rows = "".join(f"<row spans='1:3'>{''.join(part)}</row>" for part in (cells[:3], cells[3:]))
    content = repacked(XLSX, sheet1=sheet_of(rows))
    assert read(with_texts(content, f'<sst xmlns="{namespace}">{table}</sst>'.encode())) == [
        (2, *ALICE)
    ]


def test_numbers_that_excel_made_of_texts_are_misread() -> None:
    content = xlsx_of(HEADER, [10001, 13800138001.0, 7], [1.5, 1.3800138e10, True])
    assert read(content) == [(2, "10001", "13800138001", "7"), (3, "1.5", "13800138000", "True")]


def test_a_text_that_was_kept_from_excel_is_taken_with_its_wrapping() -> None:
    content = b'account,phone,nickname\n"=""007""","=""13800138001""",\'=Alice\n'
    assert read(content) == [(2, "007", "13800138001", "=Alice")]


def test_a_password_is_changed() -> None:
    (row,) = read_people(b"account,password\nalice,'=secret ='\n").people
    assert row.password == "'=secret ='"


def test_a_date_or_an_error_is_taken_for_a_text() -> None:
    content = xlsx_of(HEADER, [datetime(2024, 1, 2), "13800138001", "#N/A"])  # noqa: DTZ001
    (row,) = read_people(content).people
    assert row == PersonRow(2, phone="13800138001", unread=("account", "nickname"))


def test_a_formula_is_evaluated_or_imported() -> None:
    formula = '<c r="B2" t="str"><f>HYPERLINK("http://evil","x")</f><v>13800138001</v></c>'
    other = '<c r="C2"><f>1+1</f></c>'
    names = [f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in (*HEADER, "alice")]
    rows = f"<row>{''.join(names[:3])}</row><row>{names[3]}{formula}{other}</row>"
    assert read(repacked(XLSX, sheet1=sheet_of(rows))) == [(2, "alice", "13800138001", "")]


def test_a_hidden_sheet_or_one_behind_the_first_is_imported() -> None:
    book, content = Workbook(), BytesIO()
    book.active.append(["account"])
    book.active.append(["hidden"])
    book.active.sheet_state = "hidden"
    for account in ("first", "second"):
        sheet = book.create_sheet(account)
        sheet.append(["account"])
        sheet.append([account])
    book.save(content)
    assert [account for _, account, *_ in read(content.getvalue())] == ["first"]


def test_rows_beyond_the_size_that_a_file_claims_are_lost() -> None:
    with ZipFile(BytesIO(XLSX)) as given:
        sheet = given.read("xl/worksheets/sheet1.xml")
    assert b'<dimension ref="A1:C2"' in sheet
    assert read(repacked(XLSX, sheet1=sheet.replace(b"A1:C2", b"A1:A1"))) == [(2, *ALICE)]


def test_what_is_beside_the_cells_is_unpacked() -> None:
    extended = BytesIO(XLSX)
    with ZipFile(extended, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"macro" * 1000)
        archive.writestr("xl/externalLinks/externalLink1.xml", b"<!DOCTYPE x><broken")
        archive.writestr("xl/printerSettings/printerSettings1.bin", "HP 惠普".encode("utf-16"))
    assert read(extended.getvalue()) == [(2, *ALICE)]


def test_a_cell_is_quoted_in_the_log(recwarn: pytest.WarningsRecorder) -> None:
    book, content = Workbook(), BytesIO()
    book.active.append(["phone"])
    book.active.append([13800138001])
    book.active["A2"].number_format = "yyyy-mm-dd"
    book.save(content)
    (row,) = read_people(content.getvalue()).people
    assert (row.unread, len(recwarn)) == (("phone",), 0)
    with pytest.warns(UserWarning, match="told again"):
        warnings.warn("warnings are told again", UserWarning, stacklevel=1)


# Attacks


def refusal_of(content: bytes) -> Failure:
    """Have a file refused, quickly and without much memory."""
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises((PeopleFileTooLarge, PeopleFileUnreadable)) as refused:
            read_people(content)
        assert tracemalloc.get_traced_memory()[1] < 250 * 1024 * 1024
        assert time.process_time() - start < 15
    finally:
        tracemalloc.stop()
    return refused.value


def test_a_zip_bomb_goes_off() -> None:
    bomb = repacked(XLSX, sheet1=sheet_of(" " * (1 << 30 >> 2)))
    assert len(bomb) < LARGEST_FILE
    assert refusal_of(bomb).code == "people_file_too_large"


@pytest.mark.parametrize("compression", [ZIP_BZIP2, ZIP_LZMA])
def test_a_bomb_of_another_compression_goes_off(compression: int) -> None:
    assert refusal_of(repacked(XLSX, compression)).code == "people_file_unreadable"


def test_a_bomb_that_claims_to_be_small_goes_off() -> None:
    true, lie = (200 << 20).to_bytes(4, "little"), (1 << 20).to_bytes(4, "little")
    bomb = repacked(XLSX, sheet1=b" " * (200 << 20))
    assert bomb.count(true) >= 2
    assert refusal_of(bomb.replace(true, lie)).code == "people_file_unreadable"


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BILLION_LAUGHS = f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>'
LAUGHING = '<row><c t="inlineStr"><is><t>&l9;</t></is></c></row>'


@pytest.mark.parametrize(
    "sheet",
    [
        sheet_of(LAUGHING, BILLION_LAUGHS),
        sheet_of(LAUGHING, BILLION_LAUGHS).replace(b"UTF-8", b"UTF-16").decode().encode("utf-16"),
        sheet_of(LAUGHING, BILLION_LAUGHS).replace(b"UTF-8", b"cp037"),
        sheet_of(LAUGHING, '<!DOCTYPE x [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>'),
        sheet_of("", '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/evil.dtd">'),
    ],
    ids=["laughs", "utf-16", "ebcdic", "file", "dtd"],
)
def test_entities_are_expanded(sheet: bytes) -> None:
    assert refusal_of(repacked(XLSX, sheet1=sheet)).code == "people_file_unreadable"


def test_a_million_tags_keep_a_processor_busy() -> None:
    assert refusal_of(repacked(XLSX, sheet1=sheet_of("<row/>" * 600_001)))
    assert refusal_of(repacked(XLSX, sheet1=sheet_of("<mergeCell/>" * 50_001)))
    texts = b"<sst>" + b"<si/>" * 300_001 + b"</sst>"
    assert refusal_of(with_texts(XLSX, texts))
    assert refusal_of(repacked(XLSX, styles=b"<styleSheet>" + b" " * 300_000 + b"</styleSheet>"))


def test_a_row_that_is_far_down_is_waited_for() -> None:
    cells = '<row r="{}"><c t="inlineStr"><is><t>account</t></is></c></row>'
    assert refusal_of(repacked(XLSX, sheet1=sheet_of(cells.format(1) + cells.format(10**15))))


def test_a_file_that_is_too_long_is_taken() -> None:
    names = [[f"a{number}"] for number in range(MOST_PEOPLE)]
    assert len(read_people(csv_of(["account"], *names)).people) == MOST_PEOPLE
    assert refusal_of(csv_of(["account"], *names, ["one more"]))
    assert refusal_of(b"account\n" + b"a" * LARGEST_FILE)


def test_a_cell_that_is_too_long_is_kept_whole() -> None:
    (row,) = read_people(b"account\n" + b"a" * 100_000).people
    assert len(row.account) == 257


def test_a_person_is_printed() -> None:
    people = read_people(b"account,phone,nickname,password\nalice,13800138001,Al,secret-word\n")
    for secret in ("alice", "13800138001", "secret-word", people.digest):
        assert secret not in repr(people)
