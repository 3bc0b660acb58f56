"""Key proofs, which show at start-up whether an encryption key is missing or has changed."""

from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Made

# Cannot collide with a key id, because key ids are lower case.
PEPPER = "WXPASS_PEPPER"


class KeyProof(Model):
    """A known text, encrypted with one of the keys in use or hashed with the pepper.

    A row without a proof marks a key that an operator has declared lost.
    """

    __tablename__ = "key_proofs"

    name: Mapped[str] = mapped_column(primary_key=True)
    proof: Mapped[str | None]
    created_at: Mapped[Made]
