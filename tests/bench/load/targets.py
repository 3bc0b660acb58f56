"""What is to be reached, and whether it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.bench.data.tables import VOID, table
from tests.bench.measuring import Measured


@dataclass(frozen=True)
class Target:
    """What is to be reached, and what was measured; None if a row of it is void."""

    name: str
    value: float | None
    bound: float
    is_least: bool = True
    unit: str = ""

    @property
    def is_reached(self) -> bool:
        """Say whether it is."""
        if self.value is None:
            return False
        return self.value >= self.bound if self.is_least else self.value <= self.bound

    @property
    def cells(self) -> Sequence[str]:
        """Write it as a row of the table."""
        sign, unit = ("≥" if self.is_least else "≤"), self.unit and f" {self.unit}"
        value = VOID if self.value is None else f"{self.value:.2f}{unit}"
        verdict = "reached" if self.is_reached else "NOT reached"
        return self.name, f"{sign} {self.bound:g}{unit}", value, verdict


def at_most(name: str, value: float | None, bound: float, unit: str = "") -> Target:
    """Ask for so much at most."""
    return Target(name, value, bound, is_least=False, unit=unit)


def targets_table(targets: Iterable[Target]) -> str:
    """Write which targets are reached."""
    header = ("target", "wanted", "measured", "")
    return table(header, [one.cells for one in targets])


def ratio_of(ours: Measured, theirs: Measured) -> float | None:
    """Compare how many requests a second there were; None if one of both is void."""
    return ours.rate / theirs.rate if ours.counts and theirs.counts else None


def p99_ratio_of(ours: Measured, theirs: Measured) -> float | None:
    """Compare how long the slowest hundredth took; None if one of both is void."""
    return ours.p99 / theirs.p99 if ours.counts and theirs.counts else None
