"""Clear personal data in `audit_events.details`, and link stored responses to users.

Adds `tenants.visitor_days` and `idempotent_requests.user_id`. Creates the SQL function
`impersonal_details`, which returns the details of an event without the search text of exports and
without masked phone numbers. After `SET LOCAL wxpass.retention = 'on'`, the trigger on
`audit_events` accepts an update that replaces the details by the result of this function, sets
`ip` to NULL, or both. It still rejects every other update.

While the previous release also runs, it writes events with personal data, which erasure clears
later. The responses that it stores have no `user_id` and are deleted after 24 hours.
"""

import sqlalchemy as sa
from alembic import op

from migrations.online import add_check, create_index, drop_index, lock_tables, update_in_batches

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ACTIONS = ("users.exported", "phone.released", "user.merged")

IMPERSONAL = """
CREATE OR REPLACE FUNCTION impersonal_details(action text, details jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN action = 'users.exported' AND details ? 'query' THEN
            details - 'query' || jsonb_build_object(
                'filtered', CASE WHEN details ->> 'query' = '' THEN 'no' ELSE 'yes' END)
        WHEN action IN ('phone.released', 'user.merged')
            AND details #>> '{before,phone}' IS NOT NULL THEN
            jsonb_set(details, '{before,phone}', '"set"')
        ELSE details
    END
$$
"""
# Before and after this migration, retention may delete events older than the retention period.
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
            IF {accepted} THEN
                RETURN NEW;
            END IF;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append only', TG_TABLE_NAME;
END $$
"""
ADDRESS_ONLY = "NEW.ip IS NULL AND to_jsonb(NEW) - 'ip' = to_jsonb(OLD) - 'ip'"
ADDRESS_AND_DETAILS = """
                (NEW.ip IS NULL OR NEW.ip = OLD.ip)
                AND NEW.details IN (OLD.details, impersonal_details(OLD.action, OLD.details))
                AND to_jsonb(NEW) - 'ip' - 'details' = to_jsonb(OLD) - 'ip' - 'details'
"""


def upgrade() -> None:
    lock_tables("idempotent_requests")
    op.add_column(
        "idempotent_requests", sa.Column("user_id", sa.Uuid(), nullable=True), if_not_exists=True
    )
    op.execute(IMPERSONAL)
    op.execute(GUARD.format(accepted=ADDRESS_AND_DETAILS))
    create_index("ix_idempotent_requests_user_id", "idempotent_requests", ["user_id"])
    _clear_details()
    lock_tables("tenants")
    op.add_column(
        "tenants", sa.Column("visitor_days", sa.Integer(), server_default="180", nullable=False)
    )
    add_check("ck_tenants_visitor_days", "tenants", "visitor_days BETWEEN 1 AND 3650")


def _clear_details() -> None:
    """Clear the personal data of existing events, in batches that an index scan finds."""
    for tenant_id in op.get_bind().scalars(sa.text("SELECT id FROM tenants")).all():
        for action in ACTIONS:
            update_in_batches(
                "audit_events",
                "details = impersonal_details(action, details)",
                "details <> impersonal_details(action, details)",
                within=f"tenant_id = '{tenant_id}' AND action = '{action}'",
                settings={"wxpass.retention": "on"},
            )


def downgrade() -> None:
    drop_index("ix_idempotent_requests_user_id")
    lock_tables("idempotent_requests", "tenants")
    op.execute(GUARD.format(accepted=ADDRESS_ONLY))
    op.execute("DROP FUNCTION impersonal_details(text, jsonb)")
    op.drop_column("idempotent_requests", "user_id")
    op.drop_constraint(op.f("ck_tenants_visitor_days"), "tenants")
    op.drop_column("tenants", "visitor_days")
