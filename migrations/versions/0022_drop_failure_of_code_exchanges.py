"""Drop `code_exchanges.failure`, which no release since 0.2.0 reads or writes."""

import sqlalchemy as sa
from alembic import op

from migrations.online import lock_tables

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None
compatible_since = "0021"


def upgrade() -> None:
    lock_tables("code_exchanges")
    op.drop_column("code_exchanges", "failure")


def downgrade() -> None:
    lock_tables("code_exchanges")
    op.add_column("code_exchanges", sa.Column("failure", sa.String()))
