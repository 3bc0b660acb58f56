"""Reading import files: CSV and XLSX formats, damaged files and malicious files."""

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
    UserColumnsWrong,
    UserFileEmpty,
    UserFileTooLarge,
    UserFileUnreadable,
)
from app.services.user_import.files import LARGEST_FILE, MOST_PEOPLE, PersonRow, read_user_file
from app.services.user_import.xlsx_rows import LARGEST_UNPACKED
from tests.fixtures.user_files import csv_of, repacked, sheet_of, with_texts, xlsx_of

HEADER = ("账号", "手机号", "昵称")
ALICE = ("alice", "13800138001", "小花 🌸")
XLSX = xlsx_of(HEADER, ALICE)


def read(content: bytes) -> list[tuple[int, str, str, str]]:
    """Return row number, account, phone and nickname of each row."""
    return [
        (row.number, row.account, row.phone, row.nickname) for row in read_user_file(content).people
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_csv_file_is_read_in_each_encoding_and_delimiter(encoding: str, delimiter: str) -> None:
    content = csv_of(HEADER, ALICE, encoding=encoding, delimiter=delimiter)
    assert read(content) == [(2, *ALICE)]


@pytest.mark.parametrize(
    "header",
    ["account,phone,nickname", "账号,手机号,昵称", " Account , PHONE ,昵称", "帐号,phone,昵称"],
)
def test_column_names_in_english_or_chinese_are_recognised(header: str) -> None:
    assert read(f"{header}\nalice,13800138001,Alice".encode()) == [
        (2, "alice", "13800138001", "Alice")
    ]


def test_row_numbers_of_an_import_file_are_those_that_excel_shows() -> None:
    content = b'account,nickname\r\n\r\na,"two\nlines"\r\n,\r\nb,B\r\n\r\n'
    assert [number for number, *_ in read(content)] == [3, 5]
    assert [number for number, *_ in read(xlsx_of(["account"], [], ["a"], [None], ["b"]))] == [3, 5]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("nickname,email", {"unknown": ["email"], "twice": []}),
        ("phone,手机,电话", {"unknown": [], "twice": ["phone"]}),
        ("account,账号,phone", {"unknown": [], "twice": ["account"]}),
        ("nickname,password", {"unknown": [], "twice": []}),
        ("alice,13800138001", {"unknown": ["alice", "13800138001"], "twice": []}),
    ],
)
def test_import_file_with_wrong_columns_is_refused_with_the_column_names(
    header: str, columns: dict[str, list[str]]
) -> None:
    with pytest.raises(UserColumnsWrong) as refused:
        read_user_file(f"{header}\na,b".encode())
    assert refused.value.errors == {"columns": columns}
    assert refused.value.cause == "first row", "the cause contains no text of the file"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"account,phone\n", xlsx_of(HEADER), xlsx_of()])
def test_import_file_without_users_is_refused(content: bytes) -> None:
    with pytest.raises(UserFileEmpty):
        read_user_file(content)


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
        repacked(XLSX, sheet1=None),
        repacked(XLSX, sheet1=b"<worksheet"),
        repacked(XLSX, sheet1=sheet_of('<row r="x"><c r="A1"><v>1</v></c></row>')),
        repacked(XLSX, sheet1=sheet_of('<row><c t="s"><v>99999</v></c></row>')),
    ],
)
def test_damaged_import_file_is_refused(content: bytes) -> None:
    with pytest.raises((UserFileUnreadable, UserColumnsWrong)):
        read_user_file(content)


def test_cells_in_columns_without_a_name_are_reported() -> None:
    (row,) = read_user_file(b"account,nickname\nalice,Li, Alice,,\n").people
    assert row.damaged == (("", "cell_outside_columns"),)
    for lost in ("lost", True, 1.5):
        content = xlsx_of(["account", None, "phone"], ["a", lost, 13800138001])
        (row,) = read_user_file(content).people
        assert row.damaged == (("", "cell_outside_columns"),)
        assert row.phone == "13800138001"


