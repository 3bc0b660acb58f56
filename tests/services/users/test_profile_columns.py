"""The trigger on `users` invalidates cached profiles."""

import re

from app.services.users.users import PROFILE_COLUMNS
from tests.fixtures.personas import Reader

# Columns that never change.
FIXED = {"id", "tenant_id", "created_at"}


def test_trigger_on_users_compares_every_column_that_a_profile_shows(rows: Reader) -> None:
    [(definition,)] = rows(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger"
        " WHERE tgrelid = 'users'::regclass AND tgname = 'tell_of_update'"
    )
    compared = set(re.findall(r"new\.(\w+)", definition, re.IGNORECASE))
    assert set(PROFILE_COLUMNS) - FIXED <= compared
