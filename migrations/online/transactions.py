"""The transactions of a revision, and messages for the operator."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from alembic import op
from sqlalchemy import Connection


class MigrationStopped(Exception):
    """A migration cannot continue. The message is for the operator."""


def say(message: str) -> None:
    """Print a message for the operator."""
    click.echo(message, err=True)


def is_new_database() -> bool:
    """Return whether the database had no tables when the migration began.

    No process uses such a database, so nothing waits for locks or for the building of indexes.
    """
    return bool(op.get_context().opts.get("new_database"))


def commit() -> None:
    """Commit what the revision has done so far, and begin a new transaction.

    Does nothing in a new database, and if the caller of the revision controls the transaction.
    """
    if is_new_database():
        return
    with outside_transaction():
        pass


@contextmanager
def outside_transaction() -> Iterator[Connection]:
    """Commit what the revision has done so far, and run each statement of the block on its own."""
    context = op.get_context()
    if context._in_external_transaction:
        yield op.get_bind()
        return
    with context.autocommit_block():
        yield op.get_bind()
