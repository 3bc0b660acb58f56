"""Add account closure, erasure and retention.

Adds `tenants.grace_days`, `tenants.audit_days`, `users.erase_after`, `password_tries.account_key`,
`wechat_pushes.person_index`, and indexes that erasure uses. The trigger on `audit_events` accepts
the statements of retention. TRUNCATE of `audit_events` is rejected.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Retention executes `SET LOCAL wxpass.retention = 'on'`. The trigger then accepts only a DELETE of
# events that are older than the tenant's retention period, and an UPDATE that sets `ip` to NULL.
GUARD = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    days integer;
BEGIN
    IF current_setting('wxpass.retention', true) = 'on' THEN
        IF TG_OP = 'DELETE' THEN
            SELECT audit_days INTO days FROM tenants WHERE id = OLD.tenant_id;
            IF OLD.created_at < now() - make_interval(days => coalesce(days, 1095)) THEN
                RETURN OLD;
            END IF;
        ELSIF TG_OP = 'UPDATE' THEN
            IF NEW.ip IS NULL AND to_jsonb(NEW) - 'ip' = to_jsonb(OLD) - 'ip' THEN
                RETURN NEW;
            END IF;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append only', TG_TABLE_NAME;
END $$
"""
NO_EXCEPTION = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append only', TG_TABLE_NAME;
END $$
"""
AUDIT_INDEXES = (["actor_id", "id"], ["subject", "id"], ["created_at"])


def upgrade() -> None:
    for name, default, least, most in (("grace", "15", 0, 90), ("audit", "1095", 180, 3650)):
        column = f"{name}_days"
        op.add_column(
            "tenants", sa.Column(column, sa.Integer(), server_default=default, nullable=False)
        )
        op.create_check_constraint(
            op.f(f"ck_tenants_{column}"), "tenants", f"{column} BETWEEN {least} AND {most}"
        )
    op.add_column("users", sa.Column("erase_after", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_users_erase_after"), "users", "erase_after IS NULL OR status <> 'merged'"
    )
    op.create_index(
        op.f("ix_users_erase_after"),
        "users",
        ["erase_after"],
        postgresql_where=sa.text("erase_after IS NOT NULL"),
    )
    # When a user is deleted, PostgreSQL searches for rows that refer to the user.
    op.create_index(
        op.f("ix_users_tenant_id_merged_into_id"),
        "users",
        ["tenant_id", "merged_into_id"],
        postgresql_where=sa.text("merged_into_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_merges_tenant_id_user_id"), "merges", ["tenant_id", "user_id"])
    op.add_column("password_tries", sa.Column("account_key", sa.LargeBinary(), nullable=True))
    op.create_index(op.f("ix_password_tries_account_key"), "password_tries", ["account_key"])
    op.add_column("wechat_pushes", sa.Column("person_index", sa.LargeBinary(), nullable=True))
    op.create_index(
        op.f("ix_wechat_pushes_appid_person_index"), "wechat_pushes", ["appid", "person_index"]
    )
    for columns in AUDIT_INDEXES:
        name = "_".join(["ix_audit_events_tenant_id", *columns])
        op.create_index(op.f(name), "audit_events", ["tenant_id", *columns])
    op.execute(GUARD)
    op.execute(
        "CREATE TRIGGER never_emptied BEFORE TRUNCATE ON audit_events "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER never_emptied ON audit_events")
    op.execute(NO_EXCEPTION)
    for columns in AUDIT_INDEXES:
        op.drop_index(op.f("_".join(["ix_audit_events_tenant_id", *columns])))
    op.drop_index(op.f("ix_wechat_pushes_appid_person_index"))
    op.drop_column("wechat_pushes", "person_index")
    op.drop_index(op.f("ix_password_tries_account_key"))
    op.drop_column("password_tries", "account_key")
    op.drop_index(op.f("ix_merges_tenant_id_user_id"))
    op.drop_index(op.f("ix_users_tenant_id_merged_into_id"))
    op.drop_index(op.f("ix_users_erase_after"))
    op.drop_constraint(op.f("ck_users_erase_after"), "users")
    op.drop_column("users", "erase_after")
    for column in ("grace_days", "audit_days"):
        op.drop_constraint(op.f(f"ck_tenants_{column}"), "tenants")
        op.drop_column("tenants", column)
