"""Targets, and whether they are reached."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.bench.data.tables import VOID, table
from tests.bench.measuring import Measured


@dataclass(frozen=True)
class Target:
    """A target and the measured value, which is None if a row is void."""

    name: str
    value: float | None
    bound: float
    is_least: bool = True
    unit: str = ""

    @property
    def is_reached(self) -> bool:
        """Return whether the target is reached."""
        if self.value is None:
            return False
        return self.value >= self.bound if self.is_least else self.value <= self.bound

    @property
    def cells(self) -> Sequence[str]:
        """Return the row of the table."""
        sign, unit = ("≥" if self.is_least else "≤"), self.unit and f" {self.unit}"
        value = VOID if self.value is None else f"{self.value:.2f}{unit}"
        verdict = "reached" if self.is_reached else "NOT reached"
        return self.name, f"{sign} {self.bound:g}{unit}", value, verdict


def at_most(name: str, value: float | None, bound: float, unit: str = "") -> Target:
    """Return a target with an upper bound."""
    return Target(name, value, bound, is_least=False, unit=unit)


def targets_table(targets: Iterable[Target]) -> str:
    """Return the table of targets."""
    header = ("target", "wanted", "measured", "")
    return table(header, [target.cells for target in targets])


def ratio_of(row: Measured, base: Measured) -> float | None:
    """Return the ratio of the rates, or None if one of both is void."""
    return row.rate / base.rate if row.counts and base.counts else None


def p99_ratio_of(row: Measured, base: Measured) -> float | None:
    """Return the ratio of the 99th percentiles, or None if one of both is void."""
    return row.p99 / base.p99 if row.counts and base.counts else None
