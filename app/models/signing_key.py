"""Private keys that sign JWTs, after the one of the environment."""

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Made, Moment, Sealed


class SigningKey(Model):
    """One row per rotation. Generations have no gaps: one of two simultaneous rotations wins."""

    __tablename__ = "signing_keys"
    __table_args__ = (UniqueConstraint("kid"),)

    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kid: Mapped[str]
    algorithm: Mapped[str]
    signs_from: Mapped[Moment]
    created_at: Mapped[Made]
    private_key_sealed: Mapped[str]
    private_key = Sealed("kid")
