"""Create `job_runs`, the last success of each periodic job.

The previous release does not use the table.
"""

import sqlalchemy as sa
from alembic import op

from migrations.online import lock_tables

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None
compatible_since = "0021"


def upgrade() -> None:
    op.create_table(
        "job_runs",
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_job_runs")),
    )


def downgrade() -> None:
    lock_tables("job_runs")
    op.drop_table("job_runs")
