"""SQL round trips per request of each benchmark row, counted in separate runs."""

from tests.bench.costs import wait_until_idle
from tests.bench.data.rows import ROWS, Bench, Row
from tests.bench.data.world import Service
from tests.bench.progress import say
from tests.bench.trips import Trips, counting_trips

SECONDS = 2


def count_trips(bench: Bench) -> dict[Row, float]:
    """Return the number of SQL round trips per request for each benchmark row.

    Starts a separate gunicorn, because the proxy that counts round trips slows requests down.
    """
    say("Counting SQL round trips")
    with (
        counting_trips(bench.world.database_url) as trips,
        bench.world.serving(workers=1, database_url=trips.url) as service,
    ):
        return {row: trips_of(bench, service, trips, row) for row in ROWS}


def trips_of(bench: Bench, service: Service, trips: Trips, row: Row) -> float:
    """Return the number of SQL round trips per request of a row. Exit if a request fails."""
    bench.warm_up(service, row)
    wait_until_idle(service.pid)
    feed = bench.prepare(row, SECONDS)
    before = trips.count
    load = feed.drive(service, 1, SECONDS)
    if load.errors:
        raise SystemExit(f"{row.name}: errors while counting round trips")
    # The last request is often unfinished when the time is over.
    return round((trips.count - before) / max(load.requests, 1), 1)
