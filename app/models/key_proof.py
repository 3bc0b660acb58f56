"""Proofs of encryption keys. They show at boot whether a key is missing or has changed."""

from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Made

# Not a key id: those are lower case.
PEPPER = "WXPASS_PEPPER"


class KeyProof(Model):
    """A known text encrypted with each key in use, and one for the pepper.

    A row without a proof marks a key that was given up.
    """

    __tablename__ = "key_proofs"

    name: Mapped[str] = mapped_column(primary_key=True)
    proof: Mapped[str | None]
    created_at: Mapped[Made]
