"""Add `wechat_call_limit` to `wechat_apps` and `app_claims`: concurrent calls to WeChat."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLES = ("wechat_apps", "app_claims")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("wechat_call_limit", sa.Integer()))
        op.create_check_constraint(
            op.f(f"ck_{table}_wechat_call_limit"), table, "wechat_call_limit > 0"
        )


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "wechat_call_limit")
