"""The capacity model of docs/scaling.md: machines for a number of users at a stated daily use.

The parameters have the names of the tables on the page.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

OPERATIONS = ("check", "uncached_check", "refresh", "login", "new_login")
CPU_TIMES = (
    *("floor_ms", "service_ms", "database_ms", "notification_ms"),
    *("retention_seconds", "retention_seconds_per_million"),
)
DAY = 86_400
PAGE_BYTES = 8_192
LISTENING_CONNECTIONS = 1  # of each worker, for notifications

# The measured operation that has the cost of each part of a load. In the measurement, each check
# writes the last use of its session. A client causes this write at most once a minute. A refresh
# with cold caches is not measured. It reads about as much as a login. A login of a new user reads
# little.
DATABASE_COST = {
    "last_use": "check",
    **{name: name for name in OPERATIONS if name != "check"},
}
WRITTEN_LIKE = {name: of for name, of in DATABASE_COST.items() if name != "uncached_check"}
READ_LIKE = {"uncached_check": "uncached_check", "refresh": "login", "login": "login"}
# Resources that more database servers add. PgBouncer saves connections.
OF_SERVERS = ("cores", "disk", "wal", "notifications")

Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Measured:
    """The measurements with one database: those of a column of the page."""

    users: int
    numbers: Numbers

    def __getitem__(self, name: str) -> float:
        return self.numbers[name]

    @property
    def bytes_of_user(self) -> float:
        """Bytes of a user's rows and index entries, without sessions."""
        return self["user_table_bytes"] + self["user_index_bytes"]

    @property
    def bytes_of_session(self) -> float:
        return self["session_table_bytes"] + self["session_index_bytes"]

    @property
    def pages(self) -> float:
        """Number of pages of the database."""
        return self["database_gb"] * 1e9 / PAGE_BYTES

    def on_idle_machine(self, floor_ms: float) -> "Measured":
        """Return the measurements with all CPU times as on an idle machine.

        There, a bare Flask view takes `floor_ms`. Other work slows all CPU times by about the same
        factor.
        """
        factor = floor_ms / self["floor_ms"]
        scaled = {
            name: number * (factor if name.partition(".")[0] in CPU_TIMES else 1)
            for name, number in self.numbers.items()
        }
        return Measured(self.users, scaled)

    def requests(self, operation: str) -> float:
        """Return the number of requests of a run."""
        return self[f"requests.{operation}"]


def distinct_pages(touches: float, pages: float) -> float:
    """Return how many of `pages` pages are touched at least once by touches of random pages."""
    return pages * -math.expm1(-touches / pages)


def random_pages(pages_per_request: float, requests: float, pages: float) -> float:
    """Return the random pages that a request touches.

    `pages_per_request` are the different pages that `requests` requests touch, per request. This is
    the inverse of `distinct_pages`.
    """
    share = min(pages_per_request * requests / pages, 0.999)
    return -math.log1p(-share) * pages / requests


@dataclass(frozen=True)
class Load:
    """Operations per day, and per second in the busiest second of the day.

    `last_use` is the write of a session's last use, which belongs to no request.
    """

    daily: Numbers
    peak: Numbers


def load_of(users: float, use: Numbers) -> Load:
    """Return the load of a number of users."""
    active = users * use["daily_active"] / 100
    checks = active * use["checks"]
    daily = {
        "check": checks * (1 - use["uncached"] / 100),
        "uncached_check": checks * use["uncached"] / 100,
        "refresh": active * use["refreshes"],
        "login": active * use["logins"],
        "new_login": users * use["new_users"] / 100,
        "last_use": active * use["last_uses"],
    }
    peak = {name: number / DAY * use["peak"] for name, number in daily.items()}
    return Load(daily, peak)


@dataclass(frozen=True)
class Capacity:
    """What a number of users needs in total.

    Each of the `deployments` has its own users and databases. With a single one, each worker would
    spend `notified_share` of its time on notifications.
    """

    load: Load
    deployments: int
    workers: int
    service_gb: float
    notified_share: float
    cores: float
    disk_gb: float
    often_read_gb: float
    cold_reads: float
    wal_gb_per_day: float
    wal_mb_per_second: float
    notifying_commits: float
    direct_connections: float
    pooled_connections: float
    retention_hours: float

    def reads(self, memory_gb: float) -> float:
        """Return the pages read from disk per second, with memory for a part of the pages."""
        return self.cold_reads * max(0.0, 1 - memory_gb / self.often_read_gb)

    def shares(self, server: Numbers, use: Numbers) -> dict[str, float]:
        """Return the share of each resource that a single database server would need.

        The last one is the share of the time that each worker may spend on notifications.
        """
        return {
            "cores": self.cores / server["cores"],
            "reads": self.reads(server["memory_gb"]) / server["reads"],
            "disk": self.disk_gb / server["disk_gb"],
            "wal": self.wal_mb_per_second / server["wal_mb"],
            "notifications": self.notifying_commits / server["notifying_commits"],
            "connections": self.direct_connections / server["connections"],
            "listeners": self.notified_share / (use["notified"] / 100),
        }

    def nodes(self, server: Numbers, use: Numbers) -> int:
        """Return the number of database servers that have enough of the resources in OF_SERVERS."""
        shares = self.shares(server, use)
        nodes = math.ceil(max(shares[name] for name in OF_SERVERS))
        while self.reads(nodes * server["memory_gb"]) > nodes * server["reads"]:
            nodes += 1
        return nodes