# Files as written by Excel


def test_xlsx_shared_strings_are_read_without_their_phonetic_hints() -> None:
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


def test_whole_numbers_in_an_xlsx_file_are_read_as_text() -> None:
    content = xlsx_of(HEADER, [10001, 13800138001.0, 7])
    assert read(content) == [(2, "10001", "13800138001", "7")]


def test_csv_cell_marked_as_text_is_read_without_the_mark() -> None:
    content = b'account,phone,nickname\n"=""007""","=""13800138001""",\'=Alice\n'
    assert read(content) == [(2, "007", "13800138001", "=Alice")]


def test_password_in_an_import_file_is_read_unchanged() -> None:
    (row,) = read_user_file(b"account,password\nalice,'=secret ='\n").people
    assert row.password == "'=secret ='"


def test_xlsx_date_or_error_cell_is_reported_as_unreadable() -> None:
    content = xlsx_of(HEADER, [datetime(2024, 1, 2), "13800138001", "#N/A"])  # noqa: DTZ001
    (row,) = read_user_file(content).people
    unreadable = (("account", "cell_unreadable"), ("nickname", "cell_unreadable"))
    assert row == PersonRow(2, phone="13800138001", damaged=unreadable)


def test_xlsx_formula_is_read_as_its_stored_value() -> None:
    formula = '<c r="B2" t="str"><f>HYPERLINK("http://evil","x")</f><v>13800138001</v></c>'
    other = '<c r="C2"><f>1+1</f></c>'
    names = [f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in (*HEADER, "alice")]
    rows = f"<row>{''.join(names[:3])}</row><row>{names[3]}{formula}{other}</row>"
    assert read(repacked(XLSX, sheet1=sheet_of(rows))) == [(2, "alice", "13800138001", "")]


def test_only_the_first_visible_sheet_of_an_xlsx_file_is_read() -> None:
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


def test_xlsx_cells_outside_the_stated_dimension_are_read() -> None:
    with ZipFile(BytesIO(XLSX)) as given:
        sheet = given.read("xl/worksheets/sheet1.xml")
    assert b'<dimension ref="A1:C2"' in sheet
    assert read(repacked(XLSX, sheet1=sheet.replace(b"A1:C2", b"A1:A1"))) == [(2, *ALICE)]


def test_macros_and_external_links_of_an_xlsx_file_are_not_read() -> None:
    extended = BytesIO(XLSX)
    with ZipFile(extended, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"macro" * 1000)
        archive.writestr("xl/externalLinks/externalLink1.xml", b"<!DOCTYPE x><broken")
        archive.writestr("xl/printerSettings/printerSettings1.bin", "HP 惠普".encode("utf-16"))
    assert read(extended.getvalue()) == [(2, *ALICE)]


def test_openpyxl_warnings_are_suppressed_while_an_import_file_is_read(
    recwarn: pytest.WarningsRecorder,
) -> None:
    book, content = Workbook(), BytesIO()
    book.active.append(["phone"])
    book.active.append([13800138001])
    book.active["A2"].number_format = "yyyy-mm-dd"
    book.save(content)
    (row,) = read_user_file(content.getvalue()).people
    assert (row.damaged, len(recwarn)) == ((("phone", "cell_unreadable"),), 0)
    with pytest.warns(UserWarning, match="shown again"):
        warnings.warn("warnings are shown again", UserWarning, stacklevel=1)


# Attacks


def refusal_of(content: bytes) -> Failure:
    """Return the exception raised for a refused file. Check CPU time and memory of the refusal."""
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises((UserFileTooLarge, UserFileUnreadable)) as refused:
            read_user_file(content)
        assert tracemalloc.get_traced_memory()[1] < 250 * 1024 * 1024
        assert time.process_time() - start < 15
    finally:
        tracemalloc.stop()
    return refused.value


