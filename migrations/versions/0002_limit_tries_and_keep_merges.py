"""Add login throttling and merges of users.

Creates `password_tries` and `merges`. Adds `tenants.phone_owner_policy` and
`social_accounts.merge_id`.
"""

import sqlalchemy as sa
from alembic import op

from migrations.online import add_check, add_foreign_key, create_index, drop_index, lock_tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    lock_tables("social_accounts")
    op.add_column(
        "social_accounts", sa.Column("merge_id", sa.Uuid(), nullable=True), if_not_exists=True
    )
    create_index(
        "ix_social_accounts_tenant_id_merge_id", "social_accounts", ["tenant_id", "merge_id"]
    )
    lock_tables("social_accounts", "users", "tenants")
    op.create_table(
        "password_tries",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("level", sa.Float(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_password_tries")),
    )
    op.create_index(op.f("ix_password_tries_forgotten_at"), "password_tries", ["forgotten_at"])
    op.add_column(
        "tenants",
        sa.Column("phone_owner_policy", sa.String(), server_default="bind", nullable=False),
    )
    add_check(
        "ck_tenants_phone_owner_policy", "tenants", "phone_owner_policy IN ('bind', 'refuse')"
    )
    op.create_table(
        "merges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("merged_user_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merged_user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_merges_tenant_id_merged_user_id_users"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_merges_tenant_id_user_id_users"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merges")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_merges_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_merges_tenant_id_merged_user_id"), "merges", ["tenant_id", "merged_user_id"]
    )
    add_foreign_key(
        "fk_social_accounts_tenant_id_merge_id_merges",
        "social_accounts",
        ["tenant_id", "merge_id"],
        "merges",
        ["tenant_id", "id"],
    )


def downgrade() -> None:
    drop_index("ix_social_accounts_tenant_id_merge_id")
    lock_tables("social_accounts", "users", "tenants", "merges", "password_tries")
    op.drop_constraint(
        op.f("fk_social_accounts_tenant_id_merge_id_merges"), "social_accounts", type_="foreignkey"
    )
    op.drop_column("social_accounts", "merge_id")
    op.drop_table("merges")
    op.drop_constraint(op.f("ck_tenants_phone_owner_policy"), "tenants", type_="check")
    op.drop_column("tenants", "phone_owner_policy")
    op.drop_table("password_tries")
