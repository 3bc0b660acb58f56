"""Dictionaries of bounded size."""

from contextlib import suppress
from typing import Any, TypeVar

K = TypeVar("K")


def keep_latest(kept: dict[K, Any], key: K, value: Any, most: int) -> None:
    """Store a value as the newest entry of a dictionary. Above `most` entries, delete the oldest.

    Several threads may call this for one dictionary without a lock.
    """
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > most:
        # `next` raises RuntimeError if another thread changed the size. Then repeat the loop.
        with suppress(RuntimeError):
            kept.pop(next(iter(kept), key), None)
