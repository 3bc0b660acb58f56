"""Effect of one tenant's overload on other tenants: `make bench-isolation`."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median

import psycopg
import requests

from app import create_app
from app.services.users.users import add_user
from config import load_config
from tests.bench.command import run
from tests.bench.costs import resident_megabytes, wait_until_idle
from tests.bench.data.people import App, sample
from tests.bench.data.rows import KNOWN, VERIFY, Bench, Row
from tests.bench.data.tables import save
from tests.bench.data.world import WORKERS, Service, World, world
from tests.bench.load import driving
from tests.bench.load.flood import Flood
from tests.bench.load.targets import Target, at_most, targets_table
from tests.bench.machine import machine
from tests.fixtures.operators import PASSWORD, add_operator
from tests.fixtures.passwords import GOOD_PASSWORD

# WeChat does not respond to the logins of this app.
HANGING = App(0)
CONNECTIONS = 16
ROUNDS = 3
GUESSERS, WAITING = 800, 2_000
# Seconds after which a client repeats a failed login.
PAUSE = 5.0
SIGN_INS = 21
OPERATOR = "bench@wxpass.example"


def login_path(app: App, what: str = "login") -> str:
    """Return the path of a login endpoint of an app."""
    return f"/v1/apps/{app.appid}/{what}"


def measure_isolation(bench: Bench, seconds: int) -> Iterator[Target]:
    """Measure and yield every target. `seconds` is the duration of a run."""
    made = bench.world
    guesses = Flood(
        GUESSERS, login_path(App(2), "password-login"), '{"account":"a@","password":"wrong @"}', 1.0
    )
    logins = Flood(WAITING, login_path(HANGING), '{"code":"n.@"}', PAUSE)
    add_people(made)
    with made.serving() as service:
        requests.get(f"{made.environ['WECHAT_API_BASE_URL']}/hang/{HANGING.appid}", timeout=5)
        yield from hanging_targets(bench, service, logins, seconds)
        yield from password_targets(made, service, guesses)
        yield code_target(made, service)


def add_people(made: World) -> None:
    """Add an operator, and a user with a password in the tenant with the password guesses."""
    app = create_app(load_config(made.environ))
    add_operator(app, OPERATOR, "platform")
    with app.app_context():
        add_user(slug_of(made), "known", GOOD_PASSWORD, None)


def slug_of(made: World) -> str:
    """Return the slug of the tenant with the password guesses."""
    with psycopg.connect(made.database_url) as connection:
        wanted = "SELECT slug FROM tenants WHERE id = %s"
        [(slug,)] = connection.execute(wanted, (App(2).tenant_id,)).fetchall()
    return str(slug)


def hanging_targets(bench: Bench, service: Service, flood: Flood, seconds: int) -> Iterator[Target]:
    """Compare logins of other apps and token verifications with and without the flood.

    Also measure the memory of the workers after the flood.
    """
    for row in (KNOWN, VERIFY):
        bench.warm_up(service, row)
    idle = max(resident_megabytes(service.pid))
    alone: dict[Row, list[float]] = {KNOWN: [], VERIFY: []}
    flooded: dict[Row, list[float]] = {KNOWN: [], VERIFY: []}
    for _ in range(ROUNDS):
        # Wait until the calls to WeChat of the previous round time out and their connections close.
        time.sleep(PAUSE)
        wait_until_idle(service.pid)
        for row in alone:
            alone[row].append(p99_of(bench, service, row, seconds))
        with flood.running(bench.world, service):
            time.sleep(3)
            for row in flooded:
                flooded[row].append(p99_of(bench, service, row, seconds))
    for row, bound in ((KNOWN, 2.0), (VERIFY, 1.5)):
        before, after = median(alone[row]), median(flooded[row])
        name = f"{row.name}, p99 with {flood.clients} requests of a hanging app / alone"
        yield at_most(f"{name} ({after:.1f} ms / {before:.1f} ms)", after / before, bound)
    used = max(resident_megabytes(service.pid))
    yield at_most(f"worker memory after that ({idle:.0f} MB before)", used, 150, "MB")


def p99_of(bench: Bench, service: Service, row: Row, seconds: int) -> float:
    """Return the 99th percentile of the latency of a run, in milliseconds. Exit on errors."""
    load = bench.prepare(row, seconds).drive(service, CONNECTIONS, seconds)
    if load.errors:
        sys.exit(f"{row.name}: {load.errors} errors")
    return load.p99


def password_targets(made: World, service: Service, flood: Flood) -> Iterator[Target]:
    """Measure operator sign-ins and password logins while other clients guess passwords."""
    known = {"account": "known", "password": GOOD_PASSWORD}
    operator = {"email": OPERATOR, "password": PASSWORD}
    user_url = service.url + login_path(App(2), "password-login")
    requests.post(user_url, json=known, timeout=30).raise_for_status()
    with flood.running(made, service):
        time.sleep(3)
        for name, send in (
            ("operator sign-in", lambda: post(f"{service.url}/v1/admin/sign-in", operator)),
            ("password login, known device", lambda: post(user_url, known)),
        ):
            took = [seconds_of(send) for _ in range(SIGN_INS)]
            yield at_most(f"{name}, median under {flood.clients} guessers", median(took), 1.0, "s")


def post(url: str, body: dict[str, str]) -> requests.Response:
    """Send a POST request with a JSON body."""
    return requests.post(url, json=body, timeout=30)


def seconds_of(send: Callable[[], requests.Response]) -> float:
    """Return the duration of a request in seconds. Raise HTTPError if the request fails."""
    began = time.perf_counter()
    send().raise_for_status()
    return time.perf_counter() - began


def code_target(made: World, service: Service) -> Target:
    """Count the WeChat calls caused by 20 logins with the same code, which WeChat rejects."""
    calls = f"{made.environ['WECHAT_API_BASE_URL']}/calls"
    before = int(requests.get(calls, timeout=5).text)
    for _ in range(20):
        post(service.url + login_path(App(4)), {"code": "x.rejected"})
    caused = int(requests.get(calls, timeout=5).text) - before
    return at_most("WeChat calls of a rejected code sent 20 times", caused, WORKERS)


def measure() -> None:
    """Run all measurements with a temporary database, and save the table of targets."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.isolation", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each run; 3 runs a row")
    options = parser.parse_args()
    driving.find_generator()
    with world(20_000) as made:
        people = [
            one for one in sample(20_000, 1_000) if App(one.app).tenant_id != HANGING.tenant_id
        ]
        targets = list(measure_isolation(Bench(made, people), options.seconds))
        text = f"# Isolation\n\n{machine()}. {driving.version()}.\n\n{targets_table(targets)}"
        save(text, made.folder / "isolation.md")


if __name__ == "__main__":
    sys.exit(run(measure))
