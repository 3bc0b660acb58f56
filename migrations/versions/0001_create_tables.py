"""Create the first tables.

Tenants, users, phones, social_accounts, login_sessions, wechat_apps, wechat_access_tokens,
operators, and audit_events with a trigger that makes it append-only.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.online import lock_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# In the order in which the foreign keys allow to drop them.
TABLES = (
    *("login_sessions", "wechat_access_tokens", "social_accounts", "phones", "wechat_apps"),
    *("users", "operators", "audit_events", "tenants"),
)


def upgrade() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), server_default="active", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("status IN ('active', 'disabled')", name=op.f("ck_tenants_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("slug", name=op.f("uq_tenants_slug")),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("ip", sa.String(), nullable=True),
        sa.Column(
            "details", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "actor_kind IN ('user', 'operator', 'wechat', 'system')",
            name=op.f("ck_audit_events_actor_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_audit_events_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    op.create_index(
        op.f("ix_audit_events_tenant_id_id"), "audit_events", ["tenant_id", "id"], unique=False
    )
    op.create_table(
        "operators",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(role = 'platform') = (tenant_id IS NULL)", name=op.f("ck_operators_role_fits_tenant")
        ),
        sa.CheckConstraint("role IN ('platform', 'tenant_admin')", name=op.f("ck_operators_role")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_operators_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operators")),
        sa.UniqueConstraint("email", name=op.f("uq_operators_email")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.String(), nullable=True),
        sa.Column("nickname", sa.String(), nullable=True),
        sa.Column("avatar_url", sa.String(), nullable=True),
        sa.Column("gender", sa.Integer(), server_default="0", nullable=False),
        sa.Column("level", sa.Integer(), server_default="0", nullable=False),
        sa.Column("status", sa.String(), server_default="active", nullable=False),
        sa.Column("merged_into_id", sa.Uuid(), nullable=True),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_login_ip", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(status = 'merged') = (merged_into_id IS NOT NULL)", name=op.f("ck_users_merged_into")
        ),
        sa.CheckConstraint(
            "status IN ('active', 'disabled', 'merged')", name=op.f("ck_users_status")
        ),
        sa.CheckConstraint("gender BETWEEN 0 AND 2", name=op.f("ck_users_gender")),
        sa.CheckConstraint(
            "password_hash IS NULL OR account IS NOT NULL",
            name=op.f("ck_users_password_of_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merged_into_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_users_tenant_id_merged_into_id_users"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_users_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("tenant_id", "account", name=op.f("uq_users_tenant_id_account")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_users_tenant_id_id")),
    )
    op.create_table(
        "wechat_apps",
        sa.Column("appid", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), server_default="mini_program", nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("registration", sa.String(), server_default="on_phone", nullable=False),
        sa.Column("data_format", sa.String(), server_default="json", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("secret_sealed", sa.String(), nullable=False),
        sa.Column("push_token_sealed", sa.String(), nullable=True),
        sa.Column("encoding_aes_key_sealed", sa.String(), nullable=True),
        sa.CheckConstraint(
            "data_format IN ('xml', 'json')", name=op.f("ck_wechat_apps_data_format")
        ),
        sa.CheckConstraint("kind IN ('mini_program')", name=op.f("ck_wechat_apps_kind")),
        sa.CheckConstraint(
            "registration IN ('on_login', 'on_phone', 'closed')",
            name=op.f("ck_wechat_apps_registration"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_wechat_apps_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("appid", name=op.f("pk_wechat_apps")),
        sa.UniqueConstraint("tenant_id", "appid", name=op.f("uq_wechat_apps_tenant_id_appid")),
    )
    op.create_table(
        "phones",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("number_index", sa.LargeBinary(), nullable=False),
        sa.Column("number_sealed", sa.String(), nullable=False),
        sa.Column("country_code", sa.Integer(), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_phones_tenant_id_user_id_users"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phones")),
        sa.UniqueConstraint(
            "tenant_id", "number_index", name=op.f("uq_phones_tenant_id_number_index")
        ),
        sa.UniqueConstraint("tenant_id", "user_id", name=op.f("uq_phones_tenant_id_user_id")),
    )
    op.create_table(
        "social_accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("appid", sa.String(), nullable=False),
        sa.Column("openid", sa.String(), nullable=False),
        sa.Column("unionid", sa.String(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("joins_by_unionid", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("nickname", sa.String(), nullable=True),
        sa.Column("avatar_url", sa.String(), nullable=True),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("session_key_sealed", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "appid"],
            ["wechat_apps.tenant_id", "wechat_apps.appid"],
            name=op.f("fk_social_accounts_tenant_id_appid_wechat_apps"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_social_accounts_tenant_id_user_id_users"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_social_accounts")),
        sa.UniqueConstraint("appid", "openid", name=op.f("uq_social_accounts_appid_openid")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_social_accounts_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_social_accounts_tenant_id_unionid"),
        "social_accounts",
        ["tenant_id", "unionid"],
        unique=False,
    )
    op.create_index(
        op.f("ix_social_accounts_tenant_id_user_id"),
        "social_accounts",
        ["tenant_id", "user_id"],
        unique=False,
    )
    op.create_table(
        "wechat_access_tokens",
        sa.Column("appid", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("token_sealed", sa.String(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refreshing_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(token_sealed IS NULL) = (expires_at IS NULL)",
            name=op.f("ck_wechat_access_tokens_expiry"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "appid"],
            ["wechat_apps.tenant_id", "wechat_apps.appid"],
            name=op.f("fk_wechat_access_tokens_tenant_id_appid_wechat_apps"),
        ),
        sa.PrimaryKeyConstraint("appid", name=op.f("pk_wechat_access_tokens")),
    )
    op.create_table(
        "login_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("appid", sa.String(), nullable=False),
        sa.Column("social_account_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refresh_family_hash", sa.LargeBinary(), nullable=True),
        sa.Column("refresh_hash", sa.LargeBinary(), nullable=True),
        sa.Column("refresh_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("device", sa.String(), nullable=True),
        sa.Column("ip", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (end_reason IS NULL)", name=op.f("ck_login_sessions_ended")
        ),
        sa.CheckConstraint(
            "(user_id IS NULL) = (refresh_hash IS NULL)",
            name=op.f("ck_login_sessions_refresh_if_bound"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(user_id, social_account_id) > 0", name=op.f("ck_login_sessions_whose")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "appid"],
            ["wechat_apps.tenant_id", "wechat_apps.appid"],
            name=op.f("fk_login_sessions_tenant_id_appid_wechat_apps"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "social_account_id"],
            ["social_accounts.tenant_id", "social_accounts.id"],
            name=op.f("fk_login_sessions_tenant_id_social_account_id_social_accounts"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_login_sessions_tenant_id_user_id_users"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_sessions")),
        sa.UniqueConstraint(
            "refresh_family_hash", name=op.f("uq_login_sessions_refresh_family_hash")
        ),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_login_sessions_tenant_id_id")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_login_sessions_token_hash")),
    )
    op.create_index(
        op.f("ix_login_sessions_tenant_id_social_account_id"),
        "login_sessions",
        ["tenant_id", "social_account_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_login_sessions_tenant_id_user_id"),
        "login_sessions",
        ["tenant_id", "user_id"],
        unique=False,
    )

    # audit_events is append-only: the trigger rejects every UPDATE and DELETE.
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append only', TG_TABLE_NAME;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_events "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    lock_tables(*TABLES)
    for table in TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_change()")
