"""Run the faults one after the other: `python -m tests.ha [--short] [--only NAME ...]`."""

import argparse
import sys
import time
from collections.abc import Sequence

from config.development.children import RunFailed
from tests.bench.command import run as run_command
from tests.bench.machine import machine
from tests.bench.progress import say
from tests.ha import faults
from tests.ha.cluster import Cluster, cluster
from tests.ha.load import RATE, Load
from tests.ha.processes import LOGS, RESULTS
from tests.ha.programs import require_programs
from tests.ha.results import Result, error_codes, listed, results_table
from tests.ha.services import APP
from tests.ha.sessions import Session
from tests.ha.verification import find_lost

# A step ends after this number of successful responses in a row from each service.
SUCCESSES = 2 * RATE
STEADY_SECONDS = 40
# Longer than the timeout of a request.
ANSWER_SECONDS = 20
SHOWN = 20


class Run:
    """A cluster under load, and the results so far."""

    def __init__(self, made: Cluster) -> None:
        ports = made.site.ports
        self.cluster = made
        self.services = (f"127.0.0.1:{ports.direct}", f"127.0.0.1:{ports.pooled}")
        self.load = Load(f"http://127.0.0.1:{ports.nginx}", f"http://127.0.0.1:{ports.wechat}", APP)
        self.results: list[Result] = []

    def inject(self, chosen: Sequence[faults.Fault]) -> None:
        """Inject faults one after the other, under load."""
        with self.load.running():
            self._wait_until_steady()
            between = self._begin(faults.Step("between the faults", 0))
            for fault in chosen:
                self._inject_one(fault)
            self._wait_until_steady()
            between.ended = time.monotonic()
            self._wait_for_answers(between.ended)
        between.samples = [
            sample
            for sample in self.load.between(between.begun, between.ended)
            if not any(result.was_disturbing(sample) for result in self.results)
        ]
        self._find_lost(between, self.load.sessions.acknowledged())
        self.results.append(between)
        report(between)

    def _inject_one(self, fault: faults.Fault) -> None:
        """Inject a fault, wait until the cluster is whole, and record the results of its steps."""
        steps: list[Result] = []
        failure = None
        try:
            for step in fault(self.cluster):
                if steps:
                    self._end(steps[-1])
                say(f"{step.name} ...")
                steps.append(self._begin(step))
            self.cluster.wait_until_whole()
        except RunFailed as error:
            if not steps:
                raise
            failure = error
        self._end(steps[-1])
        self._wait_for_answers(steps[-1].ended)
        self.results += steps
        for result in steps:
            # Requests in flight when the step began belong to it.
            result.samples = [
                sample
                for sample in self.load.between(result.begun - ANSWER_SECONDS, result.ended)
                if result.was_disturbing(sample)
            ]
            if failure is None or self.cluster.find_primary() is not None:
                self._find_lost(result, self.load.sessions.between(result.begun, result.ended))
            report(result)
        if failure is not None:
            raise failure

    def _begin(self, step: faults.Step) -> Result:
        return Result(step, time.monotonic(), self.services)

    def _end(self, result: Result) -> None:
        self._wait_until_steady()
        result.ended = time.monotonic()

    def _wait_until_steady(self) -> None:
        """Wait until each service answers without errors, or for `STEADY_SECONDS`."""
        begun = time.monotonic()
        while not self._is_steady(begun) and time.monotonic() < begun + STEADY_SECONDS:
            time.sleep(0.1)

    def _is_steady(self, since: float) -> bool:
        samples = self.load.between(since, time.monotonic())
        for service in self.services:
            latest = [sample for sample in samples if sample.service == service][-SUCCESSES:]
            if len(latest) < SUCCESSES or not all(sample.succeeded for sample in latest):
                return False
        return True

    def _wait_for_answers(self, until: float) -> None:
        self.cluster.wait(
            "late responses", lambda: self.load.has_answers_until(until), ANSWER_SECONDS
        )

    def _find_lost(self, result: Result, sessions: Sequence[Session]) -> None:
        for session, how in find_lost(self.cluster, self.load, sessions):
            moment = session.ended_at or session.opened_at
            result.lost.append(f"{how} ({moment - result.begun:.1f} s)")


def report(result: Result) -> None:
    """Print the row of a step, and the expectations that do not hold."""
    say(f"    {' | '.join(result.cells())}")
    for failure in list(result.failures())[:SHOWN]:
        say(f"    FAILED: {failure}")


def inject_all(chosen: Sequence[faults.Fault]) -> None:
    """Inject faults, save the table in var/ha, and raise RunFailed if an expectation fails."""
    require_programs()
    begun = time.monotonic()
    with cluster() as made:
        run = Run(made)
        try:
            run.inject(chosen)
        except RunFailed:
            save(run.results)
            raise
    save(run.results)
    say(f"{time.monotonic() - begun:.0f} s. Logs: {LOGS}")
    failures = [f"{one.step.name}: {what}" for one in run.results for what in one.failures()]
    if failures:
        raise RunFailed(f"{len(failures)} expectations failed:\n" + "\n".join(failures[:SHOWN]))


def save(results: list[Result]) -> None:
    """Save the table in var/ha and print it."""
    text = f"# Faults of the cluster\n\n{machine()}. {RATE} requests per second.\n\n"
    text += f"{results_table(results)}\n\nError responses: {listed(error_codes(results))}."
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "faults.md").write_text(text + "\n")
    print(text, flush=True)


def main() -> None:
    """Read the options and inject the faults."""
    parser = argparse.ArgumentParser(prog="python -m tests.ha", description=__doc__)
    parser.add_argument("--short", action="store_true", help="four faults in four minutes")
    names = {fault.__name__: fault for fault in faults.ALL}
    parser.add_argument("--only", nargs="+", choices=names, help="these faults, in this order")
    options = parser.parse_args()
    chosen = faults.SHORT if options.short else faults.ALL
    inject_all([names[name] for name in options.only] if options.only else chosen)


if __name__ == "__main__":
    sys.exit(run_command(main))
