"""Count new WeChat identities, and enforce session limits at login.

Adds `daily_counts.newcomers` and `daily_counts.became_users`, and `unlimited_sessions` to
`wechat_apps` and `app_claims`. Creates the SQL function `count_active_sessions` and the index
`ix_login_sessions_active`. Sets a missing `users.last_login_at`.
"""

import sqlalchemy as sa
from alembic import op

from migrations.online import create_index, drop_index, lock_tables, update_in_batches

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# Called by the login statement of a known user, after the statement has locked the user's row. A
# VOLATILE function reads with a new snapshot, so it sees the session of a concurrent login for
# which the statement waited. The snapshot of the statement itself is older than the wait. 1000 is
# the highest session limit. LIMIT and ORDER BY make the planner use the index. The generic plan
# avoids planning, which takes longer than reading.
COUNT_ACTIVE_SESSIONS = """
CREATE FUNCTION count_active_sessions(
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

# The counts for the days before this migration, computed from the existing WeChat identities: the
# day of the first login, in Asia/Shanghai, and whether the identity has or had a user.
# `joins_by_unionid` becomes false when an identity is unbound for the first time.
NEWCOMERS_BEFORE = """
CREATE TEMPORARY TABLE newcomers_before ON COMMIT DROP AS
SELECT tenant_id, appid, cast(created_at AT TIME ZONE 'UTC' + interval '8 hours' AS date) AS day,
    count(*) AS newcomers,
    count(*) FILTER (WHERE user_id IS NOT NULL OR NOT joins_by_unionid) AS became_users
FROM social_accounts
WHERE created_at > now() - interval '400 days'
GROUP BY 1, 2, 3
"""
ADD_NEWCOMERS = """
INSERT INTO daily_counts AS counted (tenant_id, day, appid, newcomers, became_users)
SELECT tenant_id, day, appid, newcomers, became_users FROM newcomers_before
ORDER BY day, appid
ON CONFLICT ON CONSTRAINT pk_daily_counts DO UPDATE
SET newcomers = excluded.newcomers, became_users = excluded.became_users
"""
# Earlier releases did not set `last_login_at` when a session was bound by phone or account. Users
# without a `last_login_at` get the creation time of their newest session.
NEWEST_SESSION = """(
    SELECT max(created_at) FROM login_sessions
    WHERE login_sessions.tenant_id = users.tenant_id AND login_sessions.user_id = users.id
)"""


def upgrade() -> None:
    create_index(
        "ix_login_sessions_active",
        "login_sessions",
        ["tenant_id", "user_id", "appid", "refresh_expires_at"],
        where="ended_at IS NULL AND user_id IS NOT NULL",
    )
    update_in_batches(
        "users",
        f"last_login_at = {NEWEST_SESSION}",
        f"last_login_at IS NULL AND {NEWEST_SESSION} IS NOT NULL",
    )
    op.execute(NEWCOMERS_BEFORE)
    # From here on, requests wait for the locks, so slow statements come before.
    lock_tables("daily_counts", "app_claims", "wechat_apps")
    op.execute(COUNT_ACTIVE_SESSIONS)
    for name in ("newcomers", "became_users"):
        op.add_column(
            "daily_counts", sa.Column(name, sa.Integer(), server_default="0", nullable=False)
        )
    op.execute(ADD_NEWCOMERS)
    for table in ("wechat_apps", "app_claims"):
        op.add_column(
            table,
            sa.Column("unlimited_sessions", sa.Boolean(), server_default="false", nullable=False),
        )


def downgrade() -> None:
    drop_index("ix_login_sessions_active")
    lock_tables("daily_counts", "app_claims", "wechat_apps")
    for table in ("app_claims", "wechat_apps"):
        op.drop_column(table, "unlimited_sessions")
    for name in ("became_users", "newcomers"):
        op.drop_column("daily_counts", name)
    op.execute("DROP FUNCTION count_active_sessions")
