"""Geometry of SVG charts. A unit is a hundredth of the picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
# The share of its slot that a column takes. The rest is the gap.
FILLED = 0.8
# The height of the smallest number above zero.
LEAST_SHOWN = 1.5


@dataclass(frozen=True, slots=True)
class Bar(Generic[K]):
    """A number as a bar. `size` is 100 for the largest number; a column begins at `x`."""

    label: K
    value: int
    size: float
    x: float = 0
    width: float = 100


def bars(numbers: Mapping[K, int]) -> Sequence[Bar[K]]:
    """Return numbers as bars, side by side."""
    largest, place = max(numbers.values(), default=0), 100 / max(len(numbers), 1)
    return [
        Bar(label, value, _size(value, largest), round(place * index, 3), round(place * FILLED, 3))
        for index, (label, value) in enumerate(numbers.items())
    ]


def _size(value: int, largest: int) -> float:
    return round(max(100 * value / largest, LEAST_SHOWN), 2) if value else 0


def percent(part: int, whole: int) -> int | None:
    """Return the percentage, None if the whole is zero."""
    return round(100 * part / whole) if whole else None
