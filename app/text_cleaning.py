"""Removal of invisible and bidirectional control characters from accounts and nicknames."""

import re
from unicodedata import category, normalize

# Default_Ignorable_Code_Point of DerivedCoreProperties.txt (Unicode 16), the interlinear annotation
# characters and the joiners of hieroglyphs. This covers bidirectional controls, joiners, zero-width
# spaces, variation selectors, tags and the blank letters of Hangul.
IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# C0, DEL, C1, line separator and paragraph separator.
CONTROLS = "\x00-\x1f\x7f-\x9f\u2028\u2029"
# Embeddings, overrides and isolates, the deprecated format characters, and annotations.
DIRECTION = "\u202a-\u202e\u2066-\u2069\u206a-\u206f\ufff9-\ufffb"

INVISIBLE = re.compile(f"[{CONTROLS}{IGNORABLE}]")
TURNS_DIRECTION = re.compile(f"[{DIRECTION}]")
UNFIT_FOR_A_NAME = re.compile(f"[{CONTROLS}{DIRECTION}\ud800-\udfff]")
# Symbols without ink: BRAILLE PATTERN BLANK and MUSICAL SYMBOL NULL NOTEHEAD.
BLANKS = {"\u2800", "\U0001d159"}
WITHOUT_INK = {"Zs", "Cs"}


def without_invisible(text: str) -> str:
    """Return the text without control, format, bidirectional and other invisible characters.

    Spaces and the few visible format characters, such as U+0600 ARABIC NUMBER SIGN, are kept.
    """
    return text if text.isascii() and text.isprintable() else INVISIBLE.sub("", text)


def account_name(text: str) -> str:
    """Return the canonical spelling of an account name, used for storage and comparison.

    Invisible characters and surrounding spaces are removed. The result is in lower case and in
    NFKC, which replaces the full-width letters of Chinese keyboards with ASCII letters. The
    function is idempotent.
    """
    folded = normalize("NFKC", without_invisible(text)).casefold()
    return normalize("NFKC", folded).strip()


def email_name(text: str) -> str:
    """Return the canonical spelling of an e-mail address, used for storage and comparison.

    The result is in NFKC and lower case, without invisible characters and surrounding spaces.
    """
    return normalize("NFKC", without_invisible(text)).strip().casefold()


def clean_name(text: str) -> str:
    """Return a nickname cleaned for storage, or "" if it has no visible character.

    Control characters, lone surrogates and bidirectional embeddings, overrides and isolates are
    removed. Joiners, variation selectors and tags are kept, because emoji sequences use them.
    """
    name = UNFIT_FOR_A_NAME.sub("", text).strip()
    return name if has_something_visible(name) else ""


def turns_direction(text: str) -> bool:
    """Return whether a text has bidirectional embeddings, overrides or isolates."""
    return TURNS_DIRECTION.search(text) is not None


def has_something_visible(text: str) -> bool:
    """Return whether a text has at least one visible character."""
    return any(
        char not in BLANKS and category(char) not in WITHOUT_INK for char in without_invisible(text)
    )


def escaped(text: str) -> str:
    """Return the text with its invisible characters as escapes, for example wang\\u200bwu."""
    return INVISIBLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
