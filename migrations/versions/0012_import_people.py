"""Create `people_imports`, the imports of users from files."""

import sqlalchemy as sa
from alembic import op

from migrations.online import lock_tables

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    lock_tables("tenants", only_writes=True)
    op.create_table(
        "people_imports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=True),
        sa.Column("file_index", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("rows_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("people_sealed", sa.String(), nullable=True),
        sa.CheckConstraint(
            "state IN ('previewed', 'running', 'done', 'failed')",
            name=op.f("ck_people_imports_state"),
        ),
        sa.CheckConstraint(
            "(state IN ('previewed', 'running')) = (people_sealed IS NOT NULL)",
            name=op.f("ck_people_imports_people"),
        ),
        sa.CheckConstraint(
            "(state = 'failed') = (failure IS NOT NULL)", name=op.f("ck_people_imports_failure")
        ),
        sa.CheckConstraint(
            "(state = 'done') = (imported_at IS NOT NULL)",
            name=op.f("ck_people_imports_imported_at"),
        ),
        sa.CheckConstraint(
            "rows_done BETWEEN 0 AND row_count", name=op.f("ck_people_imports_rows_done")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_people_imports_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people_imports")),
    )
    op.create_index(
        op.f("ix_people_imports_tenant_id_file_index"),
        "people_imports",
        ["tenant_id", "file_index"],
    )
    op.create_index(op.f("ix_people_imports_expires_at"), "people_imports", ["expires_at"])


def downgrade() -> None:
    lock_tables("people_imports", "tenants")
    op.drop_table("people_imports")
