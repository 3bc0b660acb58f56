"""Add the dates of secrets, indexes for searches, and idempotency keys.

Creates `idempotent_requests`. Adds `merges.phone_id`, and to `wechat_apps` the columns
`secret_set_at`, `next_secret_set_at` and `push_secrets_set_at`.
"""

import sqlalchemy as sa
from alembic import op

from migrations.online import create_index, drop_index, lock_tables

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
SECRETS = ("secret_set_at", "next_secret_set_at", "push_secrets_set_at")
# name, table, columns, and the condition of a partial index
INDEXES = (
    ("ix_audit_events_tenant_id_action_id", "audit_events", ("tenant_id", "action", "id"), None),
    ("ix_login_sessions_tenant_id_appid_id", "login_sessions", ("tenant_id", "appid", "id"), None),
    ("ix_social_accounts_tenant_id_openid", "social_accounts", ("tenant_id", "openid"), None),
    ("ix_login_sessions_not_ended", "login_sessions", ("tenant_id", "id"), "ended_at IS NULL"),
    (
        "ix_users_tenant_id_account_prefix",
        "users",
        ("tenant_id", "account text_pattern_ops"),
        None,
    ),
    (
        "ix_users_tenant_id_nickname_prefix",
        "users",
        ("tenant_id", "lower(nickname) text_pattern_ops"),
        None,
    ),
)


def upgrade() -> None:
    for name, table, columns, condition in INDEXES:
        create_index(name, table, columns, where=condition)
    lock_tables("operators", "merges", "wechat_apps")
    for column in SECRETS:
        op.add_column("wechat_apps", sa.Column(column, MOMENT, nullable=True))
    op.add_column("merges", sa.Column("phone_id", sa.Uuid(), nullable=True))
    op.create_table(
        "idempotent_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_index", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer_sealed", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(status IS NULL) = (answer_sealed IS NULL)",
            name=op.f("ck_idempotent_requests_answered"),
        ),
        sa.ForeignKeyConstraint(
            ["operator_id"],
            ["operators.id"],
            name=op.f("fk_idempotent_requests_operator_id_operators"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotent_requests")),
        sa.UniqueConstraint(
            "operator_id", "key", name=op.f("uq_idempotent_requests_operator_id_key")
        ),
    )
    op.create_index(op.f("ix_idempotent_requests_asked_at"), "idempotent_requests", ["asked_at"])


def downgrade() -> None:
    for name, _, _, _ in INDEXES:
        drop_index(name)
    lock_tables("idempotent_requests", "operators", "merges", "wechat_apps")
    op.drop_table("idempotent_requests")
    op.drop_column("merges", "phone_id")
    for column in SECRETS:
        op.drop_column("wechat_apps", column)