def test_xlsx_file_that_is_a_zip_bomb_is_refused() -> None:
    bomb = repacked(XLSX, sheet1=sheet_of(" " * LARGEST_UNPACKED))
    assert len(bomb) < LARGEST_FILE
    assert refusal_of(bomb).code == "people_file_too_large"


@pytest.mark.parametrize("compression", [ZIP_BZIP2, ZIP_LZMA])
def test_xlsx_file_with_an_unsupported_compression_is_refused(compression: int) -> None:
    assert refusal_of(repacked(XLSX, compression)).code == "people_file_unreadable"


def test_zip_bomb_with_a_false_size_is_refused() -> None:
    size = LARGEST_UNPACKED + 0x123456  # these bytes occur nowhere else in the file
    actual, false = size.to_bytes(4, "little"), (1 << 20).to_bytes(4, "little")
    bomb = repacked(XLSX, sheet1=b" " * size)
    assert bomb.count(actual) >= 2
    assert refusal_of(bomb.replace(actual, false)).code == "people_file_unreadable"


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
def test_xlsx_file_with_xml_entities_or_an_external_dtd_is_refused(sheet: bytes) -> None:
    assert refusal_of(repacked(XLSX, sheet1=sheet)).code == "people_file_unreadable"


def test_xlsx_file_with_too_many_xml_elements_is_refused() -> None:
    assert refusal_of(repacked(XLSX, sheet1=sheet_of("<row/>" * 600_001)))
    assert refusal_of(repacked(XLSX, sheet1=sheet_of("<mergeCell/>" * 50_001)))
    texts = b"<sst>" + b"<si/>" * 300_001 + b"</sst>"
    assert refusal_of(with_texts(XLSX, texts))
    assert refusal_of(repacked(XLSX, styles=b"<styleSheet>" + b" " * 300_000 + b"</styleSheet>"))


@pytest.mark.slow
def test_xlsx_file_with_an_excessive_row_number_is_refused() -> None:
    cells = '<row r="{}"><c t="inlineStr"><is><t>account</t></is></c></row>'
    assert refusal_of(repacked(XLSX, sheet1=sheet_of(cells.format(1) + cells.format(10**15))))


def test_import_file_with_too_many_rows_or_bytes_is_refused() -> None:
    names = [[f"a{number}"] for number in range(MOST_PEOPLE)]
    assert len(read_user_file(csv_of(["account"], *names)).people) == MOST_PEOPLE
    assert refusal_of(csv_of(["account"], *names, ["one more"]))
    assert refusal_of(b"account\n" + b"a" * LARGEST_FILE)


def test_long_cell_of_an_import_file_is_truncated() -> None:
    (row,) = read_user_file(b"account\n" + b"a" * 100_000).people
    assert len(row.account) == 257


def test_repr_of_a_parsed_import_file_contains_no_user_data() -> None:
    people = read_user_file(b"account,phone,nickname,password\nalice,13800138001,Al,secret-word\n")
    for secret in ("alice", "13800138001", "secret-word", people.digest):
        assert secret not in repr(people)


# Headers


@pytest.mark.parametrize(
    "header",
    [
        "*账号,手机号码,昵称",
        "账号*,电话,昵称",
        "＊账号,手机,昵称",
        "Account name, Phone number ,Nickname",
        "LOGIN_NAME,mobile,nick",
        "username,Mobile-Phone,nickname",
        "登录账号,联系电话,昵称（选填）",
        "用户名：,手机号 (必填),昵称",
        "ａｃｃｏｕｎｔ,ｍｏｂｉｌｅ,昵称",
        "\ufeffaccount,\u200bphone,nickname\u00a0",
        "帳號,手機號碼,暱稱",
    ],
)
def test_alternative_spellings_of_column_names_are_recognised(header: str) -> None:
    for content in (f"{header}\n{','.join(ALICE)}\n".encode(), xlsx_of(header.split(","), ALICE)):
        file = read_user_file(content)
        assert (file.columns, file.ignored) == (("account", "phone", "nickname"), ())
        (row,) = file.people
        assert row == PersonRow(2, *ALICE)


