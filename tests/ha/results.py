"""The results of the steps of all faults, and the Markdown table of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.bench.data.tables import table
from tests.ha.faults import Step
from tests.ha.load import Sample

HEADER = (
    *("fault", "requests", "lost", "wrong", "errors, direct", "errors, PgBouncer"),
    *("recovery, direct", "recovery, PgBouncer", "bound", "slowest"),
)


@dataclass
class Result:
    """What happened during a step. Times are those of `time.monotonic`.

    `services` are the addresses of the service that connects directly, and of that behind
    PgBouncer. `samples` are in the order in which they were sent. `lost` describes acknowledged
    logins and logouts that are missing afterwards.
    """

    step: Step
    begun: float
    services: tuple[str, str]
    ended: float = 0.0
    samples: Sequence[Sample] = ()
    lost: list[str] = field(default_factory=list)

    def was_disturbing(self, sample: Sample) -> bool:
        """Return whether a request was in flight during the step."""
        return sample.started < self.ended and sample.started + sample.seconds >= self.begun

    def wrong(self) -> list[str]:
        """Return the wrong responses."""
        return [
            f"{sample.kind}: {sample.wrong} ({sample.status} {sample.code}, {sample.service},"
            f" {sample.started - self.begun:.1f} s)"
            for sample in self.samples
            if sample.wrong
        ]

    def errors(self, service: str) -> Counter[str]:
        """Return the numbers of the error responses of a service by status."""
        return Counter(
            str(sample.status or "no response")
            for sample in self._of(service)
            if not sample.succeeded and not sample.wrong
        )

    def recovery(self, service: str) -> float | None:
        """Return the seconds until the first success after the last error.

        0 means that there was no error, and None that no request has succeeded since.
        """
        samples = self._of(service)
        failed = [sample.started for sample in samples if not sample.succeeded]
        if not failed:
            return 0.0
        # An error may be the response to a request that was sent before the step.
        last = max(failed[-1], self.begun)
        after = [sample for sample in samples if sample.succeeded and sample.started > last]
        return after[0].started - self.begun if after else None

    def slowest(self) -> float:
        """Return the seconds of the slowest response."""
        return max((sample.seconds for sample in self.samples), default=0.0)

    def failures(self) -> Iterator[str]:
        """Yield each expectation that does not hold."""
        yield from self.lost
        yield from self.wrong()
        for service in self.services:
            recovery = self.recovery(service)
            if recovery is None or recovery > self.step.bound:
                yield f"{service} recovered after {_seconds(recovery)}, not {self.step.bound:.0f} s"

    def _of(self, service: str) -> list[Sample]:
        # Without a response, the service is unknown. Count the request for both.
        return [sample for sample in self.samples if sample.service in (service, "")]

    def cells(self) -> Sequence[str]:
        """Return the row of the table."""
        return (
            self.step.name,
            str(len(self.samples)),
            str(len(self.lost)),
            str(len(self.wrong())),
            *(listed(self.errors(service)) for service in self.services),
            *(_seconds(self.recovery(service)) for service in self.services),
            f"{self.step.bound:.0f} s",
            f"{self.slowest():.1f} s",
        )


def listed(errors: Counter[str]) -> str:
    """Return a text such as `12 × 503`, with the most frequent error first."""
    return ", ".join(f"{number} × {error}" for error, number in errors.most_common()) or "0"


def error_codes(results: Sequence[Result]) -> Counter[str]:
    """Return the numbers of all error responses by status and code."""
    return Counter(
        f"{sample.status or 'no response'} {sample.code}".strip()
        for result in results
        for sample in result.samples
        if not sample.succeeded and not sample.wrong
    )


def _seconds(recovery: float | None) -> str:
    if recovery is None:
        return "not recovered"
    return f"{recovery:.1f} s" if recovery else "–"


def results_table(results: Sequence[Result]) -> str:
    """Return the Markdown table."""
    return table(HEADER, [result.cells() for result in results])
