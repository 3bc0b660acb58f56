"""The whole cluster: its start, its state, and the database of the current primary."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import psycopg
import requests

from config.development.children import RunFailed
from config.development.postgres_user import find_server_user
from tests.bench.progress import say
from tests.ha import database, services
from tests.ha.processes import LOGS, Part, temporary_folder
from tests.ha.site import MEMBERS, PASSWORD, Ports, Site, render

START_SECONDS = 60
WHOLE_SECONDS = 90
POLL_SECONDS = 0.1
ASK_SECONDS = 2


@dataclass
class Cluster:
    """All parts by name. `environ` is the environment of commands."""

    site: Site
    environ: dict[str, str]
    parts: dict[str, Part] = field(default_factory=dict)

    def add(self, part: Part) -> None:
        """Add a part and start it."""
        self.parts[part.name] = part
        part.start()

    def wait_for_start(self, what: str, condition: Callable[[], object]) -> None:
        """Wait for a condition while all parts run. Raise RunFailed if one of them ends."""

        def holds() -> object:
            for part in self.parts.values():
                part.check_running()
            return condition()

        self.wait(what, holds, START_SECONDS)

    def wait(self, what: str, condition: Callable[[], object], seconds: float) -> None:
        """Wait for a condition. Raise RunFailed after `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise RunFailed(f"{what}: not within {seconds:.0f} s. Logs: {LOGS}")
            time.sleep(POLL_SECONDS)

    def wait_until_whole(self) -> None:
        """Wait until `is_whole`. Raise RunFailed if it takes too long."""
        self.wait("the whole cluster", self.is_whole, WHOLE_SECONDS)

    def members(self) -> list[dict[str, Any]]:
        """Return the members as the first Patroni that answers describes them."""
        for member in MEMBERS:
            answer = get(f"http://127.0.0.1:{self.site.ports.patroni[member]}/cluster")
            if answer is not None:
                members: list[dict[str, Any]] = answer.json().get("members", [])
                return members
        return []

    def find_primary(self) -> str | None:
        """Return the name of the machine with the primary, such as db1."""
        leaders = [
            member["name"]
            for member in self.members()
            if member["role"] == "leader" and member["state"] == "running"
        ]
        return leaders[0] if leaders else None

    def primary(self) -> str:
        """Return the name of the machine with the primary. Raise RunFailed if there is none."""
        name = self.find_primary()
        if name is None:
            raise RunFailed("the cluster has no primary")
        return name

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement on the primary as superuser."""
        port = self.site.ports.postgres[self.primary().removeprefix("db")]
        url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/wxpass"
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            return connection.execute(statement, values).fetchall()

    def is_whole(self) -> bool:
        """Return whether all parts work, and a synchronous standby and another one stream."""
        ports = self.site.ports
        urls = [f"http://127.0.0.1:{port}/health" for port in ports.etcd.values()]
        urls += [f"http://127.0.0.1:{port}/readyz" for port in (ports.direct, ports.pooled)]
        urls.append(f"http://127.0.0.1:{ports.nginx}/readyz")
        return self.is_replicated() and all(get(url) is not None for url in urls)

    def is_replicated(self) -> bool:
        """Return whether a primary runs, and both standbys stream, one of them synchronously."""
        members = self.members()
        roles = sorted(member["role"] for member in members)
        if roles != ["leader", "replica", "sync_standby"]:
            return False
        if any(member["state"] not in ("running", "streaming") for member in members):
            return False
        with suppress(psycopg.Error, RunFailed):
            states = self.query("SELECT state, sync_state FROM pg_stat_replication")
            return sorted(states) == [("streaming", "async"), ("streaming", "sync")]
        return False

    def patronictl(self, *arguments: str) -> None:
        """Run patronictl. Raise RunFailed if it fails."""
        command = database.patronictl(self.site, *arguments)
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, cwd="/"
        )
        if done.returncode:
            raise RunFailed(f"patronictl {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def get(url: str) -> requests.Response | None:
    """Return the response to a request, or None unless it is 200."""
    with suppress(requests.RequestException), requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, timeout=ASK_SECONDS)
        return answer if answer.status_code == HTTPStatus.OK else None
    return None


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start the cluster inside the block. Afterwards, all its processes have ended."""
    with temporary_folder() as folder:
        site = Site(folder, Ports(), find_server_user(folder / "none"))
        made = Cluster(site, {})
        _start_database(made)
        _start_services(made)
        yield made


def _start_database(made: Cluster) -> None:
    site, ports = made.site, made.site.ports
    say("Starting etcd, Patroni, HAProxy and PgBouncer")
    for member in MEMBERS:
        made.add(database.etcd(site, member))
    # Patroni 3.0 ends if it is started before the members of etcd have agreed on a version.
    made.wait_for_start("etcd", lambda: all(map(_has_version, ports.etcd.values())))
    for member in MEMBERS:
        made.add(database.links(site, member))
        made.add(database.patroni(site, member))
    made.add(database.haproxy(site))
    made.wait_for_start("PostgreSQL and its standbys", lambda: _is_initialised(made))
    made.add(database.pgbouncer(site))


def _has_version(port: int) -> bool:
    answer = get(f"http://127.0.0.1:{port}/version")
    return answer is not None and answer.json()["etcdcluster"] != "not_decided"


def _is_initialised(made: Cluster) -> bool:
    """Create the role and the database as soon as there is a primary. Return `is_replicated`."""
    primary = made.find_primary()
    if primary is None:
        return False
    port = made.site.ports.postgres[primary.removeprefix("db")]
    url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"
    with suppress(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'wxpass'")
        if known.fetchone() is None:
            for statement in render("wxpass.sql", {"CHANGE_ME": PASSWORD}).split(";\n")[:-1]:
                connection.execute(statement)
        return made.is_replicated()
    return False


def _start_services(made: Cluster) -> None:
    site = made.site
    say("Starting the WeChat simulator, two services and nginx")
    made.environ = services.settings(site)
    made.add(services.simulator(site, made.environ))
    demo = (sys.executable, "-m", "flask", "--app", "wsgi", "demo", "--migrate")
    site.own_part("migrations", made.environ, *demo).finish(START_SECONDS)
    for name, environ in (
        ("direct", services.direct_settings(site)),
        ("pooled", services.pooled_settings(site)),
    ):
        made.add(services.service(site, name, made.environ | environ))
    made.add(database.nginx(site))
    made.wait_for_start("the whole cluster", made.is_whole)
