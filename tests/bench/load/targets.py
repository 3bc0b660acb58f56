"""Performance targets and their comparison with measured values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.bench.data.tables import VOID, table
from tests.bench.measuring import Measured


@dataclass(frozen=True)
class Target:
    """A target and the measured value.

    The value is None if a measured row had errors. `is_least` means that `bound` is a lower bound.
    """

    name: str
    value: float | None
    bound: float
    is_least: bool = True
    unit: str = ""

    @property
    def is_reached(self) -> bool:
        """Return whether the measured value satisfies the bound. False if there is no value."""
        if self.value is None:
            return False
        return self.value >= self.bound if self.is_least else self.value <= self.bound

    @property
    def cells(self) -> Sequence[str]:
        """Return the cells of the target in the table of targets."""
        sign, unit = ("≥" if self.is_least else "≤"), self.unit and f" {self.unit}"
        value = VOID if self.value is None else f"{self.value:.2f}{unit}"
        verdict = "reached" if self.is_reached else "NOT reached"
        return self.name, f"{sign} {self.bound:g}{unit}", value, verdict


def at_most(name: str, value: float | None, bound: float, unit: str = "") -> Target:
    """Return a target with an upper bound."""
    return Target(name, value, bound, is_least=False, unit=unit)


def targets_table(targets: Iterable[Target]) -> str:
    """Return the Markdown table of targets."""
    header = ("target", "wanted", "measured", "")
    return table(header, [target.cells for target in targets])


def ratio_of(row: Measured, base: Measured) -> float | None:
    """Return the ratio of the requests per second, or None if a row had errors."""
    return row.rate / base.rate if row.counts and base.counts else None


def p99_ratio_of(row: Measured, base: Measured) -> float | None:
    """Return the ratio of the 99th percentiles, or None if a row had errors."""
    return row.p99 / base.p99 if row.counts and base.counts else None
