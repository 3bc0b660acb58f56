"""`flask db distribute` without Citus. tests/citus tests it with a cluster."""

import pytest
from flask import Flask


@pytest.mark.real_commits
def test_database_without_citus_is_refused_with_an_explanation(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["db", "distribute", "--dry-run"])
    assert result.exit_code == 1
    assert "lacks the Citus extension" in result.output
    assert "CREATE EXTENSION citus" in result.output
