"""Migration 0020: dropped and rebuilt indexes."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from flask import Flask
from flask_migrate import downgrade, upgrade

from app.extensions import db
from tests.fixtures.personas import Reader
from tests.fixtures.waiting import until_waiting_for_a_lock

pytestmark = pytest.mark.real_commits


def test_the_upgrade_does_not_deadlock_with_a_login(app: Flask, rows: Reader) -> None:
    """A login locks an account for reading before it writes. The index waits for its end."""

    def upgrade_in_thread() -> None:
        with app.app_context():
            upgrade()

    url = app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    with app.app_context():
        db.engine.dispose()
        downgrade(revision="0019")
    try:
        with psycopg.connect(url) as login:
            login.execute("SELECT FROM social_accounts FOR UPDATE")
            with ThreadPoolExecutor() as pool:
                upgrading = pool.submit(upgrade_in_thread)
                until_waiting_for_a_lock(rows)
                login.execute("UPDATE social_accounts SET unionid = unionid")
                login.commit()
                upgrading.result()
    finally:
        upgrade_in_thread()
