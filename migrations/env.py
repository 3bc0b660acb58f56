"""Run migrations: one process at a time, and never waiting long for a busy table."""

from alembic import context
from flask import current_app
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

ADVISORY_LOCK = 0x77787061737301  # "wxpass", 1
LOCK_TIMEOUT = "10s"

db = current_app.extensions["migrate"].db


def run() -> None:
    """Apply what is missing in one transaction, under an advisory lock."""
    with reach() as connection, connection.begin():
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.connection.driver_connection.wait_seconds = None
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        context.configure(connection, target_metadata=db.metadata, compare_server_default=True)
        context.run_migrations()


def reach() -> Connection:
    """Connect, or say in words that it cannot be done."""
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
