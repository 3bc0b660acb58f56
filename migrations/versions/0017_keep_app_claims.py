"""Add claims of appids and releases of apps.

Creates `app_claims` (appids whose AppSecret WeChat has not accepted yet) and
`verification_budgets`. Adds `wechat_apps.released_at`, and makes `wechat_apps.secret_sealed`
nullable for released apps. Existing apps count as verified. The previous release can still insert
apps, because it always sets the AppSecret.
"""

import sqlalchemy as sa
from alembic import op

from migrations.online import add_check, lock_tables, set_not_null, update_in_batches

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
CLAIM_CHECKS = {
    "appid": "appid ~ '^wx[0-9A-Za-z]{16}$'",
    "registration": "registration IN ('on_login', 'on_phone', 'closed')",
    "data_format": "data_format IN ('xml', 'json')",
    "session_limit": "session_limit > 0",
    "outcome": "outcome IN ('wrong', 'unknown', 'held_elsewhere')",
    "checked": "(outcome IS NULL) = (checked_at IS NULL)",
    "secret": "(closed_at IS NULL) = (secret_sealed IS NOT NULL)",
    "push_secrets": (
        "closed_at IS NULL OR num_nonnulls(push_token_sealed, encoding_aes_key_sealed) = 0"
    ),
}
APP_CHECKS = {
    "secret": "secret_sealed IS NOT NULL OR released_at IS NOT NULL",
    "released": "released_at IS NULL OR NOT enabled",
}


def upgrade() -> None:
    lock_tables("wechat_apps", "tenants")
    op.create_table(
        "app_claims",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("appid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("registration", sa.String(), nullable=False),
        sa.Column("data_format", sa.String(), nullable=False),
        sa.Column("session_limit", sa.Integer(), nullable=True),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("errcode", sa.Integer(), nullable=True),
        sa.Column("seen_ip", sa.String(), nullable=True),
        sa.Column("checked_at", MOMENT, nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("secret_sealed", sa.String(), nullable=True),
        sa.Column("push_token_sealed", sa.String(), nullable=True),
        sa.Column("encoding_aes_key_sealed", sa.String(), nullable=True),
        sa.Column("secret_set_at", MOMENT, nullable=True),
        sa.Column("push_secrets_set_at", MOMENT, nullable=True),
        *(
            sa.CheckConstraint(condition, name=op.f(f"ck_app_claims_{name}"))
            for name, condition in CLAIM_CHECKS.items()
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_app_claims_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_claims")),
        sa.UniqueConstraint("tenant_id", "appid", name=op.f("uq_app_claims_tenant_id_appid")),
    )
    op.create_index(op.f("ix_app_claims_appid"), "app_claims", ["appid"])
    op.create_table(
        "verification_budgets",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("window_began", MOMENT, nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_verification_budgets_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_verification_budgets")),
    )
    op.add_column("wechat_apps", sa.Column("released_at", MOMENT, nullable=True))
    op.alter_column("wechat_apps", "secret_sealed", existing_type=sa.String(), nullable=True)
    for name, condition in APP_CHECKS.items():
        add_check(f"ck_wechat_apps_{name}", "wechat_apps", condition)


def downgrade() -> None:
    # Only released apps have no AppSecret. An empty text cannot be decrypted, so the previous
    # release shows their AppSecret as unreadable.
    update_in_batches("wechat_apps", "secret_sealed = ''", "secret_sealed IS NULL", key="appid")
    set_not_null("wechat_apps", "secret_sealed")
    lock_tables("app_claims", "verification_budgets", "wechat_apps", "tenants")
    for name in APP_CHECKS:
        op.drop_constraint(op.f(f"ck_wechat_apps_{name}"), "wechat_apps")
    op.drop_column("wechat_apps", "released_at")
    op.drop_table("verification_budgets")
    op.drop_table("app_claims")
