"""What tells, at the next boot, whether a key of the environment is still there and the same."""

from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Made

# No key has this id: theirs are lower case.
PEPPER = "WXPASS_PEPPER"


class KeyProof(Model):
    """One row for each key that rows may need, and one for the pepper: a known text under it.

    Without a proof, the key is lost and given up.
    """

    __tablename__ = "key_proofs"

    name: Mapped[str] = mapped_column(primary_key=True)
    proof: Mapped[str | None]
    created_at: Mapped[Made]
