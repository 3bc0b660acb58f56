"""Create `schema_compatibility`, the oldest release that can run on the present schema.

Each migration from this one on has a `compatible_since`, which `migrations/env.py` writes to the
table.
"""

import sqlalchemy as sa
from alembic import op

from migrations.online import lock_tables

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None
compatible_since = "0021"


def upgrade() -> None:
    op.create_table(
        "schema_compatibility",
        sa.Column("only_row", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("compatible_since", sa.String(), nullable=False),
        sa.CheckConstraint("only_row", name=op.f("ck_schema_compatibility_only_row")),
        sa.PrimaryKeyConstraint("only_row", name=op.f("pk_schema_compatibility")),
    )


def downgrade() -> None:
    lock_tables("schema_compatibility")
    op.drop_table("schema_compatibility")
