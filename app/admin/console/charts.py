"""Geometry of SVG bar charts. All lengths are percentages of the chart's width or height."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
# The share of a column's slot that is filled. The rest is the gap to the next column.
FILLED = 0.8
# The minimum height of a column for a number above zero, so that the column is visible.
LEAST_SHOWN = 1.5


@dataclass(frozen=True, slots=True)
class Bar(Generic[K]):
    """One bar of a chart. `size` is 100 for the largest number, `x` is the left edge."""

    label: K
    value: int
    size: float
    x: float = 0
    width: float = 100


def bars(numbers: Mapping[K, int]) -> Sequence[Bar[K]]:
    """Return one bar per number, side by side and scaled to the largest number."""
    largest, place = max(numbers.values(), default=0), 100 / max(len(numbers), 1)
    return [
        Bar(label, value, _size(value, largest), round(place * index, 3), round(place * FILLED, 3))
        for index, (label, value) in enumerate(numbers.items())
    ]


def _size(value: int, largest: int) -> float:
    return round(max(100 * value / largest, LEAST_SHOWN), 2) if value else 0


def percent(part: int, whole: int) -> int | None:
    """Return `part` as a rounded percentage of `whole`, or None if `whole` is zero."""
    return round(100 * part / whole) if whole else None
