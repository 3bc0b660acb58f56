"""Running the checks: each with a deadline, and none stopped by the failure of another."""

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Event, Thread

import psycopg
from flask import Flask
from sqlalchemy.exc import DBAPIError

from app.doctor.findings import Check, Deployment, Finding, Text, of_failure, warning
from app.errors import Failure


@dataclass(frozen=True, slots=True)
class Group:
    """Checks under one title. They need a valid configuration, and some need the database."""

    title: Text
    checks: tuple[Check, ...]
    needs_config: bool = True
    needs_database: bool = False
    seconds: float = 20.0


def run_group(app: Flask, group: Group, deployment: Deployment) -> list[Finding]:
    """Run the checks of a group one after the other."""
    return [
        finding
        for check in group.checks
        for finding in run_check(app, check, deployment, group.seconds)
    ]


def run_check(app: Flask, check: Check, deployment: Deployment, seconds: float) -> list[Finding]:
    """Return the findings of a check. A check that fails or takes too long is a finding too."""
    found: list[Finding] = []
    done = Event()

    def run() -> None:
        try:
            with app.app_context():
                found.extend(_findings(check, deployment))
        finally:
            done.set()

    # The process does not wait for the thread of a check that takes too long.
    Thread(target=run, daemon=True).start()
    if done.wait(seconds):
        return found
    return [*found, _too_slow(check, seconds)]


def _findings(check: Check, deployment: Deployment) -> Iterable[Finding]:
    try:
        yield from check(deployment)
    except Failure as failure:
        yield of_failure(failure)
    except Exception as error:
        yield _broken(check, error)


def _too_slow(check: Check, seconds: float) -> Finding:
    name = _name_of(check)
    return warning(
        "check_timed_out",
        (
            f"The check “{name}” did not end within {seconds:g} seconds.",
            f"检查“{name}”在 {seconds:g} 秒内未完成。",
        ),
        (
            "Run the command again. If it repeats, the database or the network is slow.",
            "请重新运行；若反复出现，说明数据库或网络过慢。",
        ),
    )


def _broken(check: Check, failed: Exception) -> Finding:
    """Return the finding for a check that has raised an exception."""
    name, reason = _name_of(check), reason_of(failed)
    return warning(
        "check_failed",
        (f"The check “{name}” could not run: {reason}", f"检查“{name}”无法执行：{reason}"),
        ("Correct the other findings, then run it again.", "请先处理其他问题，然后重新运行。"),
    )


def _name_of(check: Check) -> str:
    return check.__name__.removeprefix("check_").replace("_", " ")


def reason_of(failed: Exception) -> str:
    """Return the cause of an error, without values that may be secret.

    The messages of libpq and PostgreSQL about the statements of the checks hold none.
    """
    origin = failed.orig if isinstance(failed, DBAPIError) else failed
    if isinstance(origin, psycopg.Error):
        return str(origin).strip().partition("\n")[0]
    return type(failed).__name__
