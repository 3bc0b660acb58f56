"""Create `platform_audit_events`, for the audit events that belong to no tenant.

Processes of the previous release still write these events to `audit_events`. A trigger copies them.
The next release drops the trigger and the rows without a tenant: the previous release, which may
still be running, reads them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.online import commit, copy_in_batches, lock_tables

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None
compatible_since = "0021"

TABLE = "platform_audit_events"
COLUMNS = ("id", "actor_kind", "actor_id", "action", "subject", "ip", "details", "created_at")
LISTED = ", ".join(COLUMNS)
# A platform event has no tenant, so it is kept for the default period.
GUARD = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    days integer;
BEGIN
    IF current_setting('wxpass.retention', true) = 'on' THEN
        IF TG_OP = 'DELETE' THEN
            SELECT audit_days INTO days FROM tenants WHERE id = {tenant_id};
            IF OLD.created_at < now() - make_interval(days => coalesce(days, 1095)) THEN
                RETURN OLD;
            END IF;
        ELSIF TG_OP = 'UPDATE' THEN
            IF (NEW.ip IS NULL OR NEW.ip = OLD.ip)
                AND NEW.details IN (OLD.details, impersonal_details(OLD.action, OLD.details))
                AND to_jsonb(NEW) - 'ip' - 'details' = to_jsonb(OLD) - 'ip' - 'details'
            THEN
                RETURN NEW;
            END IF;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append only', TG_TABLE_NAME;
END $$
"""
OF_BOTH_TABLES = "(to_jsonb(OLD) ->> 'tenant_id')::uuid"
COPY = f"""
CREATE OR REPLACE FUNCTION copy_platform_audit_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {TABLE} ({LISTED})
    VALUES ({", ".join(f"NEW.{column}" for column in COLUMNS)})
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$
"""  # noqa: S608
COPY_BACK = f"""
INSERT INTO audit_events ({LISTED}) SELECT {LISTED} FROM {TABLE} ON CONFLICT DO NOTHING
"""  # noqa: S608


def upgrade() -> None:
    op.execute(GUARD.format(tenant_id=OF_BOTH_TABLES))
    op.execute(COPY)
    _create_table()
    lock_tables("audit_events", TABLE, only_writes=True)
    op.execute(
        f"CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON {TABLE} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        f"CREATE OR REPLACE TRIGGER never_emptied BEFORE TRUNCATE ON {TABLE} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE OR REPLACE TRIGGER copy_platform_events AFTER INSERT ON audit_events "
        "FOR EACH ROW WHEN (NEW.tenant_id IS NULL) EXECUTE FUNCTION copy_platform_audit_event()"
    )
    commit()
    # The lock has waited for the transactions with rows that the trigger has not copied.
    copy_in_batches("audit_events", TABLE, COLUMNS, within="tenant_id IS NULL")


def _create_table() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("ip", sa.String(), nullable=True),
        sa.Column("details", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "actor_kind IN ('user', 'operator', 'wechat', 'system')",
            name=op.f("ck_platform_audit_events_actor_kind"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_platform_audit_events")),
        if_not_exists=True,
    )
    for column in ("actor_id", "subject", "action"):
        name = op.f(f"ix_{TABLE}_{column}_id")
        op.create_index(name, TABLE, [column, "id"], if_not_exists=True)


def downgrade() -> None:
    copy_in_batches(TABLE, "audit_events", COLUMNS)
    lock_tables("audit_events", TABLE)
    op.execute("DROP TRIGGER copy_platform_events ON audit_events")
    # The events since the copying in batches.
    op.execute(COPY_BACK)
    op.drop_table(TABLE)
    op.execute("DROP FUNCTION copy_platform_audit_event()")
    op.execute(GUARD.format(tenant_id="OLD.tenant_id"))
