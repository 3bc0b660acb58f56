"""Dictionaries of bounded size."""

import sys
from concurrent.futures import ThreadPoolExecutor

from app.services.runtime.bounded import keep_latest


def test_oldest_value_of_a_full_bounded_dictionary_is_deleted() -> None:
    kept: dict[str, int] = {}
    for key in ("a", "b", "a", "c"):
        keep_latest(kept, key, 1, 2)
    assert list(kept) == ["a", "c"]


def test_threads_can_store_values_in_a_full_bounded_dictionary_concurrently() -> None:
    kept: dict[tuple[int, int], int] = {}

    def store(thread: int) -> None:
        for number in range(20_000):
            keep_latest(kept, (thread, number), number, 50)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(store, range(8)))
    finally:
        sys.setswitchinterval(interval)
    assert len(kept) == 50
