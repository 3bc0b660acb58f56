"""Drop three indexes that no query needs, and make four indexes partial.

Drops `ix_login_sessions_not_ended`, `ix_social_accounts_tenant_id_openid` and
`ix_audit_events_tenant_id_created_at`. The indexes of `social_accounts` on `merge_id` and
`unionid`, and the prefix indexes of `users`, no longer contain rows without a value.
docs/performance.md has the reasons.

While the previous release also runs, its search by openid and its `audit list --since` read more
rows than before. Requests wait while the partial indexes are built, for about 1.5 seconds per
million users. Above two million users, some get 503: migrate at a quiet time.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# name, table, columns, and the condition of a partial index
DROPPED = (
    ("ix_login_sessions_not_ended", "login_sessions", ("tenant_id", "id"), "ended_at IS NULL"),
    ("ix_social_accounts_tenant_id_openid", "social_accounts", ("tenant_id", "openid"), None),
    ("ix_audit_events_tenant_id_created_at", "audit_events", ("tenant_id", "created_at"), None),
)
# table, the end of the name after `ix_<table>_tenant_id_`, the indexed expression after
# `tenant_id`, and the column that is often null
PARTIAL = (
    ("social_accounts", "merge_id", "merge_id", "merge_id"),
    ("social_accounts", "unionid", "unionid", "unionid"),
    ("users", "account_prefix", "account text_pattern_ops", "account"),
    ("users", "nickname_prefix", "lower(nickname) text_pattern_ops", "nickname"),
)
# The locks that dropping an index needs, in the order in which logins lock the tables. Taken later,
# they would deadlock with a login that waits for a table whose index is being built.
LOCKS = "LOCK TABLE social_accounts, users, login_sessions, audit_events IN ACCESS EXCLUSIVE MODE"


def upgrade() -> None:
    op.execute(LOCKS)
    for table, end, expression, column in PARTIAL:
        _rebuild(table, end, expression, f" WHERE {column} IS NOT NULL")
    for name, table, _, _ in DROPPED:
        op.drop_index(name, table)


def _rebuild(table: str, end: str, expression: str, where: str) -> None:
    name = f"ix_{table}_tenant_id_{end}"
    op.execute(f"DROP INDEX {name}")
    op.execute(f"CREATE INDEX {name} ON {table} (tenant_id, {expression}){where}")


def downgrade() -> None:
    op.execute(LOCKS)
    for name, table, columns, condition in DROPPED:
        where = sa.text(condition) if condition else None
        op.create_index(name, table, columns, postgresql_where=where)
    for table, end, expression, _ in PARTIAL:
        _rebuild(table, end, expression, "")
