"""Add triggers that notify workers of changes to cached rows.

Workers cache sessions, profiles of users, and apps. Triggers on `login_sessions`, `users`,
`phones`, `wechat_apps` and `tenants` send a notification when a change is committed, no matter
whether the service, a command or psql made it. `ix_login_sessions_previous_token_hash` becomes a
partial index.
"""

from alembic import op

from migrations.online import commit, create_index, lock_tables

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# The first argument is the column with the key of the cached value: an id, or an appid, which has a
# prefix because it may look like an id. Without arguments, the notification is `*`, for all keys.
TELL = """
CREATE OR REPLACE FUNCTION tell_of_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    about text;
BEGIN
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
SHOWN_OF_USERS = ("status", "account", "nickname", "avatar_url", "gender", "level", "erase_after")
SHOWN_OF_PHONES = ("user_id", "number_index", "country_code")
# A login or a request that only extends a session's lifetime sends no notification. Unbound
# sessions are not cached.
SESSION_CHANGED = """OLD.user_id IS NOT NULL AND (
    (OLD.token_hash, OLD.user_id, OLD.social_account_id, OLD.ended_at)
    IS DISTINCT FROM (NEW.token_hash, NEW.user_id, NEW.social_account_id, NEW.ended_at)
    OR NEW.expires_at < OLD.expires_at)"""
# Retention deletes only sessions that no worker has in its cache any more.
SESSION_WAS_GOOD = """OLD.user_id IS NOT NULL AND OLD.ended_at IS NULL
    AND OLD.expires_at > now() - interval '1 day'"""


def _differ(columns: tuple[str, ...]) -> str:
    before, after = (", ".join(f"{row}.{one}" for one in columns) for row in ("OLD", "NEW"))
    return f"({before}) IS DISTINCT FROM ({after})"


# table, event, condition, column, prefix
TRIGGERS = (
    ("login_sessions", "UPDATE", SESSION_CHANGED, "id", ""),
    ("login_sessions", "DELETE", SESSION_WAS_GOOD, "id", ""),
    ("users", "UPDATE", _differ(SHOWN_OF_USERS), "id", ""),
    ("users", "DELETE", "true", "id", ""),
    ("phones", "INSERT", "true", "user_id", ""),
    ("phones", "UPDATE", _differ(SHOWN_OF_PHONES), "user_id", ""),
    ("phones", "DELETE", "true", "user_id", ""),
    ("wechat_apps", "UPDATE", "true", "appid", "app:"),
    ("wechat_apps", "DELETE", "true", "appid", "app:"),
    ("tenants", "UPDATE", "true", "id", ""),
    ("tenants", "DELETE", "true", "id", ""),
)
TABLES = sorted({trigger[0] for trigger in TRIGGERS})
INDEX, COLUMNS = "ix_login_sessions_previous_token_hash", ("previous_token_hash",)


def upgrade() -> None:
    # Most sessions have no previous token, but each login wrote the NULL into the full index.
    create_index(INDEX, "login_sessions", COLUMNS, where="previous_token_hash IS NOT NULL")
    op.execute(TELL)
    # One table per transaction: while it waits for a table, it blocks no other table.
    for table in TABLES:
        lock_tables(table, only_writes=True)
        _create_triggers(table)
        commit()


def _create_triggers(table: str) -> None:
    for of_table, event, condition, column, prefix in TRIGGERS:
        if of_table == table:
            op.execute(
                f"CREATE OR REPLACE TRIGGER tell_of_{event.lower()} AFTER {event} ON {table}"
                f" FOR EACH ROW WHEN ({condition})"
                f" EXECUTE FUNCTION tell_of_change('{column}', '{prefix}')"
            )
    op.execute(
        f"CREATE OR REPLACE TRIGGER tell_of_truncate AFTER TRUNCATE ON {table}"
        " EXECUTE FUNCTION tell_of_change()"
    )


def downgrade() -> None:
    create_index(INDEX, "login_sessions", COLUMNS)
    lock_tables(*TABLES)
    op.execute("DROP FUNCTION tell_of_change() CASCADE")
