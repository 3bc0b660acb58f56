"""Record in sessions the verified phone number and whether they were ever bound.

Adds `login_sessions.verified_number_index` and `login_sessions.was_bound`.
"""

import sqlalchemy as sa
from alembic import op

from migrations.online import lock_tables, update_in_batches

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    lock_tables("login_sessions")
    for column in (
        sa.Column("verified_number_index", sa.LargeBinary(), nullable=True),
        sa.Column("was_bound", sa.Boolean(), server_default="false", nullable=False),
    ):
        op.add_column("login_sessions", column, if_not_exists=True)
    update_in_batches(
        "login_sessions", "was_bound = true", where="user_id IS NOT NULL AND NOT was_bound"
    )


def downgrade() -> None:
    lock_tables("login_sessions")
    op.drop_column("login_sessions", "was_bound")
    op.drop_column("login_sessions", "verified_number_index")
