"""Create the tables of alerts: channels, alerts, mutes, messages, and the evaluating process.

The previous release does not use the tables.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.online import lock_tables

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None
compatible_since = "0021"


def upgrade() -> None:
    lock_tables("tenants", only_writes=True)
    _create_channels()
    _create_alerts()
    _create_mutes()
    _create_deliveries()
    op.create_table(
        "alert_leases",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        _moment("until", nullable=False),
        _moment("evaluated_at"),
        sa.CheckConstraint("id = 1", name=op.f("ck_alert_leases_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_leases")),
    )
    op.create_table(
        "alert_signals",
        sa.Column("process", sa.String(), nullable=False),
        sa.Column("condition", sa.String(), nullable=False),
        _moment("since", nullable=False),
        _moment("seen_at", nullable=False),
        sa.PrimaryKeyConstraint("process", "condition", name=op.f("pk_alert_signals")),
    )
    _create_indexes()


def _create_channels() -> None:
    op.create_table(
        "alert_channels",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid()),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("shown", sa.String(), nullable=False),
        sa.Column("target_sealed", sa.String(), nullable=False),
        sa.Column("secret_sealed", sa.String()),
        _moment("created_at", nullable=False, server_default=sa.text("now()")),
        _moment("delivered_at"),
        sa.Column("last_error", sa.String()),
        _moment("failed_at"),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "kind IN ('email', 'wecom', 'dingtalk', 'webhook')",
            name=op.f("ck_alert_channels_kind"),
        ),
        sa.CheckConstraint("language IN ('en', 'zh')", name=op.f("ck_alert_channels_language")),
        _of_tenant("alert_channels"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_channels")),
    )


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid()),
        sa.Column("appid", sa.String()),
        sa.Column("condition", sa.String(), nullable=False),
        _moment("since", nullable=False),
        _moment("seen_at", nullable=False),
        _moment("opened_at"),
        _moment("last_notified_at"),
        _moment("muted_until"),
        _moment("recovered_at"),
        sa.Column("facts", postgresql.JSONB(), server_default="{}", nullable=False),
        _of_tenant("alerts"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )


def _create_mutes() -> None:
    op.create_table(
        "alert_mutes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid()),
        sa.Column("appid", sa.String()),
        sa.Column("condition", sa.String()),
        _moment("until", nullable=False),
        _moment("created_at", nullable=False, server_default=sa.text("now()")),
        _of_tenant("alert_mutes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_mutes")),
    )


def _create_deliveries() -> None:
    op.create_table(
        "alert_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        _moment("evaluated_at", nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        _moment("due_at", nullable=False),
        _moment("claimed_at"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        _moment("finished_at"),
        sa.Column("error", sa.String()),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["alert_channels.id"],
            name=op.f("fk_alert_deliveries_channel_id_alert_channels"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_deliveries")),
        sa.UniqueConstraint(
            "channel_id",
            "evaluated_at",
            name=op.f("uq_alert_deliveries_channel_id_evaluated_at"),
        ),
    )


def _create_indexes() -> None:
    op.create_index("ix_alert_channels_tenant_id_id", "alert_channels", ["tenant_id", "id"])
    op.create_index("ix_alerts_tenant_id_id", "alerts", ["tenant_id", "id"])
    op.create_index("ix_alert_mutes_tenant_id_id", "alert_mutes", ["tenant_id", "id"])
    op.create_index(
        "uq_alerts_tenant_id_appid_condition",
        "alerts",
        ["tenant_id", "appid", "condition"],
        unique=True,
        postgresql_where=sa.text("recovered_at IS NULL AND tenant_id IS NOT NULL"),
    )
    op.create_index(
        "uq_alerts_condition",
        "alerts",
        ["condition"],
        unique=True,
        postgresql_where=sa.text("recovered_at IS NULL AND tenant_id IS NULL"),
    )
    op.create_index(
        "ix_alert_deliveries_due",
        "alert_deliveries",
        ["due_at"],
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def _moment(name: str, nullable: bool = True, **more: sa.TextClause) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, **more)


def _of_tenant(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id"], ["tenants.id"], name=op.f(f"fk_{table}_tenant_id_tenants")
    )


def downgrade() -> None:
    tables = ("alert_signals", "alert_leases", "alert_deliveries", "alert_mutes", "alerts")
    lock_tables("tenants", *tables, "alert_channels")
    for table in (*tables, "alert_channels"):
        op.drop_table(table)
