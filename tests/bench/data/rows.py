"""The rows of the table. Each measures one kind of request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from secrets import token_hex

import requests

from tests.bench.data import feeds
from tests.bench.data.people import FIRST_STRANGER, Person, Stranger
from tests.bench.data.world import Service, World
from tests.bench.load.driving import drive
from tests.bench.load.generator import Load, Task
from tests.bench.progress import say

# More than two cores can bind. The remaining strangers are not used.
BINDS_PER_SECOND = 1_500
WARM_UP_CONNECTIONS = 64
WARM_UP_SECONDS = 2


@dataclass(frozen=True)
class Row:
    """A kind of request, and the expected status."""

    name: str
    lines: Callable[[Sequence[Person]], list[str]]
    status: HTTPStatus = HTTPStatus.OK
    asks_wechat: bool = False
    is_of_strangers: bool = False


FLOOR = Row("bare Flask view", lambda _: feeds.of_bare("/bare"))
VERIFY = Row(
    "GET /v1/verify",
    lambda people: feeds.of_all("/v1/verify", people),
    HTTPStatus.NO_CONTENT,
)
ME = Row("GET /v1/me", lambda people: feeds.of_all("/v1/me", people))
BARE_LOGIN = Row("bare login: requests.get, one INSERT", feeds.of_bare_logins, asks_wechat=True)
KNOWN = Row("login, known person", feeds.of_known, asks_wechat=True)
NEW = Row("login, new person", feeds.of_new, asks_wechat=True)
BIND = Row("phone bind, old way", lambda _: [], asks_wechat=True, is_of_strangers=True)
ROWS = (FLOOR, VERIFY, ME, BARE_LOGIN, KNOWN, NEW, BIND)


@dataclass(frozen=True)
class Feed:
    """A file of requests."""

    path: Path
    mode: str = ""

    def drive(self, service: Service, connections: int, seconds: int) -> Load:
        """Send the requests to a service."""
        return drive(Task(service.url, self.path, connections, seconds, self.mode))


@dataclass
class Bench:
    """A world with people under load. It counts the strangers that were used."""

    world: World
    people: Sequence[Person]
    next_stranger: int = FIRST_STRANGER
    _saved: dict[str, Feed] = field(default_factory=dict)

    def prepare(self, row: Row, seconds: int) -> Feed:
        """Write the requests of a row. Strangers are added for the given duration."""
        path = self.world.folder / "feeds" / f"{ROWS.index(row)}.tsv"
        if row.is_of_strangers:
            lines = self._strangers(BINDS_PER_SECOND * seconds)
            return Feed(feeds.save(lines, path), mode="once")
        if row.name not in self._saved:
            self._saved[row.name] = Feed(feeds.save(row.lines(self.people), path))
        return self._saved[row.name]

    def check(self, service: Service, row: Row) -> None:
        """Check the response of a row before it is measured.

        wrk counts only statuses from 400 on as errors.
        """
        lines = self._strangers(1) if row.is_of_strangers else row.lines(self.people[:1])
        method, path, token, body = lines[0].rstrip("\n").replace("@", token_hex(8)).split("\t")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body:
            headers["Content-Type"] = "application/json"
        url = service.url + path
        answer = requests.request(method, url, data=body, headers=headers, timeout=20)
        if answer.status_code != row.status:
            raise SystemExit(f"{row.name}: {answer.status_code} {answer.text}")

    def warm_up(self, service: Service, row: Row) -> None:
        """Run a row before it is measured. Rows with tokens run until each token was used.

        The first use of a session in a minute is written to the database, which is not the usual
        case.
        """
        self.check(service, row)
        left = 2 * len(self.people) if row in (VERIFY, ME) else 1
        while left > 0:
            feed = self.prepare(row, WARM_UP_SECONDS)
            load = feed.drive(service, WARM_UP_CONNECTIONS, WARM_UP_SECONDS)
            if not load.requests:
                raise SystemExit(f"{row.name}: no answers while warming up")
            left -= load.requests

    def _strangers(self, many: int) -> list[str]:
        """Add strangers, and return their requests. Each can bind once."""
        numbers = range(self.next_stranger, self.next_stranger + many)
        self.next_stranger = numbers.stop
        strangers = [Stranger(number) for number in numbers]
        self.world.filling.add_strangers(strangers)
        return feeds.of_strangers(strangers)


def report_run(row: Row, connections: int, load: Load) -> None:
    """Print the result of a run."""
    errors = f", {load.errors} ERRORS" if load.errors else ""
    say(f"  {row.name}, {connections}: {load.rate:.0f}/s, p99 {load.p99:.1f} ms{errors}")
