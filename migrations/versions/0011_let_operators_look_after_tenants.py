"""Add the dates of secrets, indexes for searches, and idempotency keys.

Creates `idempotent_requests`. Adds `merges.phone_id`, and to `wechat_apps` the columns
`secret_set_at`, `next_secret_set_at` and `push_secrets_set_at`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
SECRETS = ("secret_set_at", "next_secret_set_at", "push_secrets_set_at")
INDEXES = (
    ("audit_events", ("tenant_id", "action", "id")),
    ("login_sessions", ("tenant_id", "appid", "id")),
    ("social_accounts", ("tenant_id", "openid")),
)


def upgrade() -> None:
    for column in SECRETS:
        op.add_column("wechat_apps", sa.Column(column, MOMENT, nullable=True))
    op.add_column("merges", sa.Column("phone_id", sa.Uuid(), nullable=True))
    for table, columns in INDEXES:
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns)
    op.create_index(
        "ix_login_sessions_not_ended",
        "login_sessions",
        ["tenant_id", "id"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    for name, column in (("account", "account"), ("nickname", "lower(nickname)")):
        op.execute(
            f"CREATE INDEX ix_users_tenant_id_{name}_prefix"
            f" ON users (tenant_id, {column} text_pattern_ops)"
        )
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
    op.drop_table("idempotent_requests")
    for name in ("account", "nickname"):
        op.drop_index(f"ix_users_tenant_id_{name}_prefix", "users")
    op.drop_index("ix_login_sessions_not_ended", "login_sessions")
    for table, columns in INDEXES:
        op.drop_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table)
    op.drop_column("merges", "phone_id")
    for column in SECRETS:
        op.drop_column("wechat_apps", column)
