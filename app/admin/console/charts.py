"""Numbers, measured out for pictures that are plain SVG: a unit is a hundredth of the picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
# How much of its place a column of a chart takes; the rest is the gap.
FILLED = 0.8
# What is there at all shows, however small it is beside the largest.
LEAST_SHOWN = 1.5


@dataclass(frozen=True, slots=True)
class Bar(Generic[K]):
    """A number as a bar: `size` of 100 is the largest there is; columns begin at `x`."""

    label: K
    value: int
    size: float
    x: float = 0
    width: float = 100


def bars(numbers: Mapping[K, int]) -> Sequence[Bar[K]]:
    """Measure numbers out as bars, side by side."""
    largest, place = max(numbers.values(), default=0), 100 / max(len(numbers), 1)
    return [
        Bar(label, value, _size(value, largest), round(place * index, 3), round(place * FILLED, 3))
        for index, (label, value) in enumerate(numbers.items())
    ]


def _size(value: int, largest: int) -> float:
    return round(max(100 * value / largest, LEAST_SHOWN), 2) if value else 0


def percent(part: int, whole: int) -> int | None:
    """Give how many of a hundred; None of nothing."""
    return round(100 * part / whole) if whole else None
