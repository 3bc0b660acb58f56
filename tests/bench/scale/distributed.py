"""The CPU time that a database distributed with Citus takes, by measured factors."""

from collections.abc import Mapping

from tests.bench.scale.model import DATABASE_COST, OPERATIONS, Capacity, Measured, Numbers

# Which measured factor an operation has. A cached check uses the database only for the last use of
# its session, which is written like a refresh.
FACTOR_OF = {
    "uncached_check": "uncached_check",
    "refresh": "refresh",
    "login": "login",
    "new_login": "new_login",
    "last_use": "refresh",
}
# The factors by part: service, coordinator and workers.
Factors = Mapping[str, Numbers]


def distributed_cores(
    capacity: Capacity, of: Measured, use: Numbers, factors: Factors
) -> dict[str, float]:
    """Return the cores of the service, of the coordinators and of the workers of Citus.

    A factor of the service multiplies its CPU time for a request. One of the coordinator or of the
    workers multiplies the CPU time of a single PostgreSQL.
    """
    peak, busy = capacity.load.peak, use["busy"] / 100
    base = {name: peak[name] * of[f"service_ms.{name}"] for name in OPERATIONS}
    service = {
        name: ms * (factors["service"][FACTOR_OF[name]] if name != "check" else 1)
        for name, ms in base.items()
    }
    cores = {"service": capacity.workers * sum(service.values()) / sum(base.values())}
    for part in ("coordinator", "workers"):
        spent = sum(
            peak[name] * of[f"database_ms.{DATABASE_COST[name]}"] * factors[part][factor]
            for name, factor in FACTOR_OF.items()
        )
        cores[part] = spent / 1000 / busy
    return cores
