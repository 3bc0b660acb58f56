"""The last success of each periodic job."""

from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Moment


class JobRun(Model):
    """When a periodic job of the platform, such as retention or a backup, last succeeded."""

    __tablename__ = "job_runs"

    job: Mapped[str] = mapped_column(primary_key=True)
    finished_at: Mapped[Moment]
