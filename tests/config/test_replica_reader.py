"""DATABASE_REPLICA_URL is optional and has the format of DATABASE_URL."""

import pytest

from config import ConfigError
from config.database_readers import read_database_replica_url


@pytest.mark.parametrize("environ", [{}, {"DATABASE_REPLICA_URL": " "}, {"DATABASE_URL": "x"}])
def test_there_is_no_replica_if_the_variable_is_missing_or_empty(environ: dict[str, str]) -> None:
    assert read_database_replica_url(environ) is None


def test_url_is_returned_in_the_format_of_sqlalchemy() -> None:
    environ = {"DATABASE_REPLICA_URL": "postgres://standby/wxpass?sslmode=require"}
    expected = "postgresql+psycopg://standby/wxpass?sslmode=require"
    assert read_database_replica_url(environ) == expected


def test_error_names_only_the_variable_of_the_replica() -> None:
    with pytest.raises(ConfigError) as caught:
        read_database_replica_url({"DATABASE_REPLICA_URL": "mysql://standby/wxpass"})
    assert caught.value.name == "DATABASE_REPLICA_URL"
    assert "DATABASE_URL" not in str(caught.value)
    assert "export DATABASE_REPLICA_URL=postgresql://" in str(caught.value)
