"""Validation of a single row of a file, and the error messages.

The rules are those of logins and of `users add`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from unicodedata import category

from app.errors import PasswordTooWeak, PhoneInvalid, PhoneNotMobile, PhonePlusMissing
from app.i18n_marker import N_
from app.services.passwords.strength import OF_USERS
from app.services.user_import.cells import InExponentNotation, phone_text
from app.services.user_import.files import PersonRow
from app.services.users.phone_numbers import PhoneNumber, phone_number
from app.text_cleaning import account_name, clean_name, has_something_visible

LONGEST = {"account": 64, "nickname": 64, "password": 128}


# The msgid of the message for each stable code. {row} is the earlier row with the same value.
REASONS = {
    "cell_outside_columns": N_("There is a value to the right of the columns with a header."),
    "cell_unreadable": N_(
        "Excel has stored a date or an error here. Format the column as text and enter the value "
        "again."
    ),
    "cell_digits_lost": N_(
        "Excel has stored a number of more than 15 digits here and has lost its last digits. "
        "Format the column as text and enter the value again."
    ),
    "cell_exponent": N_(
        "Excel has shortened this number, as in 1.38E+10, so digits may be lost. Format the "
        "column as text and enter the value again."
    ),
    "cell_fraction": N_(
        "Excel has stored a fraction here. Format the column as text and enter the value again."
    ),
    "cell_boolean": N_(
        "Excel has stored TRUE or FALSE here. Format the column as text and enter the value again."
    ),
    "cell_format_unknown": N_(
        "Excel shows this number in a format that an import cannot read. Format the column as text "
        "and enter the value again."
    ),
    "nobody_named": N_("This row has neither an account nor a phone number."),
    "account_too_long": N_("An account has at most 64 characters."),
    "account_unusable": N_("An account needs visible characters."),
    "account_twice": N_("The account is already in row {row}."),
    "account_taken": N_("A user already has this account."),
    "phone_masked": N_(
        "This phone number is masked. Export the users again with full phone numbers and import "
        "that file."
    ),
    "phone_twice": N_("The phone number is already in row {row}."),
    "phone_taken": N_("A user already has this phone number."),
    "nickname_too_long": N_("A nickname has at most 64 characters."),
    "password_too_short": N_("A password has at least 8 characters."),
    "password_too_weak": PasswordTooWeak.en,
    "password_too_long": N_("A password has at most 128 characters."),
    "password_unusable": N_("A password must not have control characters or consist of spaces."),
    "password_without_account": N_("A password needs an account in the same row."),
}
PHONE_REFUSALS = (PhoneInvalid, PhoneNotMobile, PhonePlusMissing)
REASONS |= {refusal.code: refusal.en for refusal in PHONE_REFUSALS}


# A phone number masked by our export or by another program.
MASKED_PHONE = re.compile(r"\+?[\d ()-]*[*＊•●×]{2,}[\d ()-]*|\+?[\d ()-]+[xX]{3,}[\d ()-]+")


@dataclass(frozen=True, slots=True)
class BadCell:
    """An error of a row. `column` is empty if the error concerns the whole row.

    `hints` are msgids of additional sentences of the message.
    """

    row: int
    column: str
    code: str
    earlier_row: int | None = None
    hints: Sequence[str] = ()

    @property
    def sentences(self) -> Sequence[str]:
        """Return the msgids of the message, which `app.languages` joins."""
        return (REASONS[self.code], *self.hints)

    def fill(self, advice: str) -> str:
        """Return the message, or its translation, with the earlier row inserted."""
        return advice.format(row=self.earlier_row)


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A user to create, with the values that are stored. The password is not hashed yet."""

    row: int
    account: str | None = field(repr=False)
    phone: PhoneNumber | None
    nickname: str | None = field(repr=False)
    password: str | None = field(repr=False)


def read_person(row: PersonRow) -> tuple[NewPerson, list[BadCell]]:
    """Return the user of a row, and all errors of the row.

    An invalid account counts as missing, because some cannot be used in a query.
    """
    phone, phone_code = _phone(row.phone)
    wrong = [*row.damaged]
    wrong += [("phone", phone_code)] if phone_code else []
    texts = _clean_texts(row)
    has_account = bool(texts["account"]) or "account" in dict(row.damaged)
    wrong += _wrong_texts(texts, has_account=has_account)
    if not wrong and not texts["account"] and not row.phone:
        wrong.append(("", "nobody_named"))
    is_wrong = "account" in dict(wrong)
    account = None if is_wrong else texts["account"] or None
    nickname, password = texts["nickname"] or None, texts["password"] or None
    person = NewPerson(row.number, account, phone, nickname, password)
    return person, [BadCell(row.number, column, code) for column, code in wrong]


def _clean_texts(row: PersonRow) -> Mapping[str, str]:
    """Return account and nickname in their stored form, and the password unchanged."""
    account, nickname = account_name(row.account), clean_name(row.nickname)
    return {"account": account, "nickname": nickname, "password": row.password}


def _phone(text: str) -> tuple[PhoneNumber | None, str]:
    if not text:
        return None, ""
    try:
        return phone_number(phone_text(text)), ""
    except InExponentNotation:
        return None, "cell_exponent"
    except PHONE_REFUSALS as refusal:
        return None, "phone_masked" if MASKED_PHONE.fullmatch(text) else refusal.code


def _wrong_texts(texts: Mapping[str, str], *, has_account: bool) -> Iterator[tuple[str, str]]:
    for column, longest in LONGEST.items():
        if len(texts[column]) > longest:
            yield column, f"{column}_too_long"
        elif texts[column] and not _is_usable(column, texts[column]):
            yield column, f"{column}_unusable"
    if texts["password"] and len(texts["password"]) < OF_USERS.shortest:
        yield "password", "password_too_short"
    if texts["password"] and not has_account:
        yield "password", "password_without_account"


def _is_usable(column: str, text: str) -> bool:
    """Return whether a text can be stored, typed and displayed."""
    if column == "password":
        return bool(text.strip()) and not _has(text, "Cc", "Cs")
    return has_something_visible(text) and not _has(text, "Cs")


def _has(text: str, *categories: str) -> bool:
    return any(category(char) in categories for char in text)
