"""The faults, and their times in a run of an hour."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from config.development.children import RunFailed
from tests.soak.load import SoakLoad
from tests.soak.place import Place, new_key

SLOW_SECONDS = 3.0


@dataclass(frozen=True)
class Fault:
    """A fault. `inject` returns when the cause is removed. `replaces` means new processes."""

    name: str
    inject: Callable[[Place, SoakLoad], None]
    replaces: bool = False


def kill_worker(place: Place, _: SoakLoad) -> None:
    """Kill a worker. Its master starts another one."""
    os.kill(random.choice(place.service.workers), signal.SIGKILL)


def restart_database_fast(place: Place, _: SoakLoad) -> None:
    """Restart PostgreSQL, which ends all connections."""
    place.database.restart("fast")


def restart_database_immediately(place: Place, _: SoakLoad) -> None:
    """Restart PostgreSQL without a checkpoint, as after a crash."""
    place.database.restart("immediate")


def slow_wechat(place: Place, load: SoakLoad) -> None:
    """Delay the responses of WeChat."""
    _disturb_wechat(place, load, "slow")


def unavailable_wechat(place: Place, load: SoakLoad) -> None:
    """Let WeChat answer each call with status 500."""
    _disturb_wechat(place, load, "http_500")


def _disturb_wechat(place: Place, load: SoakLoad, kind: str) -> None:
    load.control("POST", "faults", kind=kind, seconds=SLOW_SECONDS)
    time.sleep(place.disturbed_seconds)
    load.control("DELETE", "faults")


def upgrade(place: Place, _: SoakLoad) -> None:
    """Migrate while the previous release serves, then move the requests to this release."""
    place.release.flask(place.environ, "db", "upgrade")
    place.replace_service(place.release)


def reload(place: Place, _: SoakLoad) -> None:
    """Replace the processes with `make reload`."""
    place.service.reload()


def hang_up(place: Place, _: SoakLoad) -> None:
    """Replace the processes with SIGHUP."""
    place.service.hang_up()


def rotate_keys(place: Place, _: SoakLoad) -> None:
    """Rotate WXPASS_KEYS in the documented steps: append, move to the front, re-encrypt.

    The key that the rotation before has made old is removed.
    """
    current = place.keys[0]
    name = current.partition(":")[0]
    new = new_key(f"{name.rstrip('0123456789')}{int(time.time())}")
    for keys in ([current, new], [new, current]):
        place.keys = keys
        place.environ["WXPASS_KEYS"] = ",".join(keys)
        place.replace_service(place.service.release)
    place.command("keys", "rotate")
    if any(line.startswith(f"{name}\t") for line in _rows_with_old_keys(place)):
        raise RunFailed("keys check lists the old key after keys rotate")


def _rows_with_old_keys(place: Place) -> list[str]:
    lines = place.command("keys", "check").splitlines()
    return [line for line in lines if "not needed" not in line]


def encrypt_again(place: Place, _: SoakLoad) -> None:
    """Run `keys rotate` while no key is old."""
    place.command("keys", "rotate")


def rotate_signing_key(place: Place, _: SoakLoad) -> None:
    """Create the next key for JWTs."""
    place.command("jwt-keys", "rotate")


def run_retention(place: Place, _: SoakLoad) -> None:
    """Erase what is too old."""
    place.command("retention", "run")


KILL = Fault("worker killed (SIGKILL)", kill_worker, replaces=True)
FAST = Fault("PostgreSQL restarted (fast)", restart_database_fast)
IMMEDIATE = Fault("PostgreSQL restarted (immediate)", restart_database_immediately)
SLOW = Fault(f"WeChat slow ({SLOW_SECONDS:.0f} s per call)", slow_wechat)
UNAVAILABLE = Fault("WeChat unavailable (HTTP 500)", unavailable_wechat)
UPGRADE = Fault("upgrade from the previous release", upgrade, replaces=True)
RELOAD = Fault("`make reload`", reload, replaces=True)
HANG_UP = Fault("SIGHUP", hang_up, replaces=True)
KEYS = Fault("WXPASS_KEYS rotated, `keys rotate`", rotate_keys, replaces=True)
AGAIN = Fault("`keys rotate` without an old key", encrypt_again)
JWT = Fault("`jwt-keys rotate`", rotate_signing_key)
RETENTION = Fault("`retention run`", run_retention)

HOUR = 60.0
# The minutes of a run of an hour. From minute 23 to 56, the faults replace no process, so that
# growth of the memory is visible.
PLAN = (
    (1.0, SLOW),
    (2.5, UPGRADE),
    (4.5, KILL),
    (5.5, FAST),
    (6.5, RELOAD),
    (8.0, UNAVAILABLE),
    (9.5, KEYS),
    (12.0, IMMEDIATE),
    (13.0, HANG_UP),
    (14.5, KILL),
    (15.5, JWT),
    (16.0, RETENTION),
    (17.0, SLOW),
    (18.5, FAST),
    (19.5, RELOAD),
    (20.7, KEYS),
    (25.0, SLOW),
    (27.0, FAST),
    (29.0, RETENTION),
    (35.0, JWT),
    (36.0, UNAVAILABLE),
    (38.5, IMMEDIATE),
    (40.5, AGAIN),
    (42.0, SLOW),
    (44.0, FAST),
    (46.0, RETENTION),
    (48.0, UNAVAILABLE),
    (50.0, IMMEDIATE),
    (52.0, AGAIN),
    (56.3, KILL),
    (57.0, HANG_UP),
    (58.3, KILL),
)
# One after the other, to test the tool itself.
SHORT = (UPGRADE, KILL, FAST, KEYS, IMMEDIATE, SLOW, JWT, RETENTION, RELOAD, HANG_UP, UNAVAILABLE)


def plan_of(minutes: float) -> list[tuple[float, Fault]]:
    """Return the seconds and the faults of a run."""
    return [(moment * 60 * minutes / HOUR, fault) for moment, fault in PLAN]
