"""Schema changes that do not deadlock with requests (docs/decisions/0028).

`lock_tables` locks the tables that the rest of a transaction changes. `add_check` and
`add_foreign_key` add constraints that are validated after the revision.

The other functions commit what the revision has done so far and can be interrupted at any time.
The next `db upgrade` runs the revision from its beginning. So a revision calls them first, and
changes before them must be repeatable, for example `op.add_column(…, if_not_exists=True)`.
"""

from migrations.online.batches import copy_in_batches, delete_in_batches, update_in_batches
from migrations.online.constraints import add_check, add_foreign_key, add_unique, set_not_null
from migrations.online.indexes import create_index, drop_index
from migrations.online.keys import drop_unique, replace_primary_key
from migrations.online.locks import lock_tables
from migrations.online.transactions import commit

__all__ = [
    "add_check",
    "add_foreign_key",
    "add_unique",
    "commit",
    "copy_in_batches",
    "create_index",
    "delete_in_batches",
    "drop_index",
    "drop_unique",
    "lock_tables",
    "replace_primary_key",
    "set_not_null",
    "update_in_batches",
]
