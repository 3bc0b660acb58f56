"""Time from the response that ends a session until every worker rejects the login token."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection

from config.development.children import RunFailed
from tests.bench.data.people import Person
from tests.bench.data.rows import VERIFY, Bench
from tests.bench.data.world import WORKERS, Service
from tests.bench.load.driving import background
from tests.bench.load.generator import Task
from tests.bench.progress import report_progress, say

POLLERS_PER_WORKER = 2
LOAD_CONNECTIONS = 16
LOAD_SECONDS = 3600  # longer than the measurement, which stops the load
REJECTIONS_REQUIRED = 3
# Every worker must reject the session within one second. Polling lasts one second longer.
POLL_SECONDS = 2.0
MAX_CONNECTIONS = 1000


@dataclass(frozen=True)
class Ending:
    """Time for which an ended session was still accepted.

    Milliseconds from the response that ended the session to the last 204 of /v1/verify: to the
    start of that last request, and to the end of its response.
    """

    requested: float
    received: float


class Poller:
    """A persistent HTTP connection, so that one worker answers all its requests."""

    def __init__(self, url: str) -> None:
        self.connection = HTTPConnection(url.removeprefix("http://"), timeout=20)
        self.worker = self.get("/bare/worker")[1].decode()

    def get(self, path: str, token: str = "", method: str = "GET") -> tuple[int, bytes]:
        """Send a request on the connection. Return the status and the body."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.connection.request(method, path, headers=headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def last_successes(self, token: str) -> tuple[float, float]:
        """Verify a login token until it is rejected three times in a row.

        Return the times at which the last request answered with 204 was sent and answered. Raise
        AssertionError for a status other than 204 and 401.
        """
        requested = received = 0.0
        rejections, until = 0, time.perf_counter() + POLL_SECONDS
        while rejections < REJECTIONS_REQUIRED and time.perf_counter() < until:
            began = time.perf_counter()
            status, _ = self.get("/v1/verify", token)
            if status == HTTPStatus.NO_CONTENT:
                requested, received, rejections = began, time.perf_counter(), 0
            else:
                assert status == HTTPStatus.UNAUTHORIZED, status
                rejections += 1
        return requested, received


def measure_endings(bench: Bench, service: Service, people: Sequence[Person]) -> list[Ending]:
    """End one session of each person and poll that session in every worker, under load."""
    say(f"Ending {len(people)} sessions")
    feed, endings = bench.prepare(VERIFY, 0), []
    task = Task(service.url, feed.path, LOAD_CONNECTIONS, LOAD_SECONDS)
    with background(task), ThreadPoolExecutor() as threads:
        pollers = reach_all_workers(service)
        callers = [
            next(poller for poller in pollers if poller.worker == pid)
            for pid in workers_of(pollers)
        ]
        watchers = [poller for poller in pollers if poller not in callers]
        for number, person in enumerate(people):
            for caller in callers:
                caller.get("/bare/worker")  # gunicorn closes idle connections
            caller = callers[number % len(callers)]
            endings.append(end(threads, caller, watchers, person, by_itself=number % 4 < 2))
            report_progress("  endings", number + 1, len(people))
    return endings


def end(
    threads: ThreadPoolExecutor,
    caller: Poller,
    watchers: Sequence[Poller],
    person: Person,
    *,
    by_itself: bool,
) -> Ending:
    """End a person's first session, and return how long its login token was still accepted.

    With `by_itself`, the session logs out. Otherwise, the person's second session ends the session.
    """
    token = person.token(0)
    for watcher in watchers:
        assert watcher.get("/v1/verify", token)[0] == HTTPStatus.NO_CONTENT
    lasts = [threads.submit(watcher.last_successes, token) for watcher in watchers]
    time.sleep(0.02)
    if by_itself:
        status, _ = caller.get(f"/v1/apps/{person.appid}/logout", token, "POST")
    else:
        path = f"/v1/me/sessions/{person.session_id(0)}"
        status, _ = caller.get(path, person.token(1), "DELETE")
    returned = time.perf_counter()
    assert status == HTTPStatus.NO_CONTENT, status
    requested, received = zip(*(last.result() for last in lasts), strict=True)
    return Ending(*(max(0.0, 1000 * (max(times) - returned)) for times in (requested, received)))


def reach_all_workers(service: Service) -> list[Poller]:
    """Open connections until every worker has one for ending sessions and two for polling.

    This requires load: a worker without load may accept every connection.
    """
    wanted, found = 1 + POLLERS_PER_WORKER, list[Poller]()
    for _ in range(MAX_CONNECTIONS):
        poller = Poller(service.url)
        if [other.worker for other in found].count(poller.worker) < wanted:
            found.append(poller)
        else:
            poller.connection.close()
        if len(found) == WORKERS * wanted:
            return found
    raise RunFailed("the connections do not reach every worker")


def workers_of(pollers: Sequence[Poller]) -> list[str]:
    """Return the process ids of the workers."""
    return sorted({poller.worker for poller in pollers})
