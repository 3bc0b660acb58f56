"""Make logins and refreshes repeatable after a lost response.

Creates `session_keys`, to which it moves `social_accounts.session_key_sealed`, and
`code_exchanges`. Adds `wechat_apps.session_limit`, and to `login_sessions` the columns
`previous_token_hash`, `previous_refresh_hash`, `refresh_salt` and `refreshed_at`.
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op
from uuid_utils.compat import uuid7

from app.keyring import SealBroken, keyring
from migrations.online import add_check, create_index, drop_index, lock_tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BATCH = 1000
# Older session_keys have probably expired at WeChat. The next login stores a new one.
WORTH_MOVING = timedelta(days=3)

KEYS_BEFORE = sa.text(
    "SELECT id, tenant_id, appid, openid, session_key_sealed, last_login_at FROM social_accounts"
    " WHERE last_login_at > :since AND id > :after ORDER BY id LIMIT :batch"
)
KEYS = sa.table(
    "session_keys",
    sa.column("id", sa.Uuid()),
    sa.column("tenant_id", sa.Uuid()),
    sa.column("social_account_id", sa.Uuid()),
    sa.column("key_index", sa.LargeBinary()),
    sa.column("session_key_sealed", sa.String()),
    sa.column("asked_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    create_column_of_previous_tokens()
    lock_tables("social_accounts", "login_sessions", "wechat_apps")
    op.create_table(
        "session_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("social_account_id", sa.Uuid(), nullable=False),
        sa.Column("key_index", sa.LargeBinary(), nullable=False),
        sa.Column("session_key_sealed", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "social_account_id"],
            ["social_accounts.tenant_id", "social_accounts.id"],
            name=op.f("fk_session_keys_tenant_id_social_account_id_social_accounts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_keys")),
        sa.UniqueConstraint(
            "tenant_id",
            "social_account_id",
            "key_index",
            name=op.f("uq_session_keys_tenant_id_social_account_id_key_index"),
        ),
    )
    _move_recent_session_keys()
    op.drop_column("social_accounts", "session_key_sealed")
    op.create_table(
        "code_exchanges",
        sa.Column("code_index", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("appid", sa.String(), nullable=False),
        sa.Column("asked_by", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "appid"],
            ["wechat_apps.tenant_id", "wechat_apps.appid"],
            name=op.f("fk_code_exchanges_tenant_id_appid_wechat_apps"),
        ),
        sa.PrimaryKeyConstraint("code_index", name=op.f("pk_code_exchanges")),
    )
    op.create_index(op.f("ix_code_exchanges_asked_at"), "code_exchanges", ["asked_at"])
    op.add_column("wechat_apps", sa.Column("session_limit", sa.Integer(), nullable=True))
    add_check("ck_wechat_apps_session_limit", "wechat_apps", "session_limit > 0")
    for name in ("previous_refresh_hash", "refresh_salt"):
        op.add_column("login_sessions", sa.Column(name, sa.LargeBinary(), nullable=True))
    op.add_column(
        "login_sessions", sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=True)
    )
    add_check(
        "ck_login_sessions_refreshed",
        "login_sessions",
        "(refreshed_at IS NULL) = (refresh_salt IS NULL)",
    )


def create_column_of_previous_tokens() -> None:
    lock_tables("login_sessions")
    op.add_column(
        "login_sessions",
        sa.Column("previous_token_hash", sa.LargeBinary(), nullable=True),
        if_not_exists=True,
    )
    create_index("ix_login_sessions_previous_token_hash", "login_sessions", ["previous_token_hash"])


def _move_recent_session_keys() -> None:
    """Re-encrypt recent session_keys for their new table and column, and insert them there."""
    connection, ring = op.get_bind(), keyring()
    asked = {"since": datetime.now(UTC) - WORTH_MOVING, "batch": BATCH}
    after = "00000000-0000-0000-0000-000000000000"
    while rows := connection.execute(KEYS_BEFORE, asked | {"after": after}).all():
        after = str(rows[-1].id)
        moved = []
        for row in rows:
            place = f"social_accounts.session_key_sealed:{row.appid}|{row.openid}"
            try:
                session_key = ring.open(row.session_key_sealed, place)
            except SealBroken:
                continue  # It was unreadable before, too. The next login stores a new one.
            index = ring.blind_index(session_key, f"session_keys:{row.id}")
            sealed = ring.seal(session_key, f"session_keys.session_key_sealed:{row.id}")
            moved.append(
                {
                    "id": uuid7(),
                    "tenant_id": row.tenant_id,
                    "social_account_id": row.id,
                    "key_index": index,
                    "session_key_sealed": sealed,
                    "asked_at": row.last_login_at,
                }
            )
        if moved:
            op.bulk_insert(KEYS, moved)


def downgrade() -> None:
    drop_index("ix_login_sessions_previous_token_hash")
    lock_tables(
        "social_accounts", "code_exchanges", "session_keys", "login_sessions", "wechat_apps"
    )
    op.drop_constraint(op.f("ck_login_sessions_refreshed"), "login_sessions")
    for name in ("refreshed_at", "refresh_salt", "previous_refresh_hash", "previous_token_hash"):
        op.drop_column("login_sessions", name)
    op.drop_constraint(op.f("ck_wechat_apps_session_limit"), "wechat_apps")
    op.drop_column("wechat_apps", "session_limit")
    op.drop_table("code_exchanges")
    # SQL alone cannot re-encrypt the session_keys. The next login of each person stores a new one.
    op.add_column(
        "social_accounts",
        sa.Column("session_key_sealed", sa.String(), nullable=False, server_default=""),
    )
    op.alter_column("social_accounts", "session_key_sealed", server_default=None)
    op.drop_table("session_keys")
