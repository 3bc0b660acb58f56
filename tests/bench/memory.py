"""Memory of a worker that has verified many sessions."""

from tests.bench.costs import resident_megabytes
from tests.bench.data import feeds
from tests.bench.data.people import Person
from tests.bench.data.rows import Bench
from tests.bench.load.driving import drive
from tests.bench.load.generator import Task
from tests.bench.progress import report_progress, say

SESSIONS = 100_000
CONNECTIONS = 16
SECONDS = 5


def measure_memory(bench: Bench, users: int) -> tuple[int, float | None]:
    """Return the number of verified sessions, and the worker's memory afterwards in megabytes.

    A gunicorn with a single worker verifies up to 100,000 sessions. The memory is None if a request
    failed.
    """
    people = [Person(number) for number in range(min(users, SESSIONS // 2))]
    lines = feeds.both_sessions("/v1/verify", people)
    feed = feeds.save(lines, bench.world.folder / "feeds" / "memory.tsv")
    say(f"Verifying {len(lines):,} sessions in one worker")
    with bench.world.serving(workers=1) as service:
        position = 0
        while position < len(lines):
            rest = feeds.save(lines[position:], feed)
            run = drive(Task(service.url, rest, CONNECTIONS, SECONDS, threads=1))
            if run.errors:
                return len(lines), None
            # wrk sends the lines in order with one thread, so `run.requests` lines were sent.
            position += run.requests
            report_progress("  sessions", min(position, len(lines)), len(lines))
        (megabytes,) = resident_megabytes(service.pid)
    return len(lines), megabytes
