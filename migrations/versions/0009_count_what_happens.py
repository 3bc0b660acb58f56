"""Create the tables of metrics: `daily_counts`, `daily_failures` and `answer_times`."""

import sqlalchemy as sa
from alembic import op

from migrations.online import lock_tables

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = ("answer_times", "daily_failures", "daily_counts")
MEASURES = (
    "opened",
    "logged_in",
    "known",
    "logged_in_by_password",
    "registered",
    "phone_verified",
    "bound_by_phone",
    "bound_by_password",
    "failed",
)


def upgrade() -> None:
    lock_tables("wechat_apps", only_writes=True)
    add_table("daily_counts", [], *(a_sum(name) for name in MEASURES))
    add_table("daily_failures", ["cause"], text("cause"), a_sum("count"))
    add_table(
        "answer_times",
        ["call", "within_ms"],
        text("call"),
        sa.Column("within_ms", sa.Integer(), nullable=False),
        a_sum("count"),
        sa.CheckConstraint(
            "call IN ('login', 'phone', 'token')", name=op.f("ck_answer_times_call")
        ),
        sa.CheckConstraint("within_ms >= 0", name=op.f("ck_answer_times_within_ms")),
    )


def add_table(name: str, more_key: list[str], *parts: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        text("appid"),
        *parts,
        sa.ForeignKeyConstraint(
            ["tenant_id", "appid"],
            ["wechat_apps.tenant_id", "wechat_apps.appid"],
            name=op.f(f"fk_{name}_tenant_id_appid_wechat_apps"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "day", "appid", *more_key, name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_day"), name, ["day"])


def text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False)


def a_sum(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False)


def downgrade() -> None:
    lock_tables("wechat_apps", *TABLES)
    for name in TABLES:
        op.drop_table(name)
