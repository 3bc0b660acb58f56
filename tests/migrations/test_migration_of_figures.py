"""Migration of statistics, last logins and session limits."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time, timedelta

import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade

from app.extensions import db
from app.services.apps.apps import get_app
from app.services.metrics.counts import SHANGHAI, today
from app.settings import MIGRATIONS
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    enter_user,
)

pytestmark = pytest.mark.real_commits

REVISION = "0018"


@contextmanager
def before_the_upgrade(app: Flask) -> Iterator[None]:
    """Downgrade before the revision, run the block, and upgrade again."""
    before = ScriptDirectory(MIGRATIONS).get_revision(REVISION).down_revision
    with app.app_context():
        db.engine.dispose()
        downgrade(revision=before)
        try:
            yield
        finally:
            upgrade()


def test_new_visitors_before_the_upgrade_are_counted_by_their_identities(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    """The migration counts each stored identity as a newcomer on the day of its first login.

    An identity that was ever bound to a user is also counted as a new user. Identities that are
    more than 400 days old are not counted.
    """
    day = today() - timedelta(days=30)
    last_second = datetime.combine(day, time(23, 59, 59), SHANGHAI)
    client.post("unbind", client.bind(alice)["token"])
    client.bind(bob)
    client.log_in(Person(alice.wechat, "carol", "13800138003"))
    client.log_in(alice, ACME_CLUB)
    client.log_in(alice, GLOBEX_LIFE)
    with before_the_upgrade(app):
        rows("DELETE FROM daily_counts")
        rows("UPDATE social_accounts SET created_at = :moment", moment=last_second)
        rows(
            "UPDATE social_accounts SET created_at = now() - interval '401 days'"
            " WHERE appid = :appid",
            appid=GLOBEX_LIFE.appid,
        )
        rows(
            "INSERT INTO daily_counts (tenant_id, day, appid, opened)"
            " SELECT tenant_id, :day, appid, 7 FROM wechat_apps WHERE appid = :appid",
            day=day,
            appid=ACME_SHOP.appid,
        )
    counted = "SELECT appid, day, opened, newcomers, became_users FROM daily_counts ORDER BY appid"
    assert rows(counted) == [(ACME_SHOP.appid, day, 7, 3, 2), (ACME_CLUB.appid, day, 0, 1, 1)]


def test_users_without_a_last_login_get_the_time_of_their_newest_session(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    """Users without a session keep none, and an existing last login is kept."""
    never = enter_user(app, account="carol")
    alice_id, bob_id = (client.bind(person)["user"]["id"] for person in (alice, bob))
    client.bind(alice)
    with before_the_upgrade(app):
        rows("UPDATE users SET last_login_at = NULL WHERE id = :id", id=alice_id)
        rows("UPDATE users SET last_login_at = '2026-01-01T00:00:00Z' WHERE id = :id", id=bob_id)
    newest = rows("SELECT max(created_at) FROM login_sessions WHERE user_id = :id", id=alice_id)[0][
        0
    ]
    found = {str(id_): moment for id_, moment in rows("SELECT id, last_login_at FROM users")}
    assert found == {
        never: None,
        alice_id: newest,
        bob_id: datetime(2026, 1, 1, tzinfo=newest.tzinfo),
    }


def test_an_app_without_a_limit_has_the_default_after_the_upgrade(app: Flask, rows: Reader) -> None:
    """A number is kept. After the upgrade, `off` disables the limit."""
    with before_the_upgrade(app):
        rows("UPDATE wechat_apps SET session_limit = 3 WHERE appid = :a", a=ACME_CLUB.appid)
    with app.app_context():
        assert get_app(ACME_CLUB.appid).session_limit == 3
        assert get_app(ACME_SHOP.appid).session_limit == 50
