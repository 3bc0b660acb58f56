"""normalise accounts.

Accounts are compared without invisible characters, so stored accounts that have some are rewritten,
tenant by tenant and in batches. An account that another user already has keeps its spelling and is
logged. `flask users normalise-accounts` lists it, and rewrites what the previous release writes
while both releases run.
"""

from alembic import op

from app.services.users.account_normalisation import normalise_accounts_on

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    normalise_accounts_on(op.get_bind())


def downgrade() -> None:
    """Keep the rewritten accounts: the previous release finds them by what people type."""
