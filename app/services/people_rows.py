"""What a row of a file must be to become a user, and what is told where it is not.

The same rules as for logging in and for `users add`; tests/test_people_rows.py holds them together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from unicodedata import category

from app.catalogue import N_
from app.errors import PasswordTooWeak, PhoneInvalid, PhoneNotMobile, PhonePlusMissing
from app.services.password_strength import OF_USERS
from app.services.people_files import PersonRow
from app.services.phone_numbers import PhoneNumber, phone_number
from app.services.spreadsheet_cells import DigitsLost, digits_text
from app.services.users import account_name
from app.text_cleaning import clean_name, has_something_visible, without_invisible

LONGEST = {"account": 64, "nickname": 64, "password": 128}


# Stable codes, and the msgid of what a person is told. {row} is the earlier row it collides with.
REASONS = {
    "cell_outside_columns": N_("There is a cell to the right of the columns that have a header."),
    "cell_unreadable": N_(
        "Excel has made a date or an error of this cell. Format the column as text, enter it again."
    ),
    "nobody_named": N_("There is neither an account nor a phone number in this row."),
    "account_too_long": N_("An account has at most 64 characters."),
    "account_unusable": N_("An account needs characters that can be seen."),
    "account_twice": N_("The account stands in row {row} already."),
    "account_taken": N_("A user has this account already."),
    "phone_digits_lost": N_(
        "Excel has shortened this number. Format the column as text and enter it again."
    ),
    "phone_twice": N_("The phone number stands in row {row} already."),
    "phone_taken": N_("A user has this phone number already."),
    "nickname_too_long": N_("A nickname has at most 64 characters."),
    "password_too_short": N_("A password has at least 8 characters."),
    "password_too_weak": PasswordTooWeak.en,
    "password_too_long": N_("A password has at most 128 characters."),
    "password_unusable": N_("A password has no control characters, and more than blanks."),
    "password_without_account": N_("A password needs an account in the same row."),
}
PHONE_REFUSALS = (PhoneInvalid, PhoneNotMobile, PhonePlusMissing)
REASONS |= {refusal.code: refusal.en for refusal in PHONE_REFUSALS}


@dataclass(frozen=True, slots=True)
class BadCell:
    """Why a row cannot be imported. `column` is empty if the reason concerns the whole row.

    `hints` are msgids of sentences that follow the reason's own.
    """

    row: int
    column: str
    code: str
    earlier_row: int | None = None
    hints: Sequence[str] = ()

    @property
    def sentences(self) -> Sequence[str]:
        """Return the msgids of the advice, to be joined by `app.languages`."""
        return (REASONS[self.code], *self.hints)

    def fill(self, advice: str) -> str:
        """Put the earlier row into the advice, or its translation."""
        return advice.format(row=self.earlier_row)


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Somebody who can become a user, spelled as it is kept; the password is not hashed yet."""

    row: int
    account: str | None = field(repr=False)
    phone: PhoneNumber | None
    nickname: str | None = field(repr=False)
    password: str | None = field(repr=False)


def read_person(row: PersonRow) -> tuple[NewPerson, list[BadCell]]:
    """Read a row by itself, and say all that is wrong with it; a wrong account is no account.

    The database could not even be asked for some of those.
    """
    phone, phone_code = _phone(row.phone)
    wrong = [(column, _unread(column)) for column in row.unread]
    wrong += [("phone", phone_code)] if phone_code else []
    texts = _clean_texts(row)
    wrong += _wrong_texts(texts)
    if not wrong and not texts["account"] and not row.phone:
        wrong.append(("", "nobody_named"))
    is_wrong = "account" in dict(wrong)
    account = None if is_wrong else account_name(texts["account"]) or None
    nickname, password = texts["nickname"] or None, texts["password"] or None
    person = NewPerson(row.number, account, phone, nickname, password)
    return person, [BadCell(row.number, column, code) for column, code in wrong]


def _clean_texts(row: PersonRow) -> Mapping[str, str]:
    """Return account and nickname without invisible characters, and the password as it is."""
    account, nickname = without_invisible(row.account).strip(), clean_name(row.nickname)
    return {"account": account, "nickname": nickname, "password": row.password}


def _unread(column: str) -> str:
    return "cell_unreadable" if column else "cell_outside_columns"


def _phone(text: str) -> tuple[PhoneNumber | None, str]:
    if not text:
        return None, ""
    try:
        return phone_number(digits_text(text)), ""
    except DigitsLost:
        return None, "phone_digits_lost"
    except PHONE_REFUSALS as refusal:
        return None, refusal.code


def _wrong_texts(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for column, longest in LONGEST.items():
        if len(texts[column]) > longest:
            yield column, f"{column}_too_long"
        elif texts[column] and not _is_usable(column, texts[column]):
            yield column, f"{column}_unusable"
    if texts["password"] and len(texts["password"]) < OF_USERS.shortest:
        yield "password", "password_too_short"
    if texts["password"] and not texts["account"]:
        yield "password", "password_without_account"


def _is_usable(column: str, text: str) -> bool:
    """Tell whether a text can be kept, typed and seen."""
    if column == "password":
        return bool(text.strip()) and not _has(text, "Cc", "Cs")
    return has_something_visible(text) and not _has(text, "Cs")


def _has(text: str, *categories: str) -> bool:
    return any(category(char) in categories for char in text)
