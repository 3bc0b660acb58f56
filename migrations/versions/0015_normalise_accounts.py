"""Normalise `users.account`.

Accounts are now compared without invisible characters, so stored accounts that contain some are
rewritten, per tenant and in batches. If another user already has the new spelling, the account is
kept unchanged and logged. `flask users normalise-accounts` lists these accounts. It also rewrites
accounts that the previous release inserts while both releases run.
"""

from alembic import op

from app.services.users.account_normalisation import normalise_accounts_on
from migrations.online import commit

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    normalise_accounts_on(op.get_bind(), commit)


def downgrade() -> None:
    """Change nothing: the previous release also finds the rewritten accounts."""
