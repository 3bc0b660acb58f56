"""note which number was verified with an unbound session."""

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


def downgrade() -> None:
    op.drop_column("login_sessions", "verified_number_index")
