"""The trigger that invalidates cached profiles compares every column that a profile shows."""

import re

from app.services.users.users import PROFILE_COLUMNS
from tests.fixtures.personas import Reader

# These never change.
FIXED = {"id", "tenant_id", "created_at"}


def test_a_change_of_any_profile_column_invalidates_the_cache(rows: Reader) -> None:
    [(definition,)] = rows(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger"
        " WHERE tgrelid = 'users'::regclass AND tgname = 'tell_of_update'"
    )
    compared = set(re.findall(r"new\.(\w+)", definition, re.IGNORECASE))
    assert set(PROFILE_COLUMNS) - FIXED <= compared
