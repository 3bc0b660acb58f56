"""Record in sessions the verified phone number and whether they were ever bound.

Adds `login_sessions.verified_number_index` and `login_sessions.was_bound`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "login_sessions", sa.Column("verified_number_index", sa.LargeBinary(), nullable=True)
    )
    op.add_column(
        "login_sessions",
        sa.Column("was_bound", sa.Boolean(), server_default="false", nullable=False),
    )
    op.execute("UPDATE login_sessions SET was_bound = true WHERE user_id IS NOT NULL")


def downgrade() -> None:
    op.drop_column("login_sessions", "was_bound")
    op.drop_column("login_sessions", "verified_number_index")
