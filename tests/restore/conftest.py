"""A service with data, its backup, and the service on a new server with the restored database.

The tests run only with `make test-restore`, because they need Debian's PostgreSQL and pgBackRest.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import create_app
from app.extensions import db
from config import Config
from tests.fixtures.operators import add_operator
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import WeChat, add_tenants_and_apps, enter_user
from tests.fixtures.servers.debian_postgres import (
    OWNER,
    SERVICE,
    create_roles,
    limited,
    new_debian_server,
    upgrade,
    url_of,
)
from tests.fixtures.servers.gunicorn import is_ready, serving
from tests.fixtures.servers.replication import PostgresProcess, server_folder
from tests.fixtures.waiting import until
from tests.restore.phone import Phone
from tests.restore.scripts import back_up, restore
from tests.restore.story import OPERATOR_EMAIL, Story, continue_story, tell_story

# Set by `make test-restore`. Without it, the tests of this folder are not collected.
collect_ignore_glob = [] if os.environ.get("TEST_RESTORE") else ["test_*.py"]


@dataclass
class Restored:
    """The restored service and what happened on the original."""

    story: Story
    phone: Phone
    server: PostgresProcess
    backup: Path


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder for servers and backups."""
    with server_folder() as folder:
        yield folder


@contextmanager
def running_server(folder: Path, name: str) -> Iterator[PostgresProcess]:
    """Run a server with the roles and an empty database inside the block."""
    server = new_debian_server(folder, name)
    try:
        server.create_cluster()
        create_roles(server)
        yield server
    finally:
        server.remove()


@contextmanager
def running_service(
    config: Config, server: PostgresProcess, folder: Path, wechat: WeChat
) -> Iterator[Phone]:
    """Run gunicorn with the role of the service inside the block."""
    with serving(config, folder, DATABASE_URL=url_of(server, SERVICE)) as service:
        until(lambda: is_ready(service.url), 120)
        yield Phone(service.url, wechat)


@pytest.fixture(scope="session")
def backed_up(
    folder: Path, config: Config, wechat: WeChat, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Story, Path]:
    """What happened on a server before and after its backup, and the file of the backup."""
    backups = folder / "backups"
    backups.mkdir()
    with running_server(folder, "first") as server:
        assert upgrade(server, OWNER).returncode == 0
        _add_people(config, server)
        logs = tmp_path_factory.mktemp("first")
        with running_service(config, server, logs, wechat) as phone:
            story = tell_story(phone)
            done = back_up(server, backups)
            assert done.returncode == 0, done.stderr
            assert server("SELECT job FROM job_runs") == [("backup",)]
            continue_story(phone, story)
    return story, Path(done.stdout.strip())


def _add_people(config: Config, server: PostgresProcess) -> None:
    app = create_app(limited(config, server))
    add_tenants_and_apps(app)
    enter_user(app, account="milton", password=GOOD_PASSWORD)
    add_operator(app, OPERATOR_EMAIL, "tenant_admin", "acme")
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="session")
def restored(
    folder: Path,
    backed_up: tuple[Story, Path],
    config: Config,
    wechat: WeChat,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Restored]:
    """The service on a new server, with the restored database."""
    story, backup = backed_up
    with running_server(folder, "second") as server:
        done = restore(server, backup)
        assert done.returncode == 0, done.stdout + done.stderr
        with running_service(config, server, tmp_path_factory.mktemp("second"), wechat) as phone:
            yield Restored(story, phone, server, backup)
