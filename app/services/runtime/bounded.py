"""Dictionaries of bounded size."""

from typing import Any, TypeVar

K = TypeVar("K")


def keep_latest(kept: dict[K, Any], key: K, value: Any, most: int) -> None:
    """Store a value as the newest of a dictionary. Above `most` values, delete the oldest."""
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > most:
        kept.pop(next(iter(kept), key), None)
