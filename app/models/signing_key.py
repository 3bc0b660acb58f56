"""Private keys that sign JWTs. They replace the key of the environment variable."""

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Made, Moment, Sealed


class SigningKey(Model):
    """One row per rotation. Of two simultaneous rotations, the second violates the primary key."""

    __tablename__ = "signing_keys"
    __table_args__ = (UniqueConstraint("kid"),)

    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kid: Mapped[str]
    algorithm: Mapped[str]
    signs_from: Mapped[Moment]
    created_at: Mapped[Made]
    private_key_sealed: Mapped[str]
    private_key = Sealed("kid")
