"""Drop three indexes that no query needs, and make four indexes partial.

Drops `ix_login_sessions_not_ended`, `ix_social_accounts_tenant_id_openid` and
`ix_audit_events_tenant_id_created_at`. The indexes of `social_accounts` on `merge_id` and
`unionid`, and the prefix indexes of `users`, no longer contain rows without a value.
docs/performance.md has the reasons.

While the previous release also runs, its search by openid and its `audit list --since` read more
rows than before. The indexes are built and dropped concurrently, so no request waits for them.
"""

from migrations.online import create_index, drop_index

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


def upgrade() -> None:
    for table, end, expression, column in PARTIAL:
        _create(table, end, expression, f"{column} IS NOT NULL")
    for name, _, _, _ in DROPPED:
        drop_index(name)


def _create(table: str, end: str, expression: str, condition: str | None) -> None:
    name = f"ix_{table}_tenant_id_{end}"
    create_index(name, table, ("tenant_id", expression), where=condition)


def downgrade() -> None:
    for name, table, columns, condition in DROPPED:
        create_index(name, table, columns, where=condition)
    for table, end, expression, _ in PARTIAL:
        _create(table, end, expression, None)
