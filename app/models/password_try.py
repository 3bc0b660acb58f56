"""How often a password was tried lately, for an account or from an address."""

from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Moment


class PasswordTry(Model):
    """A count that leaks away; the key is a blind index, so nobody reads whose it is.

    That of a device which knew the password stays for a while though it is zero.
    """

    __tablename__ = "password_tries"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    # The key of the account it is about, so that whoever is erased is forgotten here too.
    account_key: Mapped[bytes | None] = mapped_column(index=True)
    level: Mapped[float]
    counted_at: Mapped[Moment]
    held_until: Mapped[Moment]
    forgotten_at: Mapped[Moment] = mapped_column(index=True)
