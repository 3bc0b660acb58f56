"""The rows of the result tables. Each row measures one kind of request."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from secrets import token_hex

import requests

from tests.bench.data import feeds
from tests.bench.data.people import FIRST_UNLINKED, Person, UnlinkedPerson
from tests.bench.data.world import Service, World
from tests.bench.load.driving import drive
from tests.bench.load.generator import Load, Task
from tests.bench.progress import say

# More phone numbers than two cores can bind in a second. The remaining people are not used.
BINDS_PER_SECOND = 1_500
WARM_UP_CONNECTIONS = 64
WARM_UP_SECONDS = 2


@dataclass(frozen=True)
class Row:
    """A kind of request, and the expected status of the response.

    `lines` returns the requests of the given people as lines of a feed.
    """

    name: str
    lines: Callable[[Sequence[Person]], list[str]]
    status: HTTPStatus = HTTPStatus.OK
    asks_wechat: bool = False
    is_of_unlinked: bool = False


FLOOR = Row("bare Flask view", lambda _: feeds.bare_requests("/bare"))
VERIFY = Row(
    "GET /v1/verify",
    lambda people: feeds.both_sessions("/v1/verify", people),
    HTTPStatus.NO_CONTENT,
)
ME = Row("GET /v1/me", lambda people: feeds.both_sessions("/v1/me", people))
BARE_LOGIN = Row("bare login: requests.get, one INSERT", feeds.bare_logins, asks_wechat=True)
KNOWN = Row("login, known person", feeds.known_logins, asks_wechat=True)
NEW = Row("login, new person", feeds.new_logins, asks_wechat=True)
BIND = Row("phone bind, encryptedData", lambda _: [], asks_wechat=True, is_of_unlinked=True)
ROWS = (FLOOR, VERIFY, ME, BARE_LOGIN, KNOWN, NEW, BIND)


@dataclass(frozen=True)
class Feed:
    """A file of requests, and the mode of the load generator (see Task)."""

    path: Path
    mode: str = ""

    def drive(self, service: Service, connections: int, seconds: int) -> Load:
        """Send the requests to the service, and return the result."""
        return drive(Task(service.url, self.path, connections, seconds, self.mode))


@dataclass
class Bench:
    """A running World, the people that send requests, and the next unused unlinked person."""

    world: World
    people: Sequence[Person]
    next_unlinked: int = FIRST_UNLINKED
    _saved: dict[str, Feed] = field(default_factory=dict)

    def prepare(self, row: Row, seconds: int) -> Feed:
        """Write the feed of a row.

        For a row of unlinked people, insert as many of them as the given duration needs.
        """
        path = self.world.folder / "feeds" / f"{re.sub(r'[^a-z0-9]+', '-', row.name.lower())}.tsv"
        if row.is_of_unlinked:
            lines = self._unlinked_requests(BINDS_PER_SECOND * seconds)
            return Feed(feeds.save(lines, path), mode="once")
        if row.name not in self._saved:
            self._saved[row.name] = Feed(feeds.save(row.lines(self.people), path))
        return self._saved[row.name]

    def check(self, service: Service, row: Row) -> None:
        """Send one request of a row, and exit unless the response has the expected status.

        The load generator counts only statuses from 400 on as errors.
        """
        lines = self._unlinked_requests(1) if row.is_of_unlinked else row.lines(self.people[:1])
        answer = send(service, lines[0])
        if answer.status_code != row.status:
            raise SystemExit(f"{row.name}: {answer.status_code} {answer.text}")

    def warm_up(self, service: Service, row: Row) -> None:
        """Send requests of a row before it is measured, until each login token has been used.

        The first request of a session within a minute updates the database, so it takes longer than
        the other requests.
        """
        self.check(service, row)
        left = 2 * len(self.people) if row in (VERIFY, ME) else 1
        while left > 0:
            feed = self.prepare(row, WARM_UP_SECONDS)
            load = feed.drive(service, WARM_UP_CONNECTIONS, WARM_UP_SECONDS)
            if not load.requests:
                raise SystemExit(f"{row.name}: no answers while warming up")
            left -= load.requests

    def _unlinked_requests(self, many: int) -> list[str]:
        """Insert unlinked people. Return a request for each, which binds the phone number."""
        numbers = range(self.next_unlinked, self.next_unlinked + many)
        self.next_unlinked = numbers.stop
        unlinked = [UnlinkedPerson(number) for number in numbers]
        self.world.filling.add_unlinked(unlinked)
        return feeds.phone_binds(unlinked)


def send(service: Service, line: str) -> requests.Response:
    """Send the request of a line of a feed, and return the response."""
    one = feeds.parse(line, token_hex(8))
    url = service.url + one.path
    return requests.request(one.method, url, data=one.body, headers=one.headers, timeout=20)


def report_run(row: Row, connections: int, load: Load) -> None:
    """Print rate, latency and errors of a run."""
    errors = f", {load.errors} ERRORS" if load.errors else ""
    say(f"  {row.name}, {connections}: {load.rate:.0f}/s, p99 {load.p99:.1f} ms{errors}")
