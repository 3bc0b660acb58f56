"""Add account closure, erasure and retention.

Adds `tenants.grace_days`, `tenants.audit_days`, `users.erase_after`, `password_tries.account_key`,
`wechat_pushes.person_index`, and indexes that erasure uses. The trigger on `audit_events` accepts
the statements of retention. TRUNCATE of `audit_events` is rejected.
"""

import sqlalchemy as sa
from alembic import op

from migrations.online import add_check, create_index, drop_index, lock_tables

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
COLUMNS = (
    ("users", "erase_after", sa.DateTime(timezone=True)),
    ("password_tries", "account_key", sa.LargeBinary()),
    ("wechat_pushes", "person_index", sa.LargeBinary()),
)
# The columns of each index by its table, and the condition of a partial index.
INDEXES = (
    ("users", ["erase_after"], "erase_after IS NOT NULL"),
    # When a user is deleted, PostgreSQL searches for rows that refer to the user.
    ("users", ["tenant_id", "merged_into_id"], "merged_into_id IS NOT NULL"),
    ("merges", ["tenant_id", "user_id"], None),
    ("password_tries", ["account_key"], None),
    ("wechat_pushes", ["appid", "person_index"], None),
    ("audit_events", ["tenant_id", "actor_id", "id"], None),
    ("audit_events", ["tenant_id", "subject", "id"], None),
    ("audit_events", ["tenant_id", "created_at"], None),
)


def upgrade() -> None:
    lock_tables("users", "password_tries", "wechat_pushes")
    for table, name, kind in COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=True), if_not_exists=True)
    for table, columns, condition in INDEXES:
        create_index("_".join(["ix", table, *columns]), table, columns, where=condition)
    lock_tables("users", "tenants", "audit_events")
    for name, default, least, most in (("grace", "15", 0, 90), ("audit", "1095", 180, 3650)):
        column = f"{name}_days"
        op.add_column(
            "tenants", sa.Column(column, sa.Integer(), server_default=default, nullable=False)
        )
        add_check(f"ck_tenants_{column}", "tenants", f"{column} BETWEEN {least} AND {most}")
    add_check("ck_users_erase_after", "users", "erase_after IS NULL OR status <> 'merged'")
    op.execute(GUARD)
    op.execute(
        "CREATE TRIGGER never_emptied BEFORE TRUNCATE ON audit_events "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    for table, columns, _ in INDEXES:
        drop_index("_".join(["ix", table, *columns]))
    lock_tables("users", "tenants", "audit_events", "password_tries", "wechat_pushes")
    op.execute("DROP TRIGGER never_emptied ON audit_events")
    op.execute(NO_EXCEPTION)
    op.drop_constraint(op.f("ck_users_erase_after"), "users")
    for table, name, _ in COLUMNS:
        op.drop_column(table, name)
    for column in ("grace_days", "audit_days"):
        op.drop_constraint(op.f(f"ck_tenants_{column}"), "tenants")
        op.drop_column("tenants", column)