def capacity_of(users: float, of: Measured, use: Numbers) -> Capacity:
    """Return what a number of users needs, by the costs of a measurement."""
    load = load_of(users, use)
    busy = use["busy"] / 100
    notifying = load.peak["refresh"]
    notified = notifying * of["notification_ms"] / 1000
    base = sum(load.peak[name] * of[f"service_ms.{name}"] for name in OPERATIONS) / 1000
    # Each worker receives every notification of its deployment.
    deployments = max(1, math.ceil(notified / (use["notified"] / 100)))
    workers = math.ceil(base / (busy - notified / deployments))
    sessions = stored_sessions(load, use)
    disk, often_read = space_of(users, sessions, of, use)
    wal_per_day, wal_per_second = wal_of(load, often_read * 1e9 / PAGE_BYTES, of, use)
    cores = of_peak(load, of, "database_ms", DATABASE_COST) / 1000 / busy
    pooled = workers * LISTENING_CONNECTIONS + math.ceil(cores) * use["pooled_per_core"]
    return Capacity(
        load=load,
        deployments=deployments,
        workers=workers,
        service_gb=workers * use["worker_mb"] / 1000,
        notified_share=notified,
        cores=cores,
        disk_gb=disk,
        often_read_gb=often_read,
        cold_reads=of_peak(load, of, "cold_pages", READ_LIKE),
        wal_gb_per_day=wal_per_day / 1e9,
        wal_mb_per_second=wal_per_second / 1e6,
        notifying_commits=notifying,
        direct_connections=workers * (use["pool_size"] + LISTENING_CONNECTIONS),
        pooled_connections=pooled,
        retention_hours=users / 1e6 * of["retention_seconds"] / 3600,
    )


def of_peak(load: Load, of: Measured, cost: str, like: Mapping[str, str]) -> float:
    """Return a cost in the busiest second. `like` is the measured operation of each load."""
    return sum(load.peak[name] * of[f"{cost}.{measured}"] for name, measured in like.items())


def stored_sessions(load: Load, use: Numbers) -> float:
    """Return the sessions that are stored until retention deletes them."""
    return (load.daily["login"] + load.daily["new_login"]) * use["session_days"]


def space_of(users: float, sessions: float, of: Measured, use: Numbers) -> tuple[float, float]:
    """Return the gigabytes on disk, and those that requests read often.

    All indexes are read at random places, and so are users. Of the sessions, only those that have
    not expired are read.
    """
    growth = use["index_growth"]
    indexes = users * of["user_index_bytes"] + sessions * of["session_index_bytes"]
    of_users = users * of["user_table_bytes"]
    of_sessions = sessions * of["session_table_bytes"]
    disk = indexes * growth + of_users + of_sessions
    unexpired = use["unexpired_days"] / use["session_days"]
    return disk / 1e9, (indexes * growth + of_users + of_sessions * unexpired) / 1e9


def wal_of(load: Load, pages: float, of: Measured, use: Numbers) -> tuple[float, float]:
    """Return the bytes of the write-ahead log per day, and per second in the busiest second.

    The first change of a page after a checkpoint writes the full page, later ones only a record.
    """
    records = {name: of[f"wal_records_kb.{like}"] * 1000 for name, like in WRITTEN_LIKE.items()}
    touches = {name: touched_pages(like, of) for name, like in WRITTEN_LIKE.items()}

    def written(rates: Numbers) -> float:
        between = use["checkpoint_minutes"] * 60
        touched = sum(rates[name] * touches[name] for name in touches)
        full = distinct_pages(touched * between, pages) / between * PAGE_BYTES
        return full + sum(rates[name] * records[name] for name in records)

    average = {name: number / DAY for name, number in load.daily.items()}
    return written(average) * DAY, written(load.peak)


def touched_pages(operation: str, of: Measured) -> float:
    """Return the random pages that a request of an operation changes."""
    full = of[f"wal_pages_kb.{operation}"] * 1000 / PAGE_BYTES
    return random_pages(full, of.requests(operation), of.pages) if full else 0.0


def predicted(of: Measured, at: Measured) -> dict[str, float]:
    """Return the numbers at another size, predicted from those at the size `of`.

    The CPU time of a request does not depend on the number of users. Neither does the space of a
    row. Full pages and cold reads depend on the number of pages.
    """
    users, sessions = at.users, at.users * at["sessions_per_user"]
    numbers = {
        "database_gb": (users * of.bytes_of_user + sessions * of.bytes_of_session) / 1e9,
        "bytes_of_user": of.bytes_of_user,
        "bytes_of_session": of.bytes_of_session,
    }
    pages = numbers["database_gb"] * 1e9 / PAGE_BYTES
    for name in OPERATIONS:
        numbers[f"service_ms.{name}"] = of[f"service_ms.{name}"]
        numbers[f"database_ms.{name}"] = of[f"database_ms.{name}"]
    for name in ("login", "new_login", "refresh"):
        requests = at.requests(name)
        full = distinct_pages(touched_pages(name, of) * requests, pages) / requests
        numbers[f"wal_kb.{name}"] = of[f"wal_records_kb.{name}"] + full * PAGE_BYTES / 1000
    for name in ("login", "uncached_check"):
        cold = of.requests(f"{name}.cold")
        reads = random_pages(of[f"cold_pages.{name}"], cold, of.pages)
        requests = at.requests(f"{name}.cold")
        numbers[f"cold_pages.{name}"] = distinct_pages(reads * requests, pages) / requests
    return numbers


def observed(at: Measured) -> dict[str, float]:
    """Return the measured numbers with the names of `predicted`."""
    wal = {
        f"wal_kb.{name}": at[f"wal_records_kb.{name}"] + at[f"wal_pages_kb.{name}"]
        for name in ("login", "new_login", "refresh")
    }
    own = {"bytes_of_user": at.bytes_of_user, "bytes_of_session": at.bytes_of_session}
    return {**at.numbers, **wal, **own}
