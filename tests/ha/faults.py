"""The faults, and how long the service may be disturbed by each.

A fault is a function that yields a step before it does the step. The caller waits afterwards until
the cluster is whole again.
"""

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import yaml

from tests.ha.cluster import Cluster
from tests.ha.site import DEPLOY, MEMBERS

DCS = yaml.safe_load((DEPLOY / "patroni.yml").read_text())["bootstrap"]["dcs"]
TTL: int = DCS["ttl"]
LOOP_WAIT: int = DCS["loop_wait"]
# Seconds for everything after a new primary is chosen or a part is started: promotion, health
# checks of HAProxy, and new connections of PgBouncer and the service.
RECONNECT = 5
# The primary loses its lock `ttl` seconds after it has renewed it for the last time.
FAILOVER = TTL + RECONNECT
# Before a standby is promoted, it asks the other members, and waits so long for a frozen one.
ASK_SECONDS = 2
# Patroni executes a command in its next loop.
COMMAND = LOOP_WAIT + RECONNECT
PROMOTION_SECONDS = 60


@dataclass(frozen=True)
class Step:
    """A step of a fault. `bound` is the number of seconds until the last error."""

    name: str
    bound: float


Fault = Callable[[Cluster], Iterator[Step]]


def kill_primary(cluster: Cluster) -> Iterator[Step]:
    """Kill PostgreSQL and Patroni of the primary, as a power failure does."""
    primary = cluster.parts[cluster.primary()]
    yield Step("kill -9 of the primary (PostgreSQL and Patroni)", FAILOVER)
    primary.send_to_machine(signal.SIGKILL)
    wait_for_another_primary(cluster, primary.name)
    yield Step("start of the killed machine as standby", RECONNECT)
    primary.start()


def freeze_primary(cluster: Cluster) -> Iterator[Step]:
    """Stop the processes of the primary, as a paused virtual machine does, and continue them."""
    primary = cluster.parts[cluster.primary()]
    yield Step("freeze of the primary (PostgreSQL and Patroni)", FAILOVER + ASK_SECONDS)
    primary.send_to_machine(signal.SIGSTOP)
    wait_for_another_primary(cluster, primary.name)
    yield Step("the frozen primary continues", RECONNECT)
    primary.send_to_machine(signal.SIGCONT)


def isolate_primary(cluster: Cluster) -> Iterator[Step]:
    """Cut the primary off from etcd."""
    name = cluster.primary()
    links = cluster.parts[f"links{name.removeprefix('db')}"]
    yield Step("primary cut off from etcd", FAILOVER)
    links.send(signal.SIGSTOP)
    wait_for_another_primary(cluster, name)
    yield Step("the former primary reaches etcd again", RECONNECT)
    links.send(signal.SIGCONT)


def restart_etcd(cluster: Cluster) -> Iterator[Step]:
    """Restart each member of etcd."""
    for member in MEMBERS:
        yield Step(f"restart of etcd{member}", RECONNECT)
        restart(cluster, f"etcd{member}")
        cluster.wait_until_whole()


def restart_haproxy(cluster: Cluster) -> Iterator[Step]:
    """Restart HAProxy."""
    yield Step("restart of HAProxy", RECONNECT)
    restart(cluster, "haproxy")


def restart_pgbouncer(cluster: Cluster) -> Iterator[Step]:
    """Restart PgBouncer."""
    yield Step("restart of PgBouncer", RECONNECT)
    restart(cluster, "pgbouncer")


def restart_standbys(cluster: Cluster) -> Iterator[Step]:
    """Restart PostgreSQL and Patroni of each standby, the synchronous one first."""
    names = {one["role"]: one["name"] for one in cluster.members()}
    for role, text in (("sync_standby", "synchronous"), ("replica", "asynchronous")):
        yield Step(f"restart of the {text} standby (PostgreSQL and Patroni)", RECONNECT)
        restart(cluster, names[role])
        cluster.wait_until_whole()


def restart_primary(cluster: Cluster) -> Iterator[Step]:
    """Restart PostgreSQL on the primary."""
    name = cluster.primary()
    yield Step("`patronictl restart` of the primary", COMMAND)
    cluster.patronictl("restart", "wxpass", name, "--force")


def switch_over(cluster: Cluster) -> Iterator[Step]:
    """Make the synchronous standby the primary."""
    name = cluster.primary()
    yield Step("`patronictl switchover`", COMMAND)
    cluster.patronictl("switchover", "wxpass", "--force")
    wait_for_another_primary(cluster, name)


def reload_nginx(cluster: Cluster) -> Iterator[Step]:
    """Reload the configuration of nginx."""
    yield Step("reload of nginx", RECONNECT)
    cluster.parts["nginx"].send(signal.SIGHUP)


def restart_services(cluster: Cluster) -> Iterator[Step]:
    """Restart each gunicorn, which answers its running requests first."""
    for name in ("direct", "pooled"):
        yield Step(f"restart of the service ({name})", RECONNECT)
        restart(cluster, name)
        cluster.wait_until_whole()


def restart(cluster: Cluster, name: str) -> None:
    """Terminate a part and start it again."""
    cluster.parts[name].stop()
    cluster.parts[name].start()


def wait_for_another_primary(cluster: Cluster, former: str) -> None:
    """Wait until another machine than the former one is the primary."""
    cluster.wait(
        "promotion of a standby",
        lambda: cluster.find_primary() not in (None, former),
        PROMOTION_SECONDS,
    )


ALL: tuple[Fault, ...] = (
    kill_primary,
    restart_pgbouncer,
    restart_haproxy,
    freeze_primary,
    isolate_primary,
    restart_etcd,
    restart_standbys,
    restart_primary,
    switch_over,
    reload_nginx,
    restart_services,
)
SHORT = ALL[:4]
