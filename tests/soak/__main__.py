"""Mixed load with faults on the service in production mode: `python -m tests.soak`."""

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

from config.development.children import RunFailed
from tests.bench.command import run as run_command
from tests.bench.machine import machine
from tests.bench.progress import say
from tests.ha.programs import program
from tests.ha.results import listed
from tests.ha.sessions import Session
from tests.ha.verification import find_missing, verify
from tests.soak import faults
from tests.soak.load import ADMIN, KINDS, SoakLoad
from tests.soak.memory import growths, leaks, memory_table
from tests.soak.place import LOGS, RESULTS, Place, place
from tests.soak.results import (
    Occurrence,
    all_lost,
    errors_of,
    fault_table,
    unexpected_replacements,
    wrong_of,
)
from tests.soak.usage import MEGABYTE, Meter, Usage

RATE = len(KINDS) + 1
MEASURE_EVERY = 10.0
PROGRESS_EVERY = 60.0
STEADY_SECONDS = 60.0
STEADY_REQUESTS = 2 * RATE
ANSWER_SECONDS = 60.0
# The latest sessions of a fault are verified by the service, and at the end all.
VERIFIED = 100
VERIFIERS = 8
CHUNK = 5000
BETWEEN = "between the faults"
AT_THE_END = "all sessions, at the end"
SHOWN = 20
# How long WeChat is slow or unavailable in a short run.
SHORT_SECONDS = 8.0


