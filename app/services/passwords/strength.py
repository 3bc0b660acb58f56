"""Password strength: rules for users and operators, checked with the estimator zxcvbn.

Why these rules: docs/decisions/0021.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from math import prod
from threading import Lock
from typing import Any
from unicodedata import normalize

from app.errors import PasswordTooShort, PasswordTooWeak
from app.services.passwords.strength_advice import ADD_A_WORD, CONTAINS_KNOWN
from app.services.runtime.cpu_threads import on_a_thread


@dataclass(frozen=True, slots=True)
class PasswordRule:
    """The minimum length of a password, and the minimum number of guesses needed to find it."""

    shortest: int
    guesses: int


OF_USERS = PasswordRule(8, 10**8)
OF_OPERATORS = PasswordRule(12, 10**10)

# The estimate covers the first 24 characters, then the first 72. zxcvbn raises for more than 72.
QUICKLY_CHECKED, LONGEST_CHECKED = 24, 72
# Bounds one estimate to 0.1 s of CPU time instead of 2 s; see `_checked_part`.
MOST_WORK = 30_000

# Words that an attacker would try first: the name of this product, and words that are common in
# passwords in China but missing in the English word lists of zxcvbn.
COMMON_WORDS = (
    *("wxpass", "weixin", "wechat", "woaini", "1314", "520", "mima"),
    *("zhangwei", "wangwei", "wangfang", "liwei", "lina", "zhangmin", "lijing", "liuwei"),
)
# Shorter texts occur in strong passwords by chance.
SHORTEST_KNOWN = 3
PART = re.compile(r"[^\W\d_]+|\d+")
# Numbers of last digits of a phone number that are common in passwords. 11 is without +86.
ENDINGS = (11, 8, 6, 4)

# zxcvbn stores the known texts of a call in a module-level dictionary.
_one_estimate = Lock()


@cache
def _estimator() -> Any:
    """Load zxcvbn at the first estimate, because its word lists take 13 MB in each worker."""
    return import_module("zxcvbn")


def require_user_password(password: str, known: Iterable[str | None]) -> None:
    """Raise PasswordTooShort or PasswordTooWeak unless a user may have this password.

    `known` holds the user's account, nickname and phone number and the tenant's name and slug.
    """
    require_strong_password(password, OF_USERS, known)


def require_operator_password(
    password: str, email: str, tenant_name: str | None = None, tenant_slug: str | None = None
) -> None:
    """Raise PasswordTooShort or PasswordTooWeak unless an operator may have this password.

    Call this after the permission checks, before hashing, and outside a transaction.
    """
    require_strong_password(password, OF_OPERATORS, (email, tenant_name, tenant_slug))


def require_strong_password(password: str, rule: PasswordRule, known: Iterable[str | None]) -> None:
    """Raise PasswordTooShort or PasswordTooWeak unless the password satisfies the rule."""
    if len(password) < rule.shortest:
        raise PasswordTooShort
    hints = find_weakness(password, rule, known)
    if hints:
        raise PasswordTooWeak(hints=hints)


def find_weakness(password: str, rule: PasswordRule, known: Iterable[str | None]) -> Sequence[str]:
    """Return the msgids of the advice on a weak password, or an empty sequence for a strong one.

    `known` holds texts that an attacker may know, such as the account.
    """
    return on_a_thread(_find_weakness, password, rule.guesses, known_texts(known))


def known_texts(known: Iterable[str | None]) -> Sequence[str]:
    """Return the texts that make a password weak, in lower case.

    They are the given texts, the words and numbers in them, the last digits of the numbers, and
    COMMON_WORDS. Texts shorter than SHORTEST_KNOWN are left out.
    """
    found: list[str] = []
    for text in filter(None, known):
        spelled = normalize("NFKC", text).casefold().strip()
        parts = PART.findall(spelled)
        found += [spelled, "".join(parts), *parts]
        found += [part[-length:] for part in parts if part.isdecimal() for length in ENDINGS]
    texts = dict.fromkeys([*found, *COMMON_WORDS])
    return [text for text in texts if len(text) >= SHORTEST_KNOWN]


def _find_weakness(password: str, guesses: int, known: Sequence[str]) -> Sequence[str]:
    """Estimate the password, then estimate the password without the known texts.

    The second estimate is needed because zxcvbn assumes 10**8 guesses for any three parts and
    10**12 guesses for any four parts, even if all parts are known texts.
    """
    spelled = normalize("NFKC", password)
    rest = _without(spelled, known)
    hints = _weakness_of(spelled, guesses, known)
    if rest == spelled:
        return hints
    if not hints and _weakness_of(rest, guesses, known):
        hints = [ADD_A_WORD]
    return hints and [CONTAINS_KNOWN, *hints]


def _without(password: str, known: Sequence[str]) -> str:
    for text in sorted(known, key=len, reverse=True):
        if text in password.casefold():
            password = re.sub(re.escape(text), "", password, flags=re.IGNORECASE)
    return password


def _weakness_of(password: str, guesses: int, known: Sequence[str]) -> Sequence[str]:
    if not password:  # zxcvbn raises an exception for an empty password
        return [ADD_A_WORD]
    # A password is at least as strong as its first part, and the first part takes less time.
    for part in dict.fromkeys((password[:QUICKLY_CHECKED], password[:LONGEST_CHECKED])):
        with _one_estimate:
            estimate = _estimator().zxcvbn(_checked_part(part), known)
        if estimate["guesses"] >= guesses:
            return []
    # The feedback in `estimate` is empty from 10**8 guesses on.
    feedback = _estimator().feedback.get_feedback(0, estimate["sequence"])
    return [text for text in (feedback["warning"], *feedback["suggestions"]) if text]


def _checked_part(part: str) -> str:
    """Return the longest beginning of `part` that zxcvbn can estimate in bounded time.

    zxcvbn tries every combination of the letters that characters such as @, 4, $ and 1 can stand
    for, up to 736 combinations, on every part of the password. A password with many such characters
    is cut, but not to fewer than 11 characters.
    """
    while _spellings(part) * len(part) ** 2 > MOST_WORK:
        part = part[:-1]
    return part


def _spellings(part: str) -> int:
    present = set(part)
    letters = _estimator().matching.L33T_TABLE.values()
    return prod(max(1, len(present.intersection(characters))) for characters in letters)
