"""Removal of invisible characters from accounts and nicknames."""

from unicodedata import category, is_normalized

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.text_cleaning import (
    account_name,
    clean_name,
    escaped,
    has_something_visible,
    turns_direction,
    without_invisible,
)

# Visible format characters (category Cf): they enclose the digits that follow.
PREPENDED = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
EVERY_CHARACTER = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
INVISIBLE = ("Cc", "Cf", "Zl", "Zp")

ACCOUNTS = {
    "\u202a13600000018\u202c": "13600000018",
    "wang\u200bwu": "wangwu",
    "\ufeffwang\u2060wu\u00ad": "wangwu",
    "wang\u200e\u200f\u061cwu": "wangwu",
    "\u2066wang\u2069\u202ewu\u202c": "wangwu",
    "wang\x00\x1b\x7f\x85wu": "wangwu",
    "wang\u2028wu\u2029": "wangwu",
    "wang\twu\r\n": "wangwu",
    "wang\ufe0fwu\U000e0061": "wangwu",
    "wang\u3164wu\u115f\uffa0": "wangwu",
    "  Wang Wu\u3000": "wang wu",
    "ＷＡＮＧ１": "wang1",
    "STRASSE": "strasse",
    "Straße": "strasse",
    "e\u0301": "\u00e9",
    "e\u200b\u0301": "\u00e9",
    "\u01f0": "\u01f0",
    "王\u200b五": "王五",
    # Visible characters, including multi-character sequences, are kept.
    "\u0600١٢": "\u0600١٢",
    "गि": "गि",
    "ก็": "ก็",
    "👩🏽": "👩🏽",
    "o'neil_1.x-y@z": "o'neil_1.x-y@z",
}


@pytest.mark.parametrize(("typed", "kept"), ACCOUNTS.items())
def test_account_name_returns_the_canonical_spelling(typed: str, kept: str) -> None:
    assert account_name(typed) == kept


def test_without_invisible_removes_every_invisible_control_and_format_character() -> None:
    remaining = [
        char for char in EVERY_CHARACTER if category(char) in INVISIBLE and without_invisible(char)
    ]
    assert "".join(remaining) == PREPENDED


def test_without_invisible_keeps_every_visible_letter_digit_and_space() -> None:
    removed = {char for char in EVERY_CHARACTER if not without_invisible(char)}
    kinds = {category(char) for char in removed}
    blank_letters = {char for char in removed if category(char) == "Lo"}
    assert kinds <= {*INVISIBLE, "Cn", "Mn", "Lo"}
    assert blank_letters == set("\u115f\u1160\u3164\uffa0")


def test_account_name_is_idempotent_for_every_character() -> None:
    for char in EVERY_CHARACTER:
        once = account_name(char)
        assert account_name(once) == once, hex(ord(char))
        assert without_invisible(once) == once, hex(ord(char))


@settings(max_examples=500, derandomize=True, database=None, deadline=None)
@given(
    st.text(max_size=12), st.text(st.sampled_from("\u200b\u200d\u202e\u0301\u3164 Aﬀİ"), max_size=8)
)
def test_inserted_invisible_characters_do_not_change_the_account_name(
    first: str, second: str
) -> None:
    typed = first + second
    once = account_name(typed)
    assert account_name(once) == once
    assert is_normalized("NFC", once)
    assert account_name("\u200b".join(typed) if typed.isascii() else f"\u202a{typed}\u202c") == once


NAMES = {
    "alice 🌸 小花": "alice 🌸 小花",
    "👨‍👩‍👧": "👨‍👩‍👧",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f": (
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    ),
    "❤\ufe0f 1\ufe0f\u20e3": "❤\ufe0f 1\ufe0f\u20e3",
    "می\u200cخواهم": "می\u200cخواهم",
    "\u05d3\u05df\u200e!": "\u05d3\u05df\u200e!",
    "名　字": "名　字",
    "𠮷野家": "𠮷野家",
    "a'b\"c<d>&": "a'b\"c<d>&",
    # Overrides, embeddings, isolates, control characters, line ends, lone surrogates.
    "\u202eevil\u202c": "evil",
    "\u202aa\u202bb\u202dc\u2066d\u2067e\u2068f\u2069": "abcdef",
    "a\0l\x1b[31mi\x85\u2028ce": "al[31mice",
    "a\ud83d": "a",
    " \t小花\n": "小花",
    "a\ufff9b\ufffac\ufffb": "abc",
    # No visible character.
    "": "",
    " \u3000 ": "",
    "\u3164": "",
    "\u200b\u200d": "",
    "\ufe0f": "",
    "\ufe0e\ufe0f \u200b": "",
    "\U000e0067\U000e007f": "",
    "\u2800\u2800": "",
    "\u202e\u202c": "",
    "\u00ad\u034f\u115f\u1160\u17b4\u180e\u2061\ufeff\uffa0\U0001d173": "",
    "\x00\x1f": "",
}


@pytest.mark.parametrize(("given", "kept"), NAMES.items())
def test_clean_name_keeps_visible_characters_and_parts_of_emoji(given: str, kept: str) -> None:
    assert clean_name(given) == kept
    assert clean_name(kept) == kept


def test_has_something_visible_accepts_a_text_with_one_visible_character() -> None:
    for char in ("a", "0", "花", "🌸", "\u0600", ".", "\u0301", "\ue001"):
        assert has_something_visible(f"\u3164{char}\u200d"), char


def test_turns_direction_detects_overrides_and_isolates_but_not_directional_marks() -> None:
    assert all(turns_direction(char) for char in "\u202a\u202e\u2066\u2069")
    assert not any(turns_direction(char) for char in "\u200d\u200e\u200f\ufe0fa花")


def test_escaped_replaces_invisible_characters_with_escapes() -> None:
    assert escaped("wang\u200bwu 王五\x1b") == r"wang\u200bwu 王五\x1b"
