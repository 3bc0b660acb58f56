"""Rules for import rows, which equal the rules for logging in and for adding a user."""

import pytest

from app.schemas.requests import SHORTEST_PASSWORD as SHORTEST_FOR_CHANGES
from app.schemas.requests import CredentialsRequest, ProfileRequest
from app.services.passwords.strength import OF_USERS
from app.services.user_import.files import PersonRow
from app.services.user_import.rows import REASONS, BadCell, NewPerson, read_person
from app.text_cleaning import clean_name

TEXTS = [
    "a",
    "a" * 64,
    "a" * 65,
    "a" * 128,
    "a" * 129,
    " ",
    "a\0",
    "a\x1b[0m",
    "\x85b",
    "小花 🌸",
    "​",
]


def codes(**texts: str) -> set[tuple[str, str]]:
    """Return column and reason code of each problem in a row with the given texts."""
    return {(one.column, one.code) for one in read_person(PersonRow(7, **texts))[1]}


@pytest.mark.parametrize(
    ("texts", "wrong"),
    [
        ({}, {("", "nobody_named")}),
        ({"nickname": "Alice"}, {("", "nobody_named")}),
        ({"account": "a" * 65}, {("account", "account_too_long")}),
        ({"account": "\u200b\u2060"}, {("", "nobody_named")}),
        ({"account": "\u2800"}, {("account", "account_unusable")}),
        ({"account": "a\ud800"}, {("account", "account_unusable")}),
        ({"account": "\u200b", "password": "p" * 8}, {("password", "password_without_account")}),
        ({"account": "a", "phone": "12"}, {("phone", "phone_invalid")}),
        ({"phone": "not a number"}, {("phone", "phone_invalid")}),
        ({"phone": "1.38E+10"}, {("phone", "cell_exponent")}),
        ({"phone": "1.38001E+10"}, {("phone", "cell_exponent")}),
        ({"phone": "1.3800138001E+10"}, {("phone", "cell_exponent")}),
        ({"phone": "138****8000"}, {("phone", "phone_masked")}),
        ({"phone": "+86138****8000"}, {("phone", "phone_masked")}),
        ({"phone": "+1202****0123"}, {("phone", "phone_masked")}),
        ({"phone": "138 ＊＊＊＊ 8000"}, {("phone", "phone_masked")}),
        ({"phone": "138xxxx8000"}, {("phone", "phone_masked")}),
        ({"phone": "138*8000"}, {("phone", "phone_invalid")}),
        ({"account": "a", "nickname": "n" * 65}, {("nickname", "nickname_too_long")}),
        ({"account": "a", "phone": "12306"}, {("phone", "phone_not_mobile")}),
        ({"account": "a", "phone": "85268326366"}, {("phone", "phone_plus_missing")}),
        ({"account": "a", "password": "short"}, {("password", "password_too_short")}),
        ({"account": "a", "password": "p" * 129}, {("password", "password_too_long")}),
        ({"account": "a", "password": " " * 9}, {("password", "password_unusable")}),
        (
            {"phone": "13800138001", "password": "long-enough"},
            {("password", "password_without_account")},
        ),
        (
            {"account": "a" * 65, "phone": "1", "password": "short"},
            {
                ("account", "account_too_long"),
                ("phone", "phone_invalid"),
                ("password", "password_too_short"),
            },
        ),
    ],
)
def test_invalid_import_row_is_refused_with_column_and_reason_code(
    texts: dict[str, str], wrong: set[tuple[str, str]]
) -> None:
    assert codes(**texts) == wrong


def test_damaged_cells_of_an_import_row_are_reported_with_their_columns() -> None:
    damaged = (("phone", "cell_fraction"), ("", "cell_outside_columns"))
    row = PersonRow(7, account="a", damaged=damaged)
    assert [(one.column, one.code) for one in read_person(row)[1]] == [*damaged]


def test_password_without_account_is_not_reported_if_the_account_cell_is_damaged() -> None:
    row = PersonRow(7, password="long-enough", damaged=(("account", "cell_digits_lost"),))
    assert [(one.column, one.code) for one in read_person(row)[1]] == [
        ("account", "cell_digits_lost")
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("13800138001", "+8613800138001"),
        ("138 0013-8001", "+8613800138001"),
        ("+86 13800138001", "+8613800138001"),
        ("8613800138001", "+8613800138001"),
        ("008613800138001", "+8613800138001"),
        ("13800138001.0", "+8613800138001"),
        ("'13800138001", "+8613800138001"),
        ("１３８００１３８００１", "+8613800138001"),
        ("\u202d13800138001\u202c", "+8613800138001"),
        ("+1 202-555-0123", "+12025550123"),
    ],
)
def test_imported_phone_number_is_normalised_to_e164(written: str, read: str) -> None:
    person, bad = read_person(PersonRow(2, phone=written))
    assert (bad, person.phone and person.phone.e164) == ([], read)


def test_import_accepts_the_same_accounts_passwords_and_nicknames_as_the_native_api() -> None:
    assert OF_USERS.shortest == SHORTEST_FOR_CHANGES
    for text in TEXTS:
        refused = CredentialsRequest().validate({"account": text, "password": text * 8})
        assert bool(codes(account=text)) == ("account" in refused), repr(text)
        unfit = codes(account="a", password=text * 8)
        assert bool(unfit) == ("password" in refused), repr(text)
        # An empty cell means no nickname, whereas an empty field is refused.
        is_empty = not clean_name(text)
        named = ProfileRequest().validate({"nickname": text})
        assert bool(codes(account="a", nickname=text)) == bool(named) or is_empty, repr(text)


def test_invisible_characters_in_imported_texts_are_removed() -> None:
    row = PersonRow(2, account="\u202aWang\u200bWu\u202c", nickname="\u202e小\x07花\u202c")
    assert read_person(row) == (NewPerson(2, "wangwu", None, "小花", None), [])
    assert read_person(PersonRow(2, account="a", nickname="\u3164"))[0].nickname is None


def test_imported_account_is_normalised() -> None:
    person, _ = read_person(PersonRow(2, account="Ａlice", nickname="", phone=""))
    assert person == NewPerson(2, "alice", None, None, None)


def test_every_reason_code_of_the_import_has_advice() -> None:
    for code in REASONS:
        bad = BadCell(9, "account", code, earlier_row=4321)
        (advice,) = bad.sentences
        assert bad.fill(advice)
        assert ("4321" in bad.fill(advice)) == code.endswith("_twice")
