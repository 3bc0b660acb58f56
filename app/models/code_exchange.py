"""The exchange of a `wx.login` code for a login."""

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Moment


class CodeExchange(Model):
    """A code that was exchanged for a login. The row is inserted with the session."""

    __tablename__ = "code_exchanges"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "appid"], ["wechat_apps.tenant_id", "wechat_apps.appid"]
        ),
        Index(None, "tenant_id", "asked_at"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    code_index: Mapped[bytes] = mapped_column(primary_key=True)
    appid: Mapped[str]
    # A blind index of the client and the purpose of the request.
    asked_by: Mapped[bytes]
    asked_at: Mapped[Moment]
    session_id: Mapped[UUID]
