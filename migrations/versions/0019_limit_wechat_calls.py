"""Add `wechat_call_limit` to `wechat_apps` and `app_claims`: concurrent calls to WeChat."""

import sqlalchemy as sa
from alembic import op

from migrations.online import add_check, lock_tables

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLES = ("wechat_apps", "app_claims")


def upgrade() -> None:
    lock_tables(*TABLES)
    for table in TABLES:
        op.add_column(table, sa.Column("wechat_call_limit", sa.Integer()))
        add_check(f"ck_{table}_wechat_call_limit", table, "wechat_call_limit > 0")


def downgrade() -> None:
    lock_tables(*TABLES)
    for table in TABLES:
        op.drop_column(table, "wechat_call_limit")
