"""Delete the events of the platform from `audit_events`, whose `tenant_id` becomes NOT NULL.

They are in `platform_audit_events` (migration 0027). Releases before that migration can no longer
run: they write and read them here. From the beginning of the migration, the database rejects what
such a release writes, so no event is lost between the copying and the deletion.
"""

from alembic import op

from migrations.online import copy_in_batches, delete_in_batches, lock_tables, set_not_null

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None
compatible_since = "0027"

TABLE = "platform_audit_events"
COLUMNS = ("id", "actor_kind", "actor_id", "action", "subject", "ip", "details", "created_at")
GUARD = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    days integer;
BEGIN
    IF current_setting('wxpass.retention', true) = 'on' THEN
        IF TG_OP = 'DELETE' THEN
            SELECT audit_days INTO days FROM tenants
            WHERE id = (to_jsonb(OLD) ->> 'tenant_id')::uuid;
            IF OLD.created_at < now() - make_interval(days => coalesce(days, 1095)){or_copied} THEN
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
# Only during this migration, an event without a tenant may be deleted if its copy exists.
OR_COPIED = """
                OR TG_TABLE_NAME = 'audit_events' AND to_jsonb(OLD) ->> 'tenant_id' IS NULL
                AND EXISTS (SELECT FROM platform_audit_events WHERE id = OLD.id)
            """
COPY = f"""
CREATE OR REPLACE FUNCTION copy_platform_audit_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {TABLE} ({", ".join(COLUMNS)})
    VALUES ({", ".join(f"NEW.{column}" for column in COLUMNS)})
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$
"""  # noqa: S608
# Replaces the function of the trigger until the column is NOT NULL.
REJECT = """
CREATE OR REPLACE FUNCTION copy_platform_audit_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events without a tenant belong to platform_audit_events'
        USING ERRCODE = 'not_null_violation';
END $$
"""


def upgrade() -> None:
    # Waits for transactions with events that are not visible yet.
    lock_tables("audit_events", only_writes=True)
    op.execute(REJECT)
    op.execute(GUARD.format(or_copied=OR_COPIED))
    copy_in_batches("audit_events", TABLE, COLUMNS, within="tenant_id IS NULL")
    delete_in_batches(
        "audit_events",
        "true",
        within="tenant_id IS NULL",
        settings={"wxpass.retention": "on"},
    )
    op.execute(GUARD.format(or_copied=""))
    set_not_null("audit_events", "tenant_id")
    lock_tables("audit_events")
    op.execute("DROP TRIGGER copy_platform_events ON audit_events")
    op.execute("DROP FUNCTION copy_platform_audit_event()")


def downgrade() -> None:
    op.execute(COPY)
    lock_tables("audit_events")
    op.alter_column("audit_events", "tenant_id", nullable=True)
    op.execute(
        "CREATE TRIGGER copy_platform_events AFTER INSERT ON audit_events "
        "FOR EACH ROW WHEN (NEW.tenant_id IS NULL) EXECUTE FUNCTION copy_platform_audit_event()"
    )
