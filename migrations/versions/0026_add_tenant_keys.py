"""Add keys and indexes that begin with `tenant_id`, beside the present ones.

With them, each statement of the service finds its rows within one tenant, as a database requires
that is distributed by tenant. `login_sessions.names_tenant` marks sessions whose tokens all name
their tenant. The next release drops the keys that these replace: the previous release, which may
still be running, needs them.
"""

import sqlalchemy as sa
from alembic import op

from migrations.online import add_unique, create_index, drop_index, lock_tables

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None
compatible_since = "0021"

# The table and the columns after `tenant_id`.
UNIQUE = (
    ("login_sessions", ("token_hash",)),
    ("login_sessions", ("refresh_family_hash",)),
    ("social_accounts", ("appid", "openid")),
    ("wechat_pushes", ("appid", "key_index")),
    ("wechat_pushes", ("appid", "delivery_index")),
)
# The table, the columns after `tenant_id`, and the condition of a partial index.
INDEXES = (
    ("login_sessions", ("previous_token_hash",), "previous_token_hash IS NOT NULL"),
    ("users", ("erase_after",), "erase_after IS NOT NULL"),
    ("code_exchanges", ("asked_at",), None),
    ("people_imports", ("expires_at",), None),
    ("wechat_pushes", ("appid", "person_index"), None),
    ("wechat_pushes", ("event", "id"), "handled_at IS NULL"),
)


def upgrade() -> None:
    lock_tables("login_sessions")
    op.add_column(
        "login_sessions",
        sa.Column("names_tenant", sa.Boolean(), server_default="false", nullable=False),
        if_not_exists=True,
    )
    for table, columns in UNIQUE:
        add_unique(_name("uq", table, columns), table, ("tenant_id", *columns))
    for table, columns, condition in INDEXES:
        create_index(_name("ix", table, columns), table, ("tenant_id", *columns), where=condition)


def _name(kind: str, table: str, columns: tuple[str, ...]) -> str:
    return f"{kind}_{table}_tenant_id_{'_'.join(columns)}"


def downgrade() -> None:
    for table, columns, _ in INDEXES:
        drop_index(_name("ix", table, columns))
    for table, columns in UNIQUE:
        lock_tables(table)
        op.drop_constraint(_name("uq", table, columns), table)
    lock_tables("login_sessions")
    op.drop_column("login_sessions", "names_tenant")
