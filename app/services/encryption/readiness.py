"""Whether the service can do its work."""

from functools import cache

from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from app.errors import DatabaseUnavailable, MigrationsMissing
from app.services.database.transactions import transaction
from app.services.encryption.key_proofs import check_keys_once


@cache
def newest_migration(directory: str) -> str | None:
    """Read from the migrations folder, once, which revision this code was written for."""
    return ScriptDirectory(directory).get_current_head()


def check_readiness() -> None:
    """Raise DatabaseUnavailable, MigrationsMissing, or what `check_keys` raises."""
    try:
        with transaction() as db:
            applied = db.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        raise MigrationsMissing("none is applied") from None
    except SQLAlchemyError as error:
        raise DatabaseUnavailable(type(error).__name__) from None
    if applied != newest_migration(current_app.extensions["migrate"].directory):
        raise MigrationsMissing(f"{applied} is applied")
    check_keys_once()
