"""A tenant's claim to an appid whose AppSecret WeChat has not accepted yet."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Made, Moment, Sealed, one_of
from app.models.registration import REGISTRATION_POLICIES
from app.models.session_limit import HasSessionLimit


class AppClaim(HasSessionLimit, Model):
    """A claim permits no logins. A `wechat_apps` row replaces it once WeChat accepts the AppSecret.

    Several tenants may claim the same appid. When WeChat accepts the AppSecret of one tenant, the
    claims of the others are closed and their secrets deleted.
    """

    __tablename__ = "app_claims"
    __table_args__ = (
        UniqueConstraint("tenant_id", "appid"),
        CheckConstraint("appid ~ '^wx[0-9A-Za-z]{16}$'", name="appid"),
        one_of("registration", *REGISTRATION_POLICIES),
        one_of("data_format", "xml", "json"),
        CheckConstraint("session_limit > 0", name="session_limit"),
        CheckConstraint("wechat_call_limit > 0", name="wechat_call_limit"),
        one_of("outcome", "wrong", "unknown", "held_elsewhere"),
        CheckConstraint("(outcome IS NULL) = (checked_at IS NULL)", name="checked"),
        CheckConstraint("(closed_at IS NULL) = (secret_sealed IS NOT NULL)", name="secret"),
        CheckConstraint(
            "closed_at IS NULL OR num_nonnulls(push_token_sealed, encoding_aes_key_sealed) = 0",
            name="push_secrets",
        ),
        Index(None, "appid"),
    )
    # Makes the mapper's UPDATE and DELETE statements include the tenant.
    __mapper_args__ = {"primary_key": ["tenant_id", "id"]}  # noqa: RUF012

    id: Mapped[Id]
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    appid: Mapped[str]
    name: Mapped[str]
    registration: Mapped[str]
    data_format: Mapped[str]
    wechat_call_limit: Mapped[int | None]
    created_at: Mapped[Made]

    # The result of the last AppSecret verification, and the IP address that WeChat saw.
    outcome: Mapped[str | None]
    errcode: Mapped[int | None]
    seen_ip: Mapped[str | None]
    checked_at: Mapped[Moment | None]
    closed_at: Mapped[Moment | None]

    secret_sealed: Mapped[str | None]
    push_token_sealed: Mapped[str | None]
    encoding_aes_key_sealed: Mapped[str | None]
    secret_set_at: Mapped[Moment | None]
    push_secrets_set_at: Mapped[Moment | None]
    secret = Sealed("id")
    push_token = Sealed("id")
    encoding_aes_key = Sealed("id")
