"""Migrations while people log in."""

import pytest

from app.services.encryption.readiness import newest_migration
from app.settings import MIGRATIONS
from migrations.online import lock_tables
from tests.fixtures.login_traffic import login_traffic
from tests.fixtures.migrated import MigratedDatabase
from tests.fixtures.waiting import until


def test_no_login_fails_or_deadlocks_while_the_database_is_migrated(
    empty: MigratedDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """The logins use the statements of the service, from the schema of 0012 on.

    At the end, several tables of logins are locked against reads too.
    """
    empty.upgrade("0012")
    with login_traffic(empty) as traffic:
        until(lambda: traffic.logins > 50 or traffic.errors)
        before = traffic.logins
        empty.upgrade()
        during = traffic.logins - before
        with empty.revising():
            lock_tables("users", "social_accounts", "phones", "login_sessions", "wechat_apps")
        until(lambda: traffic.logins > before + during + 50 or traffic.errors)
    assert traffic.errors == []
    assert during > 50
    assert empty.revision() == newest_migration(MIGRATIONS)
