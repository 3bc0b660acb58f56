"""The promise that the previous release runs on the schema of this one.

An upgrade migrates the database while processes of the previous release serve requests, starts
processes of this release beside them, and may stop the new processes again.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.upgrade.conftest import ROOT, Gunicorn, running
from tests.e2e.upgrade.previous_release import Release, unpack_previous_release
from tests.fixtures.load import Load, count_refused, under_load
from tests.fixtures.personas import WeChat
from tests.fixtures.servers.gunicorn import is_ready
from tests.fixtures.waiting import until


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return unpack_previous_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def migrating_environ(
    environ: dict[str, str], previous: Release, own_database: str
) -> dict[str, str]:
    """The settings of the service, with a database of the previous release."""
    settings = os.environ | environ | {"DATABASE_URL": own_database}
    previous.create_database(settings)
    return settings


@pytest.fixture
def previous_service(
    migrating_environ: dict[str, str], previous: Release, tmp_path: Path
) -> Iterator[Gunicorn]:
    folder = tmp_path / "previous"
    with running(migrating_environ, folder, previous.checkout, previous.python) as service:
        yield service


def test_previous_release_serves_during_and_after_the_upgrade_and_its_rollback(
    previous_service: Gunicorn,
    migrating_environ: dict[str, str],
    wechat: WeChat,
    tmp_path: Path,
) -> None:
    this_release = Release(ROOT, previous_service.python)
    with under_load(previous_service.url, wechat) as old:
        await_successes(old)
        this_release.flask(migrating_environ, "db", "upgrade")
        await_successes(old)
        assert is_ready(previous_service.url), "after the migration"

        with running(migrating_environ, tmp_path / "new") as new_service:
            with under_load(new_service.url, wechat) as new:
                await_successes(old)
                await_successes(new)
            assert count_refused(new_service.url, old.tokens[:50]) == 0
            assert count_refused(new_service.url, new.tokens) == 0
        await_successes(old)
        assert count_refused(previous_service.url, new.tokens) == 0, "after the rollback"

    assert old.failures == []
    assert new.failures == []
    assert count_refused(previous_service.url, old.tokens) == 0


def await_successes(load: Load) -> None:
    """Wait for further successful responses, or for a failure."""
    reached = len(load.success_times) + 200
    until(lambda: len(load.success_times) > reached or load.failures, 60)
