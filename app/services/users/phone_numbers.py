"""Phone numbers: validation, the E.164 form, the blind index and the masked form."""

import re
import unicodedata
from dataclasses import dataclass, field
from uuid import UUID

import phonenumbers
from phonenumbers import PhoneNumberType, shortnumberinfo

from app.errors import (
    Failure,
    PhoneInvalid,
    PhoneNotMobile,
    PhonePlusMissing,
    PhoneSearchIncomplete,
)
from app.keyring import keyring
from app.text_cleaning import without_invisible

# Stricter than phonenumbers: no letters, no extensions, nothing before the number.
SPELLING = re.compile(r"\+?[0-9][0-9 ()-]{2,30}")
HOME_REGION, HOME_MOBILE = "CN", re.compile(r"1[0-9]{10}")
# E.164: at most 15 digits, of which one to three are the country code.
COUNTRY_CODE = re.compile(r"[1-9][0-9]{0,2}")
SHORTEST_NATIONAL, LONGEST_E164 = 4, 15
# For a searched number with a country code that phonenumbers does not know.
UNKNOWN_COUNTRY = 0
MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)

# The numbers of WeChat's cloud test accounts (小程序云测, 虚拟账号手机号). They have the
# length of a Chinese number and look like an American number. WeChat returns one number with either
# country code.
TEST_NUMBERS = {f"1206660000{last}" for last in range(1, 5)}
TEST_E164 = {f"+86{number}" for number in TEST_NUMBERS}


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A phone number. `e164` is its E.164 form, for example +8613800138000."""

    e164: str = field(repr=False)
    country_code: int

    @property
    def spellings(self) -> set[str]:
        """Return the forms in which WeChat returns the number: with and without country code."""
        return {self.e164, self.e164[1:], self.e164.removeprefix(f"+{self.country_code}")}


def phone_number(text: str) -> PhoneNumber:
    """Parse a typed or imported phone number, which must be a valid mobile number of its region.

    A number without a leading + is a Chinese number. Raises PhoneInvalid, PhoneNotMobile or
    PhonePlusMissing.
    """
    spelling = _spelling(text)
    number = _number(_parse(spelling))
    refusal = find_refusal(number)
    if refusal is PhoneInvalid and _lacks_plus(spelling):
        raise PhonePlusMissing
    if refusal is not None:
        raise refusal
    return number


def number_from_wechat(national: str, country_code: str) -> PhoneNumber:
    """Parse a phone number from WeChat, even if `phone_number` would refuse it.

    WeChat has verified the number, and may support ranges and country codes that are missing in the
    installed version of phonenumbers. Raises PhoneInvalid if it cannot be an E.164 number.
    """
    if national in TEST_NUMBERS and country_code == "1":
        country_code = "86"
    spelling = _spelling(f"+{country_code}{national}")
    digits = re.sub(r"\D", "", spelling)
    national_length = len(digits) - len(country_code)
    is_e164 = COUNTRY_CODE.fullmatch(country_code) and national_length >= SHORTEST_NATIONAL
    if not is_e164 or len(digits) > LONGEST_E164:
        raise PhoneInvalid
    try:
        return _number(_parse(spelling))
    except PhoneInvalid:
        return PhoneNumber(f"+{digits}", int(country_code))


def searched_number(text: str) -> PhoneNumber:
    """Parse a phone number that an operator searches for. Every storable number is accepted.

    Raises PhoneSearchIncomplete.
    """
    try:
        spelling = _spelling(text)
        return _number(_parse(spelling))
    except PhoneInvalid:
        if text.strip().startswith("+") and (digits := re.sub(r"\D", "", text)):
            return PhoneNumber(f"+{digits}", UNKNOWN_COUNTRY)
        raise PhoneSearchIncomplete from None


def refuse_unsearchable(text: str) -> None:
    """Raise an exception if a searched text is not a complete, valid mobile number.

    Raises PhoneNotMobile, PhonePlusMissing, or PhoneSearchIncomplete for any other invalid number.
    """
    try:
        phone_number(text)
    except PhoneInvalid:
        raise PhoneSearchIncomplete from None


def find_refusal(number: PhoneNumber) -> type[Failure] | None:
    """Return why a typed or imported phone number is refused, or None if it is accepted."""
    if number.e164 in TEST_E164:
        return None
    try:
        parsed = phonenumbers.parse(number.e164)
    except phonenumbers.NumberParseException:
        return PhoneInvalid
    kind = phonenumbers.number_type(parsed)
    if kind in MOBILE:
        return None
    # Short numbers, as 12306 and 10086, have no type.
    is_short = shortnumberinfo.is_valid_short_number(parsed)
    return PhoneNotMobile if is_short or kind != PhoneNumberType.UNKNOWN else PhoneInvalid


def _spelling(text: str) -> str:
    """Return a typed phone number with ASCII digits and signs, without invisible characters.

    Contacts and spreadsheets add bidirectional marks when a number is copied. Raises PhoneInvalid.
    """
    spelling = unicodedata.normalize("NFKC", without_invisible(text)).strip()
    if not SPELLING.fullmatch(spelling):
        raise PhoneInvalid
    return spelling


def _parse(spelling: str) -> phonenumbers.PhoneNumber:
    try:
        return phonenumbers.parse(spelling, HOME_REGION)
    except phonenumbers.NumberParseException:
        raise PhoneInvalid from None


def _number(parsed: phonenumbers.PhoneNumber) -> PhoneNumber:
    if parsed.country_code is None:
        raise PhoneInvalid
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return PhoneNumber(e164, parsed.country_code)


def _lacks_plus(spelling: str) -> bool:
    """Return whether an invalid number would be valid with a leading +.

    An 11-digit number that starts with 1 is taken for a mistyped Chinese number, not for an
    American one.
    """
    if HOME_MOBILE.fullmatch(spelling):
        return False
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(f"+{spelling}"))
    except phonenumbers.NumberParseException:
        return False


def number_index(tenant_id: UUID, number: PhoneNumber) -> bytes:
    """Return the blind index (keyed hash) of a phone number in a tenant, to find its owner."""
    return keyring().blind_index(number.e164, f"phones:{tenant_id}")


def masked(e164: str) -> str:
    """Return a masked phone number that is still recognisable: +86138****8000."""
    shown = 4 if len(e164) > 10 else 2
    return f"{e164[:-8]}****{e164[-shown:]}"


def masked_as_written(e164: str) -> str:
    """Return a masked phone number, without the country code in China: 138****8000."""
    return masked(e164).removeprefix("+86")
