"""Add proofs of encryption keys, and AppSecrets prepared for a rotation.

Creates `key_proofs`. Adds `wechat_apps.next_secret_sealed`.
"""

import sqlalchemy as sa
from alembic import op

from migrations.online import lock_tables

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    lock_tables("wechat_apps")
    op.create_table(
        "key_proofs",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("proof", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_key_proofs")),
    )
    op.add_column("wechat_apps", sa.Column("next_secret_sealed", sa.String(), nullable=True))


def downgrade() -> None:
    lock_tables("wechat_apps", "key_proofs")
    op.drop_column("wechat_apps", "next_secret_sealed")
    op.drop_table("key_proofs")