def test_parsed_import_file_lists_its_ignored_columns() -> None:
    header = ("id", "account", "状态", "created_at", "", "备注 \x07", "x" * 100)
    file = read_user_file(csv_of(header, ("7", "alice", "active", "2026-01-02", "", "=1", "#N/A")))
    assert file.ignored == ("id", "状态", "created_at", "备注 \x07", "x" * 64)
    assert file.people == [PersonRow(2, account="alice")]


def test_number_of_listed_unknown_columns_is_limited() -> None:
    names = [f"column{number}" for number in range(10_000)]
    assert read_user_file(csv_of(["phone", *names], ["13800138001"])).ignored == tuple(names[:50])
    with pytest.raises(UserColumnsWrong) as refused:
        read_user_file(csv_of(names, ["x"]))
    assert refused.value.errors == {"columns": {"unknown": names[:50], "twice": []}}


def test_xlsx_column_with_a_date_or_error_as_its_name_is_ignored() -> None:
    content = xlsx_of(["account", datetime(2024, 1, 2), "#N/A", 7], ["alice", 1, 2, 3])  # noqa: DTZ001
    file = read_user_file(content)
    assert file.ignored == ("?", "?", "7")
    assert file.people == [PersonRow(2, account="alice")]


# A first line such as `sep=;` names the delimiter


@pytest.mark.parametrize(
    ("first", "delimiter"),
    [
        ("sep=;\r\n", ";"),
        ("SEP=;\n", ";"),
        ('"sep=;"\r\n', ";"),
        ("sep=;;;\r\n", ";"),
        ("sep=,\r\n", ","),
        ("sep=\t\r\n", "\t"),
        ("sep=|\r\n", "|"),
        ("\ufeff\ufeffsep=;\r\n", ";"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_first_line_of_a_csv_file_can_name_the_delimiter(
    first: str, delimiter: str, encoding: str
) -> None:
    rows = csv_of(HEADER, ALICE, delimiter=delimiter, encoding="utf-8").decode()
    # Excel does not count the delimiter line, so row numbers do not include that line.
    assert read((first + rows).encode(encoding)) == [(2, *ALICE)]


def test_delimiter_named_in_the_first_line_is_used_even_if_the_header_suggests_another() -> None:
    content = b"sep=;\naccount;nickname, the, short, one\nalice;Al,ice\n"
    file = read_user_file(content)
    assert file.ignored == ("nickname, the, short, one",)
    assert file.people == [PersonRow(2, account="alice")]


def test_csv_error_gives_the_line_number_in_the_file_including_a_delimiter_line() -> None:
    with pytest.raises(UserFileUnreadable) as refused:
        read_user_file(b'sep=;\naccount\na\n"never closed\n')
    assert refused.value.about == "line 4"


@pytest.mark.parametrize("content", [b"sep=;", b"sep=;\n", b"sep=\naccount\n", b"sep=ab\na\n"])
def test_csv_file_with_only_a_delimiter_line_or_an_invalid_one_is_refused(content: bytes) -> None:
    with pytest.raises((UserFileEmpty, UserColumnsWrong)):
        read_user_file(content)


def test_escaped_characters_in_xlsx_cells_are_decoded() -> None:
    (row,) = read_user_file(
        xlsx_of(["account", "nickname"], ["_x005F_x0041_", "a_x000D_\nb"])
    ).people
    assert (row.account, row.nickname) == ("_x0041_", "a b")


def test_line_breaks_and_tabs_in_an_imported_nickname_become_spaces() -> None:
    (row,) = read_user_file(b'account,nickname\nalice,"two\r\nlines\tand more"\n').people
    assert row.nickname == "two lines and more"
