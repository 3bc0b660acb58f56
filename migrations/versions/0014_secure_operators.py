"""Add step-up authentication and recovery codes of operators.

Creates `operator_recovery_codes`. Adds `operator_sessions.proven_at`, with a default so that the
previous release can create sessions while both releases run.
"""

import sqlalchemy as sa
from alembic import op

from migrations.online import lock_tables, update_in_batches

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    lock_tables("operator_sessions")
    op.add_column(
        "operator_sessions",
        sa.Column("proven_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        if_not_exists=True,
    )
    update_in_batches("operator_sessions", "proven_at = created_at", "proven_at <> created_at")
    lock_tables("operators", only_writes=True)
    op.create_table(
        "operator_recovery_codes",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"],
            ["operators.id"],
            name=op.f("fk_operator_recovery_codes_operator_id_operators"),
        ),
        sa.PrimaryKeyConstraint(
            "operator_id", "code_hash", name=op.f("pk_operator_recovery_codes")
        ),
    )


def downgrade() -> None:
    lock_tables("operators", "operator_sessions", "operator_recovery_codes")
    op.drop_table("operator_recovery_codes")
    op.drop_column("operator_sessions", "proven_at")
