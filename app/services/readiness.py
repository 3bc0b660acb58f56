"""Whether the service can do its work."""

from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from app.errors import DatabaseUnavailable, MigrationsMissing
from app.services.transactions import transaction


def newest_migration() -> str | None:
    """Read from the migrations folder which revision this code was written for."""
    return ScriptDirectory(current_app.extensions["migrate"].directory).get_current_head()


def check_readiness() -> None:
    """Raise DatabaseUnavailable or MigrationsMissing."""
    try:
        with transaction() as db:
            applied = db.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        raise MigrationsMissing("none is applied") from None
    except SQLAlchemyError as error:
        raise DatabaseUnavailable(type(error).__name__) from None
    if applied != newest_migration():
        raise MigrationsMissing(f"{applied} is applied")
