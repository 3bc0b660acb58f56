"""count what happens."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None

MEASURES = (
    "'opened', 'logged_in', 'known', 'logged_in_by_password', 'registered', 'phone_verified', "
    "'bound_by_phone', 'bound_by_password', 'failed'"
)


def upgrade() -> None:
    op.create_table(
        "daily_counts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("appid", sa.String(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.CheckConstraint(f"measure IN ({MEASURES})", name=op.f("ck_daily_counts_measure")),
        sa.CheckConstraint(
            "(measure = 'failed') = (cause <> '')", name=op.f("ck_daily_counts_cause")
        ),
        sa.CheckConstraint("count > 0", name=op.f("ck_daily_counts_count")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "appid"],
            ["wechat_apps.tenant_id", "wechat_apps.appid"],
            name=op.f("fk_daily_counts_tenant_id_appid_wechat_apps"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "day", "appid", "measure", "cause", name=op.f("pk_daily_counts")
        ),
    )
    op.create_index(op.f("ix_daily_counts_day"), "daily_counts", ["day"])
    op.create_table(
        "answer_times",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("appid", sa.String(), nullable=False),
        sa.Column("call", sa.String(), nullable=False),
        sa.Column("within_ms", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "call IN ('login', 'phone', 'token')", name=op.f("ck_answer_times_call")
        ),
        sa.CheckConstraint("within_ms >= 0", name=op.f("ck_answer_times_within_ms")),
        sa.CheckConstraint("count > 0", name=op.f("ck_answer_times_count")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "appid"],
            ["wechat_apps.tenant_id", "wechat_apps.appid"],
            name=op.f("fk_answer_times_tenant_id_appid_wechat_apps"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "day", "appid", "call", "within_ms", name=op.f("pk_answer_times")
        ),
    )
    op.create_index(op.f("ix_answer_times_day"), "answer_times", ["day"])


def downgrade() -> None:
    op.drop_table("answer_times")
    op.drop_table("daily_counts")
