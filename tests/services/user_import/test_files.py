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
    UserColumnsWrong,
    UserFileEmpty,
    UserFileTooLarge,
    UserFileUnreadable,
)
from app.services.user_import.files import LARGEST_FILE, MOST_PEOPLE, PersonRow, read_user_file
from tests.fixtures.user_files import csv_of, repacked, sheet_of, with_texts, xlsx_of

HEADER = ("账号", "手机号", "昵称")
ALICE = ("alice", "13800138001", "小花 🌸")
XLSX = xlsx_of(HEADER, ALICE)


def read(content: bytes) -> list[tuple[int, str, str, str]]:
    """Read a file down to numbers and texts."""
    return [
        (row.number, row.account, row.phone, row.nickname) for row in read_user_file(content).people
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
        ("nickname,email", {"unknown": ["email"], "twice": []}),
        ("phone,手机,电话", {"unknown": [], "twice": ["phone"]}),
        ("account,账号,phone", {"unknown": [], "twice": ["account"]}),
        ("nickname,password", {"unknown": [], "twice": []}),
        ("alice,13800138001", {"unknown": ["alice", "13800138001"], "twice": []}),
    ],
)
def test_a_wrong_header_is_taken_or_told_unclearly(header: str, told: dict[str, list[str]]) -> None:
    with pytest.raises(UserColumnsWrong) as refused:
        read_user_file(f"{header}\na,b".encode())
    assert refused.value.errors == {"columns": told}
    assert refused.value.cause == "first row", "a person's number in the log"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"account,phone\n", xlsx_of(HEADER), xlsx_of()])
def test_an_empty_file_is_imported(content: bytes) -> None:
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
def test_a_file_that_cannot_be_read_is_an_accident(content: bytes) -> None:
    with pytest.raises((UserFileUnreadable, UserColumnsWrong)):
        read_user_file(content)


def test_cells_beside_the_columns_are_lost_silently() -> None:
    (row,) = read_user_file(b"account,nickname\nalice,Li, Alice,,\n").people
    assert row.damaged == (("", "cell_outside_columns"),)
    for lost in ("lost", True, 1.5):
        content = xlsx_of(["account", None, "phone"], ["a", lost, 13800138001])
        (row,) = read_user_file(content).people
        assert row.damaged == (("", "cell_outside_columns"),)
        assert row.phone == "13800138001"


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


def test_whole_numbers_are_read_like_texts() -> None:
    content = xlsx_of(HEADER, [10001, 13800138001.0, 7])
    assert read(content) == [(2, "10001", "13800138001", "7")]


def test_a_text_that_was_kept_from_excel_is_taken_with_its_wrapping() -> None:
    content = b'account,phone,nickname\n"=""007""","=""13800138001""",\'=Alice\n'
    assert read(content) == [(2, "007", "13800138001", "=Alice")]


def test_a_password_is_changed() -> None:
    (row,) = read_user_file(b"account,password\nalice,'=secret ='\n").people
    assert row.password == "'=secret ='"


def test_a_date_or_an_error_is_taken_for_a_text() -> None:
    content = xlsx_of(HEADER, [datetime(2024, 1, 2), "13800138001", "#N/A"])  # noqa: DTZ001
    (row,) = read_user_file(content).people
    unreadable = (("account", "cell_unreadable"), ("nickname", "cell_unreadable"))
    assert row == PersonRow(2, phone="13800138001", damaged=unreadable)


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
    (row,) = read_user_file(content.getvalue()).people
    assert (row.damaged, len(recwarn)) == ((("phone", "cell_unreadable"),), 0)
    with pytest.warns(UserWarning, match="told again"):
        warnings.warn("warnings are told again", UserWarning, stacklevel=1)


# Attacks


def refusal_of(content: bytes) -> Failure:
    """Have a file refused, quickly and without much memory."""
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
    assert len(read_user_file(csv_of(["account"], *names)).people) == MOST_PEOPLE
    assert refusal_of(csv_of(["account"], *names, ["one more"]))
    assert refusal_of(b"account\n" + b"a" * LARGEST_FILE)


def test_a_cell_that_is_too_long_is_kept_whole() -> None:
    (row,) = read_user_file(b"account\n" + b"a" * 100_000).people
    assert len(row.account) == 257


def test_a_person_is_printed() -> None:
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
def test_other_spellings_of_a_header_are_understood(header: str) -> None:
    for content in (f"{header}\n{','.join(ALICE)}\n".encode(), xlsx_of(header.split(","), ALICE)):
        file = read_user_file(content)
        assert (file.columns, file.ignored) == (("account", "phone", "nickname"), ())
        (row,) = file.people
        assert row == PersonRow(2, *ALICE)


def test_columns_that_an_import_does_not_read_are_named() -> None:
    header = ("id", "account", "状态", "created_at", "", "备注 \x07", "x" * 100)
    file = read_user_file(csv_of(header, ("7", "alice", "active", "2026-01-02", "", "=1", "#N/A")))
    assert file.ignored == ("id", "状态", "created_at", "备注 \x07", "x" * 64)
    assert file.people == [PersonRow(2, account="alice")]


def test_only_so_many_ignored_columns_are_named() -> None:
    names = [f"column{number}" for number in range(10_000)]
    assert read_user_file(csv_of(["phone", *names], ["13800138001"])).ignored == tuple(names[:50])
    with pytest.raises(UserColumnsWrong) as refused:
        read_user_file(csv_of(names, ["x"]))
    assert refused.value.errors == {"columns": {"unknown": names[:50], "twice": []}}


def test_a_header_that_is_a_date_or_an_error_is_ignored() -> None:
    content = xlsx_of(["account", datetime(2024, 1, 2), "#N/A", 7], ["alice", 1, 2, 3])  # noqa: DTZ001
    file = read_user_file(content)
    assert file.ignored == ("?", "?", "7")
    assert file.people == [PersonRow(2, account="alice")]


# The first line that names the delimiter


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
def test_a_line_that_names_the_delimiter_is_heeded(
    first: str, delimiter: str, encoding: str
) -> None:
    rows = csv_of(HEADER, ALICE, delimiter=delimiter, encoding="utf-8").decode()
    # Excel does not count the line, so neither do the numbers of rows.
    assert read((first + rows).encode(encoding)) == [(2, *ALICE)]


def test_the_named_delimiter_wins_over_those_in_the_header() -> None:
    content = b"sep=;\naccount;nickname, the, short, one\nalice;Al,ice\n"
    file = read_user_file(content)
    assert file.ignored == ("nickname, the, short, one",)
    assert file.people == [PersonRow(2, account="alice")]


def test_an_error_behind_that_line_names_the_line_of_the_file() -> None:
    with pytest.raises(UserFileUnreadable) as refused:
        read_user_file(b'sep=;\naccount\na\n"never closed\n')
    assert refused.value.about == "line 4"


@pytest.mark.parametrize("content", [b"sep=;", b"sep=;\n", b"sep=\naccount\n", b"sep=ab\na\n"])
def test_that_line_alone_is_no_file_of_users(content: bytes) -> None:
    with pytest.raises((UserFileEmpty, UserColumnsWrong)):
        read_user_file(content)


def test_characters_that_xlsx_spells_as_codes_are_read() -> None:
    (row,) = read_user_file(
        xlsx_of(["account", "nickname"], ["_x005F_x0041_", "a_x000D_\nb"])
    ).people
    assert (row.account, row.nickname) == ("_x0041_", "a b")


def test_a_nickname_is_one_line() -> None:
    (row,) = read_user_file(b'account,nickname\nalice,"two\r\nlines\tand more"\n').people
    assert row.nickname == "two lines and more"
