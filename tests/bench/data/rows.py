"""The rows of the result tables. Each row measures one kind of request."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count, islice
from pathlib import Path
from secrets import token_hex

import requests

from tests.bench.data import feeds
from tests.bench.data.people import (
    FIRST_ADDED,
    FIRST_UNLINKED,
    AddedPerson,
    Person,
    UnlinkedPerson,
)
from tests.bench.data.world import Service, World
from tests.bench.load.driving import drive
from tests.bench.load.generator import Load, Task
from tests.bench.progress import say

WARM_UP_CONNECTIONS = 64
WARM_UP_SECONDS = 2
WARM_UP_REQUESTS = 2_000


@dataclass(frozen=True)
class Row:
    """A kind of request, and the expected status of the response.

    `lines` returns the requests of the given people as lines of a feed. If each request can be sent
    only once, `once_by` is the number of people whose requests last for a second on two cores. They
    are added to the database before each run.
    """

    name: str
    lines: Callable[[Sequence[Person]], list[str]]
    status: HTTPStatus = HTTPStatus.OK
    asks_wechat: bool = False
    once_by: int = 0
    is_of_unlinked: bool = False


WSGI = Row("bare WSGI callable", lambda _: feeds.bare_requests("/wsgi"))
FLOOR = Row("bare Flask view", lambda _: feeds.bare_requests("/bare"))
VERIFY = Row(
    "GET /v1/verify",
    lambda people: feeds.both_sessions("/v1/verify", people),
    HTTPStatus.NO_CONTENT,
)
FIRST_VERIFY = Row(
    "GET /v1/verify, first of a token",
    lambda people: feeds.both_sessions("/v1/verify", people),
    HTTPStatus.NO_CONTENT,
    once_by=4_000,
)
# For a service with room for a single session in its cache.
UNCACHED = Row(
    "GET /v1/verify, not cached",
    lambda people: feeds.both_sessions("/v1/verify", people),
    HTTPStatus.NO_CONTENT,
)
ME = Row("GET /v1/me", lambda people: feeds.both_sessions("/v1/me", people))
BARE_LOGIN = Row("bare login: requests.get, one INSERT", feeds.bare_logins, asks_wechat=True)
KNOWN = Row("login, known person", feeds.known_logins, asks_wechat=True)
NEW = Row("login, new person", feeds.new_logins, asks_wechat=True)
BIND = Row(
    "phone bind, encryptedData",
    feeds.phone_binds,
    asks_wechat=True,
    once_by=1_500,
    is_of_unlinked=True,
)
REFRESH = Row("refresh", feeds.refreshes, once_by=1_500)
ROWS = (WSGI, FLOOR, VERIFY, FIRST_VERIFY, ME, BARE_LOGIN, KNOWN, NEW, BIND, REFRESH)


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
    """A running World, the people that send requests, and the numbers of people not yet added."""

    world: World
    people: Sequence[Person]
    unlinked: Iterator[int] = field(default_factory=lambda: count(FIRST_UNLINKED))
    added: Iterator[int] = field(default_factory=lambda: count(FIRST_ADDED))
    _saved: dict[str, Feed] = field(default_factory=dict)

    def prepare(self, row: Row, seconds: int) -> Feed:
        """Write the feed of a row.

        Add the people of a row whose requests are sent once.
        """
        path = self.world.folder / "feeds" / f"{re.sub(r'[^a-z0-9]+', '-', row.name.lower())}.tsv"
        if row.once_by:
            lines = self._requests_of_added(row, row.once_by * seconds)
            return Feed(feeds.save(lines, path), mode="once")
        if row.name not in self._saved:
            self._saved[row.name] = Feed(feeds.save(row.lines(self.people), path))
        return self._saved[row.name]

    def check(self, service: Service, row: Row) -> None:
        """Send one request of a row, and exit unless the response has the expected status.

        The load generator counts only statuses from 400 on as errors.
        """
        lines = self._requests_of_added(row, 1) if row.once_by else row.lines(self.people[:1])
        answer = send(service, lines[0])
        if answer.status_code != row.status:
            raise SystemExit(f"{row.name}: {answer.status_code} {answer.text}")

    def warm_up(self, service: Service, row: Row) -> None:
        """Send requests of a row before it is measured.

        Each login token is used, because the first request of a session within a minute updates the
        database. Other rows get 2,000 requests, because the first request of an app in a worker
        reads the app.
        """
        self.check(service, row)
        left = 2 * len(self.people) if row in (VERIFY, UNCACHED, ME) else WARM_UP_REQUESTS
        left = 1 if row.once_by else left
        while left > 0:
            feed = self.prepare(row, WARM_UP_SECONDS)
            load = feed.drive(service, WARM_UP_CONNECTIONS, WARM_UP_SECONDS)
            if not load.requests:
                raise SystemExit(f"{row.name}: no answers while warming up")
            left -= load.requests

    def _requests_of_added(self, row: Row, many: int) -> list[str]:
        """Add people to the database. Return their requests."""
        if row.is_of_unlinked:
            unlinked = [UnlinkedPerson(number) for number in islice(self.unlinked, many)]
            self.world.filling.add_unlinked(unlinked)
            return row.lines(unlinked)
        added = [AddedPerson(number) for number in islice(self.added, many)]
        self.world.filling.add(added)
        return row.lines(added)


def send(service: Service, line: str) -> requests.Response:
    """Send the request of a line of a feed, and return the response."""
    one = feeds.parse(line, token_hex(8))
    url = service.url + one.path
    return requests.request(one.method, url, data=one.body, headers=one.headers, timeout=20)


def report_run(row: Row, connections: int, load: Load) -> None:
    """Print rate, latency and errors of a run."""
    errors = f", {load.errors} ERRORS" if load.errors else ""
    say(f"  {row.name}, {connections}: {load.rate:.0f}/s, p99 {load.p99:.1f} ms{errors}")
