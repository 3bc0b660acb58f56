"""Alembic environment. One process migrates at a time, and waits at most 10 s for a table lock."""

from alembic import context
from flask import current_app
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

ADVISORY_LOCK = 0x77787061737301  # "wxpass", 1
LOCK_TIMEOUT = "10s"

db = current_app.extensions["migrate"].db


def run() -> None:
    """Run the missing migrations in one transaction, under an advisory lock."""
    with connect() as connection, connection.begin():
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.connection.driver_connection.wait_seconds = None
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        context.configure(connection, target_metadata=db.metadata, compare_server_default=True)
        context.run_migrations()


def connect() -> Connection:
    """Return a connection. Exit with a message if the database is unreachable."""
    try:
        return db.engine.connect()
    except OperationalError as error:
        url = db.engine.url.render_as_string(hide_password=True)
        raise SystemExit(
            f"DATABASE_URL: cannot reach {url} / 无法连接数据库\n{error.orig}"
        ) from None


if context.is_offline_mode():
    raise SystemExit("Migrations need a database: they are not written out as SQL.")
run()
