"""Read DATABASE_REPLICA_URL, which has the format of DATABASE_URL."""

from collections.abc import Mapping

from config.readers import ConfigError, read_database_url, read_text


def read_database_replica_url(environ: Mapping[str, str]) -> str | None:
    """Read DATABASE_REPLICA_URL in SQLAlchemy's format for psycopg 3. The default is None."""
    url = read_text(environ, "DATABASE_REPLICA_URL")
    if not url:
        return None
    try:
        return read_database_url({"DATABASE_URL": url})
    except ConfigError as error:
        why = error.why.replace("DATABASE_URL", "DATABASE_REPLICA_URL")
        raise ConfigError("DATABASE_REPLICA_URL", why) from None
