"""Add invitations, one-time codes and sessions of operators.

Creates `operator_sessions`. Adds to `operators` the columns `status`, `invitation_hash`,
`invitation_expires_at`, `totp_sealed`, `totp_step` and `signed_in_at`, and the role
`tenant_reader`. Makes `operators.password_hash` nullable.
"""

import sqlalchemy as sa
from alembic import op

from migrations.online import add_check, add_unique, delete_in_batches, lock_tables, set_not_null

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    lock_tables("operators")
    for column in (
        sa.Column("status", sa.String(), server_default="active", nullable=False),
        sa.Column("invitation_hash", sa.LargeBinary(), nullable=True),
    ):
        op.add_column("operators", column, if_not_exists=True)
    add_unique("uq_operators_invitation_hash", "operators", ["invitation_hash"])
    lock_tables("operators")
    op.add_column("operators", sa.Column("invitation_expires_at", MOMENT, nullable=True))
    op.add_column("operators", sa.Column("totp_sealed", sa.String(), nullable=True))
    op.add_column("operators", sa.Column("totp_step", sa.Integer(), nullable=True))
    op.add_column("operators", sa.Column("signed_in_at", MOMENT, nullable=True))
    op.alter_column("operators", "password_hash", nullable=True)
    op.drop_constraint(op.f("ck_operators_role"), "operators")
    for name, rule in (
        ("role", "role IN ('platform', 'tenant_admin', 'tenant_reader')"),
        ("status", "status IN ('active', 'disabled')"),
        ("invitation", "(invitation_hash IS NULL) = (invitation_expires_at IS NULL)"),
        ("totp", "totp_sealed IS NOT NULL OR totp_step IS NULL"),
    ):
        add_check(f"ck_operators_{name}", "operators", rule)
    op.create_table(
        "operator_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("refresh_hash", sa.LargeBinary(), nullable=True),
        sa.Column("awaits_code", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("device", sa.String(), nullable=True),
        sa.Column("ip", sa.String(), nullable=True),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("end_reason", sa.String(), nullable=True),
        sa.CheckConstraint("kind IN ('console', 'script')", name=op.f("ck_operator_sessions_kind")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (end_reason IS NULL)", name=op.f("ck_operator_sessions_ended")
        ),
        sa.CheckConstraint(
            "(kind = 'script') = (refresh_hash IS NOT NULL)",
            name=op.f("ck_operator_sessions_refresh_of_script"),
        ),
        sa.ForeignKeyConstraint(
            ["operator_id"],
            ["operators.id"],
            name=op.f("fk_operator_sessions_operator_id_operators"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_operator_sessions_token_hash")),
    )
    op.create_index(op.f("ix_operator_sessions_operator_id"), "operator_sessions", ["operator_id"])


def downgrade() -> None:
    lock_tables("operators", "operator_sessions")
    op.drop_table("operator_sessions", if_exists=True)
    delete_in_batches("operators", "role = 'tenant_reader' OR password_hash IS NULL")
    set_not_null("operators", "password_hash")
    lock_tables("operators")
    op.drop_constraint(op.f("uq_operators_invitation_hash"), "operators")
    for name in ("role", "status", "invitation", "totp"):
        op.drop_constraint(op.f(f"ck_operators_{name}"), "operators")
    add_check("ck_operators_role", "operators", "role IN ('platform', 'tenant_admin')")
    for column in (
        "status",
        "invitation_hash",
        "invitation_expires_at",
        "totp_sealed",
        "totp_step",
        "signed_in_at",
    ):
        op.drop_column("operators", column)