class Soak:
    """The parts under load, and what was seen so far."""

    def __init__(self, made: Place) -> None:
        self.place = made
        self.load = SoakLoad(made.url, made.wechat_url, str(made.certificate))
        self.occurrences: list[Occurrence] = []
        self.measured: list[Usage] = []
        self.begun = 0.0
        self._ended = threading.Event()

    def prepare(self) -> None:
        """Add the operator and the users with passwords."""
        output = self.place.command("operators", "invite", ADMIN, "--role", "platform")
        self.load.add_admin(output.partition("invitation#")[2].split()[0])

    def run(self, plan: Sequence[tuple[float, faults.Fault]], seconds: float) -> None:
        """Inject each fault at its time, under load. Verify all sessions at the end."""
        with self.load.running():
            self.begun = time.monotonic()
            with self._watching():
                for moment, fault in plan:
                    self._wait_until(self.begun + moment)
                    self._inject(fault)
                self._wait_until(self.begun + seconds)
        self._record_calm_times(time.monotonic())
        self._verify_all()

    def _wait_until(self, moment: float) -> None:
        while time.monotonic() < moment:
            self._check_load()
            time.sleep(min(1.0, max(0.0, moment - time.monotonic())))

    def _check_load(self) -> None:
        if self.load.broken is not None:
            raise self.load.broken

    def _inject(self, fault: faults.Fault) -> None:
        say(f"{self._minutes()} {fault.name} ...")
        one = Occurrence(fault.name, time.monotonic(), replaces=fault.replaces)
        try:
            fault.inject(self.place, self.load)
        except (RunFailed, AssertionError, subprocess.SubprocessError) as error:
            one.failed.append(f"{fault.name} failed: {error}")
        one.over = time.monotonic()
        self._wait_until_steady(one.over)
        one.ended = time.monotonic()
        self._wait_for_answers(one.ended)
        one.samples = [
            sample
            for sample in self.load.between(one.begun - ANSWER_SECONDS, one.ended)
            if one.disturbs(sample)
        ]
        one.lost += self._find_lost(self.load.sessions.between(one.begun, one.ended), VERIFIED)
        self.occurrences.append(one)
        recovery = one.recovery()
        shown = "not recovered" if recovery is None else f"{recovery:.1f} s"
        say(f"    errors {listed(errors_of(one.samples))}; recovery {shown}")
        report_failures([*one.failed, *all_lost([one])])

    def _wait_until_steady(self, since: float) -> None:
        """Wait until the latest requests have succeeded, or for `STEADY_SECONDS`."""
        while time.monotonic() < since + STEADY_SECONDS:
            latest = [one for one in self.load.samples[-STEADY_REQUESTS:] if one.started > since]
            if len(latest) >= STEADY_REQUESTS and all(one.succeeded for one in latest):
                return
            time.sleep(0.2)

    def _wait_for_answers(self, moment: float) -> None:
        give_up_at = time.monotonic() + ANSWER_SECONDS
        while not self.load.has_answers_until(moment):
            if time.monotonic() > give_up_at:
                raise RunFailed("a request has no response after a minute")
            time.sleep(0.2)

    def _find_lost(self, sessions: Sequence[Session], verified: int) -> list[str]:
        lost = []
        for start in range(0, len(sessions), CHUNK):
            chunk = sessions[start : start + CHUNK]
            lost += [text for _, text in find_missing(self.place.query, chunk)]
        url = self.place.service.url
        with ThreadPoolExecutor(VERIFIERS) as threads:
            for found in threads.map(
                lambda one: list(verify(self.load, one, url)), sessions[-verified:]
            ):
                lost += [text for _, text in found]
        return lost

    def _verify_all(self) -> None:
        sessions = self.load.sessions.acknowledged()
        say(f"{self._minutes()} Verifying {len(sessions):,} sessions ...")
        one = Occurrence(AT_THE_END, time.monotonic())
        one.lost += self._find_lost(sessions, len(sessions))
        one.over = one.ended = time.monotonic()
        self.occurrences.append(one)
        report_failures(one.lost)

    def _record_calm_times(self, ended: float) -> None:
        calm = Occurrence(BETWEEN, ended, ended, ended)  # no duration, no recovery
        calm.samples = [
            sample
            for sample in self.load.between(self.begun, ended)
            if not any(one.disturbs(sample) for one in self.occurrences)
        ]
        self.occurrences.append(calm)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Measure and print the progress inside the block."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _watch(self) -> None:
        meter, printed = Meter(self.place), 0.0
        while not self._ended.wait(MEASURE_EVERY):
            try:
                self.measured.append(meter.measure())
            except Exception as error:
                self.load.broken = error
                return
            if time.monotonic() - printed > PROGRESS_EVERY:
                printed = time.monotonic()
                self._print_progress(self.measured[-1])

    def _print_progress(self, usage: Usage) -> None:
        errors = errors_of(list(self.load.samples))
        say(
            f"{self._minutes()} {len(self.load.samples):,} requests;"
            f" errors {listed(errors)}; workers {usage.own / MEGABYTE:.1f} MB,"
            f" {usage.files} file descriptors, {usage.threads} threads"
        )

    def _minutes(self) -> str:
        return f"[{(time.monotonic() - self.begun) / 60:5.1f} min]"

    def failures(self) -> list[str]:
        """Return what misses the target."""
        return [
            *all_lost(self.occurrences),
            *(text for one in self.occurrences for text in one.failed),
            *leaks(self.measured),
            *unexpected_replacements(self.occurrences, self.measured),
        ]

    def report(self) -> str:
        """Return the report in Markdown."""
        sessions, samples = self.load.sessions.acknowledged(), self.load.samples
        lost, grown = list(all_lost(self.occurrences)), growths(self.measured)
        verdict = "FAIL" if self.failures() else "PASS"
        minutes = (self.measured[-1].moment - self.begun) / 60 if self.measured else 0
        judged = "; ".join(map(str, grown)) or "not judged, no workers ran for 20 minutes"
        return "\n\n".join(
            [
                "# Soak test",
                f"{datetime.now(UTC):%Y-%m-%d}. {machine()}. {minutes:.0f} minutes,"
                f" {len(samples):,} requests ({RATE} per second), {len(sessions):,} sessions"
                f" verified at the end, {self.load.undecided} refreshes without a response.",
                f"**{verdict}**: {len(lost)} lost. From the tenth minute of the workers that ran"
                f" longest: {judged}.",
                fault_table(self.occurrences),
                memory_table(self.measured, self.begun),
                f"Errors: {listed(errors_of(samples))}. Wrong: {listed(wrong_of(samples))}.",
                "Failures: " + ("; ".join(self.failures()[:SHOWN]) or "none") + ".",
            ]
        )


def report_failures(failures: Sequence[str]) -> None:
    """Print the first failures."""
    for failure in failures[:SHOWN]:
        say(f"    FAILED: {failure}")


def soak(minutes: float, *, short: bool) -> None:
    """Run the test, save the report in var/soak, and raise RunFailed if a target is missed."""
    program("nginx")
    plan = [(0.0, one) for one in faults.SHORT] if short else faults.plan_of(minutes)
    with place() as made:
        if short:
            made.disturbed_seconds = SHORT_SECONDS
        run = Soak(made)
        run.prepare()
        try:
            run.run(plan, 0.0 if short else minutes * 60)
        finally:
            save(run.report())
    say(f"Logs: {LOGS}")
    if failures := run.failures():
        raise RunFailed(f"{len(failures)} failures:\n" + "\n".join(failures[:SHOWN]))


def save(text: str) -> None:
    """Save the report in var/soak and print it."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "soak.md").write_text(text + "\n")
    print(text, flush=True)


def main() -> None:
    """Read the options and run the test."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=faults.HOUR, help="Default: 60")
    parser.add_argument(
        "--short", action="store_true", help="each fault once, in about five minutes"
    )
    arguments = parser.parse_args()
    sys.exit(run_command(lambda: soak(arguments.minutes, short=arguments.short)))


if __name__ == "__main__":
    main()
