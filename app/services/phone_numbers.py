"""Phone numbers: one spelling (E.164), one blind index, one way to show them masked."""

import re
from dataclasses import dataclass, field
from uuid import UUID

import phonenumbers

from app.errors import PhoneInvalid
from app.keyring import keyring

# Narrower than what phonenumbers reads: no letters, no extensions, nothing before the number.
SPELLING = re.compile(r"\+?[0-9][0-9 ()-]{2,30}")

# What WeChat's cloud test accounts have. Their length is a Chinese number's, their look an
# American one's; whichever country WeChat names, it is the same account.
TEST_NUMBERS = {f"1206660000{last}" for last in range(1, 5)}


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number that can exist. `e164` reads like +8613800138000."""

    e164: str = field(repr=False)
    country_code: int

    @property
    def spellings(self) -> set[str]:
        """Give the ways in which WeChat spells it: with the country code and without."""
        return {self.e164, self.e164[1:], self.e164.removeprefix(f"+{self.country_code}")}


def phone_number(text: str, country_code: int | str | None = None) -> PhoneNumber:
    """Read a number, with its country code apart or leading (+...); raise PhoneInvalid.

    Only the length is checked, not the operator's range: WeChat's cloud test accounts have
    numbers (12066600001 to 4) that no operator gives out.
    """
    if text in TEST_NUMBERS and str(country_code) == "1":
        country_code = "86"
    spelling = text if country_code is None else f"+{country_code}{text}"
    if not SPELLING.fullmatch(spelling):
        raise PhoneInvalid
    try:
        parsed = phonenumbers.parse(spelling, "CN")
    except phonenumbers.NumberParseException:
        raise PhoneInvalid from None
    if not phonenumbers.is_possible_number(parsed) or parsed.country_code is None:
        raise PhoneInvalid
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return PhoneNumber(e164, parsed.country_code)


def number_index(tenant_id: UUID, number: PhoneNumber) -> bytes:
    """Give the blind index by which the tenant's owner of a number is found."""
    return keyring().blind_index(number.e164, f"phones:{tenant_id}")


def masked(e164: str) -> str:
    """Show enough of a number to recognise it: +86138****8000."""
    return f"{e164[:-8]}****{e164[-4:]}"


def masked_as_written(e164: str) -> str:
    """Mask a number as people write it, in China without the country code: 138****8000."""
    return masked(e164).removeprefix("+86")
