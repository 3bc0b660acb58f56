"""Mini-programs, their settings and their secrets."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Made, Moment, Sealed, one_of
from app.models.registration import DEFAULT_REGISTRATION, REGISTRATION_POLICIES
from app.models.session_limit import HasSessionLimit

# Separates the appid from the time of release in the key of a released app. Never in an appid.
RELEASED = "~"


class WeChatApp(HasSessionLimit, Model):
    __tablename__ = "wechat_apps"
    __table_args__ = (
        UniqueConstraint("tenant_id", "appid"),
        one_of("kind", "mini_program"),
        one_of("registration", *REGISTRATION_POLICIES),
        one_of("data_format", "xml", "json"),
        CheckConstraint("session_limit > 0", name="session_limit"),
        CheckConstraint("wechat_call_limit > 0", name="wechat_call_limit"),
        CheckConstraint("secret_sealed IS NOT NULL OR released_at IS NOT NULL", name="secret"),
        CheckConstraint("released_at IS NULL OR NOT enabled", name="released"),
    )

    appid: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    kind: Mapped[str] = mapped_column(server_default="mini_program")
    name: Mapped[str]
    registration: Mapped[str] = mapped_column(server_default=DEFAULT_REGISTRATION)
    data_format: Mapped[str] = mapped_column(server_default="json")
    enabled: Mapped[bool] = mapped_column(server_default="true")
    # Concurrent calls to WeChat per process. None means the default, `WECHAT_CALLS_PER_APP`.
    wechat_call_limit: Mapped[int | None]
    created_at: Mapped[Made]
    # The time when the appid was released. The app's rows then have `released_key` as appid, which
    # no request can contain.
    released_at: Mapped[Moment | None]

    secret_sealed: Mapped[str | None]
    # The next AppSecret. It becomes the current one once WeChat rejects the current one.
    next_secret_sealed: Mapped[str | None]
    push_token_sealed: Mapped[str | None]
    encoding_aes_key_sealed: Mapped[str | None]
    # The times when the secrets were set. None for older rows.
    secret_set_at: Mapped[Moment | None]
    next_secret_set_at: Mapped[Moment | None]
    push_secrets_set_at: Mapped[Moment | None]
    secret = Sealed("appid")
    next_secret = Sealed("appid")
    push_token = Sealed("appid")
    encoding_aes_key = Sealed("appid")


def released_key(appid: str, moment: datetime) -> str:
    """Return the primary key that an app gets when its appid is released."""
    return f"{appid}{RELEASED}{moment.astimezone(UTC):%Y%m%d%H%M%S%f}"


def original_appid(key: str) -> str:
    """Return the appid of the primary key of an app, which may be released."""
    return key.partition(RELEASED)[0]
