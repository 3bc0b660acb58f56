"""Drop the foreign key of `idempotent_requests`.

In a distributed database, a transaction that erases a user also deletes the stored responses that
contain the user. Citus accepts this only if no foreign key connects `idempotent_requests` with a
reference table. Operators are never deleted, so the key protected nothing.
"""

from alembic import op

from migrations.online import add_foreign_key, lock_tables

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None
compatible_since = "0027"

NAME = "fk_idempotent_requests_operator_id_operators"


def upgrade() -> None:
    lock_tables("idempotent_requests", "operators")
    op.drop_constraint(op.f(NAME), "idempotent_requests")


def downgrade() -> None:
    lock_tables("idempotent_requests", "operators")
    add_foreign_key(NAME, "idempotent_requests", ("operator_id",), "operators", ("id",))
