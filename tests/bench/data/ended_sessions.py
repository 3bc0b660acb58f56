"""How long an ended session still answers, in any worker, after the call that ended it returned."""

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
from tests.bench.progress import say, say_how_far

POLLERS_A_WORKER = 2
LOAD_CONNECTIONS = 16
LOAD_SECONDS = 3600  # until it is stopped
TIMES_UNTIL_SURE = 3
# Nothing may answer after a second; whoever does is watched for a second more.
WATCHED_SECONDS = 2.0
MOST_CONNECTIONS = 1000


@dataclass(frozen=True)
class Ending:
    """How many milliseconds after the ending call returned a 204 was last asked for, and came."""

    asked: float
    came: float


class Poller:
    """One connection that is kept alive, and so stays with its worker."""

    def __init__(self, url: str) -> None:
        self.connection = HTTPConnection(url.removeprefix("http://"), timeout=20)
        self.worker = self.get("/bare/worker")[1].decode()

    def get(self, path: str, token: str = "", method: str = "GET") -> tuple[int, bytes]:
        """Ask for something; the connection is used again."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.connection.request(method, path, headers=headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def last_moments(self, token: str) -> tuple[float, float]:
        """Verify a token until it is refused for sure; say when a 204 was last asked for, and came.

        Raises AssertionError for any other answer than 204 and 401.
        """
        asked = came = 0.0
        refused, until = 0, time.perf_counter() + WATCHED_SECONDS
        while refused < TIMES_UNTIL_SURE and time.perf_counter() < until:
            began = time.perf_counter()
            status, _ = self.get("/v1/verify", token)
            if status == HTTPStatus.NO_CONTENT:
                asked, came, refused = began, time.perf_counter(), 0
            else:
                assert status == HTTPStatus.UNAUTHORIZED, status
                refused += 1
        return asked, came


def measure_endings(bench: Bench, service: Service, people: Sequence[Person]) -> list[Ending]:
    """End one session of each person, under load, and see who still takes it for a login."""
    say(f"Ending {len(people)} sessions")
    feed, endings = bench.prepare(VERIFY, 0), []
    task = Task(service.url, feed.path, LOAD_CONNECTIONS, LOAD_SECONDS)
    with background(task), ThreadPoolExecutor() as threads:
        pollers = reach_all_workers(service)
        enders = [next(one for one in pollers if one.worker == pid) for pid in workers_of(pollers)]
        watching = [one for one in pollers if one not in enders]
        for number, person in enumerate(people):
            for one in enders:
                one.get("/bare/worker")  # gunicorn closes a connection that is silent for long
            ender = enders[number % len(enders)]
            endings.append(end(threads, ender, watching, person, by_itself=number % 4 < 2))
            say_how_far("  endings", number + 1, len(people))
    return endings


def end(
    threads: ThreadPoolExecutor,
    ender: Poller,
    watching: Sequence[Poller],
    person: Person,
    *,
    by_itself: bool,
) -> Ending:
    """End a person's first session, by itself or from their second one."""
    token = person.token(0)
    for one in watching:
        assert one.get("/v1/verify", token)[0] == HTTPStatus.NO_CONTENT
    lasts = [threads.submit(one.last_moments, token) for one in watching]
    time.sleep(0.02)
    if by_itself:
        status, _ = ender.get(f"/v1/apps/{person.appid}/logout", token, "POST")
    else:
        path = f"/v1/me/sessions/{person.session_id(0)}"
        status, _ = ender.get(path, person.token(1), "DELETE")
    returned = time.perf_counter()
    assert status == HTTPStatus.NO_CONTENT, status
    asked, came = zip(*(last.result() for last in lasts), strict=True)
    return Ending(*(max(0.0, 1000 * (max(times) - returned)) for times in (asked, came)))


def reach_all_workers(service: Service) -> list[Poller]:
    """Connect until every worker has an ender and its pollers.

    While nobody else asks, it may well be one worker that takes every connection.
    """
    wanted, found = 1 + POLLERS_A_WORKER, list[Poller]()
    for _ in range(MOST_CONNECTIONS):
        one = Poller(service.url)
        if [other.worker for other in found].count(one.worker) < wanted:
            found.append(one)
        else:
            one.connection.close()
        if len(found) == WORKERS * wanted:
            return found
    raise RunFailed("the connections do not reach every worker")


def workers_of(pollers: Sequence[Poller]) -> list[str]:
    """List the workers that are reached."""
    return sorted({one.worker for one in pollers})
