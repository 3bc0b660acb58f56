"""The results: requests during each fault, lost logins, and the table."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.bench.data.tables import table
from tests.ha.load import Sample
from tests.ha.results import listed
from tests.soak.usage import Usage

# A replacement is noticed by the next measurement.
NOTICED_SECONDS = 20.0
HEADER = (
    "fault",
    "times",
    "requests",
    "errors",
    "longest fault",
    "longest recovery",
    "slowest response",
    "lost",
)


@dataclass
class Occurrence:
    """A fault and the requests during it. Times are those of `time.monotonic`.

    It was removed at `over`. Until `ended`, the service answered without errors again. `replaces`
    means that workers were replaced. `failed` has what did not work in the test itself.
    """

    name: str
    begun: float
    over: float = 0.0
    ended: float = 0.0
    samples: Sequence[Sample] = ()
    lost: list[str] = field(default_factory=list)
    replaces: bool = False
    failed: list[str] = field(default_factory=list)

    def disturbs(self, sample: Sample) -> bool:
        """Return whether a request was in flight during the fault."""
        return sample.started < self.ended and sample.started + sample.seconds >= self.begun

    def recovery(self) -> float | None:
        """Return the seconds from the end of the fault to the first success after the last error.

        0 means that no request failed after the fault, and None that none has succeeded since.
        """
        samples = sorted(self.samples, key=lambda sample: sample.started)
        failed = [one.started for one in samples if not one.succeeded]
        if not failed or failed[-1] < self.over:
            return 0.0
        after = [one.started for one in samples if one.succeeded and one.started > failed[-1]]
        return after[0] - self.over if after else None


def errors_of(samples: Iterable[Sample]) -> Counter[str]:
    """Return the numbers of the error responses by status and code."""
    return Counter(
        f"{one.status or 'no response'} {one.code}".strip()
        for one in samples
        if not one.succeeded and not one.wrong
    )


def wrong_of(samples: Iterable[Sample]) -> Counter[str]:
    """Return the numbers of the wrong responses by kind."""
    return Counter(
        f"{one.kind}: {one.wrong} ({one.status} {one.code})" for one in samples if one.wrong
    )


def lost_of(one: Occurrence) -> list[str]:
    """Return the lost logins and the wrong responses of an occurrence."""
    return one.lost + [text for text, n in wrong_of(one.samples).items() for _ in range(n)]


def fault_table(occurrences: Sequence[Occurrence]) -> str:
    """Return the Markdown table with one row for each kind of fault."""
    names = dict.fromkeys(one.name for one in occurrences)
    return table(HEADER, [_row(name, [o for o in occurrences if o.name == name]) for name in names])


def _row(name: str, same: Sequence[Occurrence]) -> Sequence[str]:
    samples = [sample for one in same for sample in one.samples]
    recoveries = [one.recovery() for one in same]
    known = [seconds for seconds in recoveries if seconds is not None]
    recovery = "not recovered" if len(known) < len(recoveries) else _seconds(max(known))
    return (
        name,
        str(len(same)),
        f"{len(samples):,}",
        listed(errors_of(samples)),
        _seconds(max(one.over - one.begun for one in same)),
        recovery,
        _seconds(max((one.seconds for one in samples), default=0.0)),
        str(sum(len(lost_of(one)) for one in same)),
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds else "–"


def all_lost(occurrences: Iterable[Occurrence]) -> Iterator[str]:
    """Yield each lost login and each wrong response with its fault."""
    for one in occurrences:
        for text in lost_of(one):
            yield f"{one.name}: {text}"


def unexpected_replacements(
    occurrences: Sequence[Occurrence], measured: Sequence[Usage]
) -> Iterator[str]:
    """Yield each time at which workers were replaced without a fault that does it."""
    begun = {one.generation: one for one in reversed(measured)}
    for one in sorted(begun.values(), key=lambda one: one.generation)[1:]:
        if not any(
            fault.replaces and fault.begun <= one.since <= fault.ended + NOTICED_SECONDS
            for fault in occurrences
        ):
            yield f"workers were replaced without a fault: {one.since:.0f} s"
