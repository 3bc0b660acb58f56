"""Dictionaries of bounded size."""

from contextlib import suppress
from typing import Any, TypeVar

K = TypeVar("K")


def keep_latest(kept: dict[K, Any], key: K, value: Any, most: int) -> None:
    """Store a value as the newest of a dictionary. Above `most` values, delete the oldest.

    Threads can change the dictionary at the same time without a lock.
    """
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > most:
        # Another thread can change the size between `iter` and `next`. Then try again.
        with suppress(RuntimeError):
            kept.pop(next(iter(kept), key), None)
