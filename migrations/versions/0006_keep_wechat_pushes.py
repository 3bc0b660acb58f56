"""Create `wechat_pushes`, the pushed messages of WeChat that wait to be handled."""

import sqlalchemy as sa
from alembic import op

from migrations.online import lock_tables

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    lock_tables("wechat_apps", only_writes=True)
    op.create_table(
        "wechat_pushes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("appid", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("key_index", sa.LargeBinary(), nullable=False),
        sa.Column("delivery_index", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("message_sealed", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(handled_at IS NULL) = (message_sealed IS NOT NULL)",
            name=op.f("ck_wechat_pushes_message"),
        ),
        sa.CheckConstraint(
            "handled_at IS NULL OR failure IS NULL", name=op.f("ck_wechat_pushes_failure")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "appid"],
            ["wechat_apps.tenant_id", "wechat_apps.appid"],
            name=op.f("fk_wechat_pushes_tenant_id_appid_wechat_apps"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wechat_pushes")),
        sa.UniqueConstraint("appid", "key_index", name=op.f("uq_wechat_pushes_appid_key_index")),
        sa.UniqueConstraint(
            "appid", "delivery_index", name=op.f("uq_wechat_pushes_appid_delivery_index")
        ),
    )
    op.create_index(op.f("ix_wechat_pushes_received_at"), "wechat_pushes", ["received_at"])
    op.create_index(
        "ix_wechat_pushes_unhandled",
        "wechat_pushes",
        ["event", "id"],
        postgresql_where=sa.text("handled_at IS NULL"),
    )


def downgrade() -> None:
    lock_tables("wechat_apps", "wechat_pushes")
    op.drop_table("wechat_pushes")
