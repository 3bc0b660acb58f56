"""Create `minute_counts` and `minute_failures`: logins and failures of the last day by minute."""

import sqlalchemy as sa
from alembic import op

from migrations.online import lock_tables

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None
compatible_since = "0021"

EVENTS = (
    *("opened", "logged_in", "known", "logged_in_by_password", "registered"),
    *("phone_verified", "bound_by_phone", "bound_by_password", "failed"),
)


def upgrade() -> None:
    lock_tables("wechat_apps", only_writes=True)
    add_table("minute_counts", [], *(a_sum(name) for name in EVENTS))
    add_table(
        "minute_failures",
        ["code", "errcode"],
        sa.Column("code", sa.String(), nullable=False),
        a_sum("errcode"),
        a_sum("count"),
        sa.Column("our_ip", sa.String()),
    )


def add_table(name: str, more_key: list[str], *parts: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("appid", sa.String(), nullable=False),
        *parts,
        # The previous release deletes apps without deleting the rows of these tables.
        sa.ForeignKeyConstraint(
            ["tenant_id", "appid"],
            ["wechat_apps.tenant_id", "wechat_apps.appid"],
            name=op.f(f"fk_{name}_tenant_id_appid_wechat_apps"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "minute", "appid", *more_key, name=op.f(f"pk_{name}")),
        # Each process updates the rows of the present minute every few seconds. With free space in
        # the page, an update adds no index entries.
        postgresql_with={"fillfactor": "50"},
    )
    op.create_index(op.f(f"ix_{name}_minute"), name, ["minute"])


def a_sum(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False)


def downgrade() -> None:
    lock_tables("wechat_apps", "minute_counts", "minute_failures")
    op.drop_table("minute_failures")
    op.drop_table("minute_counts")
