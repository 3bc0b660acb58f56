"""Counts of recent failed passwords by account, device and IP address."""

from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Moment


class PasswordTry(Model):
    """A decaying count of failed passwords. The key is a blind index, so it hides the account.

    The row of a device that entered the right password is kept for a while with a count of zero.
    """

    __tablename__ = "password_tries"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    # The key of the row's account, by which erasure finds the row.
    account_key: Mapped[bytes | None] = mapped_column(index=True)
    level: Mapped[float]
    counted_at: Mapped[Moment]
    held_until: Mapped[Moment]
    forgotten_at: Mapped[Moment] = mapped_column(index=True)
