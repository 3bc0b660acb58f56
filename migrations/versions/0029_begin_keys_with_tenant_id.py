"""Begin every key of a tenant table with `tenant_id`, and drop the keys that this replaces.

Release 0.3.0 uses the new keys already. Sessions with tokens that do not name their tenant are
found by partial indexes. A session leaves them with its second refresh, or when retention deletes
it. `count_active_sessions` is dropped, because logins do not call it any more. `tell_of_change`
sends one notification about a change that several nodes of a distributed database store.
"""

from alembic import op

from migrations.online import (
    add_unique,
    create_index,
    drop_index,
    drop_unique,
    replace_primary_key,
)

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None
compatible_since = "0027"

# The table, the column after `tenant_id` in the primary key, and whether a unique constraint of
# these columns exists, to which foreign keys refer.
PRIMARY_KEYS = (
    ("users", "id", True),
    ("merges", "id", True),
    ("social_accounts", "id", True),
    ("login_sessions", "id", True),
    ("phones", "id", False),
    ("session_keys", "id", False),
    ("code_exchanges", "code_index", False),
    ("audit_events", "id", False),
    ("wechat_pushes", "id", False),
    ("people_imports", "id", False),
    ("wechat_access_tokens", "appid", False),
)
UNIQUE = (
    ("login_sessions", ("token_hash",)),
    ("login_sessions", ("refresh_family_hash",)),
    ("social_accounts", ("appid", "openid")),
    ("wechat_pushes", ("appid", "key_index")),
    ("wechat_pushes", ("appid", "delivery_index")),
)
# Of tokens that do not name their tenant.
TOKENS = ("token_hash", "refresh_family_hash", "previous_token_hash")
# The name, table, columns and condition.
INDEXES = (
    ("ix_audit_events_tenant_id_id", "audit_events", ("tenant_id", "id"), None),
    ("ix_wechat_pushes_unhandled", "wechat_pushes", ("event", "id"), "handled_at IS NULL"),
    ("ix_wechat_pushes_appid_person_index", "wechat_pushes", ("appid", "person_index"), None),
    ("ix_wechat_pushes_received_at", "wechat_pushes", ("received_at",), None),
    ("ix_users_erase_after", "users", ("erase_after",), "erase_after IS NOT NULL"),
    ("ix_code_exchanges_asked_at", "code_exchanges", ("asked_at",), None),
    ("ix_people_imports_expires_at", "people_imports", ("expires_at",), None),
    ("ix_daily_counts_day", "daily_counts", ("day",), None),
    ("ix_daily_failures_day", "daily_failures", ("day",), None),
    ("ix_answer_times_day", "answer_times", ("day",), None),
    ("ix_minute_counts_minute", "minute_counts", ("minute",), None),
    ("ix_minute_failures_minute", "minute_failures", ("minute",), None),
)
COUNT_ACTIVE_SESSIONS = """
CREATE OR REPLACE FUNCTION count_active_sessions(
    of_tenant uuid, of_app varchar, of_user uuid, moment timestamptz
) RETURNS integer LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (
        SELECT count(*) FROM (
            SELECT FROM login_sessions
            WHERE tenant_id = of_tenant AND user_id = of_user AND appid = of_app
                AND ended_at IS NULL AND refresh_expires_at > moment
            ORDER BY refresh_expires_at LIMIT 1000
        ) AS active
    );
END $$
"""
# Each node has a copy of `tenants` and `wechat_apps`. The name of the copy ends with a number.
# Only the coordinator notifies: a worker cannot, because it prepares the transaction.
TELL = """
CREATE OR REPLACE FUNCTION tell_of_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    about text;
BEGIN
    {condition}
    IF TG_NARGS = 0 THEN
        PERFORM pg_notify('wxpass_changes', '*');
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        about := to_jsonb(OLD) ->> TG_ARGV[0];
        PERFORM pg_notify('wxpass_changes', TG_ARGV[1] || about);
    END IF;
    IF TG_OP <> 'DELETE' AND to_jsonb(NEW) ->> TG_ARGV[0] IS DISTINCT FROM about THEN
        PERFORM pg_notify('wxpass_changes', TG_ARGV[1] || (to_jsonb(NEW) ->> TG_ARGV[0]));
    END IF;
    RETURN NULL;
END $$
"""
ONCE = """
    IF TG_TABLE_NAME ~ '^(tenants|wechat_apps)_' THEN
        IF (SELECT groupid <> 0 FROM pg_dist_local_group) THEN
            RETURN NULL;
        END IF;
    END IF;"""


def upgrade() -> None:
    op.execute(TELL.format(condition=ONCE))
    for column in TOKENS:
        name = f"ix_login_sessions_{column}"
        create_index(name, "login_sessions", (column,), where=_has_old_token(column))
    for table, column, has_unique in PRIMARY_KEYS:
        unique = f"uq_{table}_tenant_id_{column}" if has_unique else None
        replace_primary_key(table, ("tenant_id", column), unique)
    for table, columns in UNIQUE:
        drop_unique(f"uq_{table}_{'_'.join(columns)}", table)
    for name, *_ in INDEXES:
        drop_index(name)
    op.execute("DROP FUNCTION IF EXISTS count_active_sessions")


def _has_old_token(column: str) -> str:
    return f"NOT names_tenant AND {column} IS NOT NULL"


def downgrade() -> None:
    op.execute(TELL.format(condition=""))
    op.execute(COUNT_ACTIVE_SESSIONS)
    for name, table, columns, condition in INDEXES:
        create_index(name, table, columns, where=condition)
    for table, columns in UNIQUE:
        add_unique(f"uq_{table}_{'_'.join(columns)}", table, columns)
    for table, column, has_unique in PRIMARY_KEYS:
        if has_unique:
            add_unique(f"uq_{table}_tenant_id_{column}", table, ("tenant_id", column))
        replace_primary_key(table, (column,))
    create_index(
        "ix_login_sessions_previous_token_hash",
        "login_sessions",
        ("previous_token_hash",),
        where="previous_token_hash IS NOT NULL",
    )
    drop_index("ix_login_sessions_token_hash")
    drop_index("ix_login_sessions_refresh_family_hash")
