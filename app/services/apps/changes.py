"""Changes to an app or a claim: new settings and new secrets."""

from dataclasses import dataclass, field, fields, replace

from app.models import AppClaim, SessionLimit, WeChatApp
from app.not_given import NOT_GIVEN, NotGiven


@dataclass(frozen=True, slots=True)
class AppSettings:
    """New settings of an app or a claim. None leaves a setting as it is.

    A `session_limit` is a number, "off" for no limit, or None for the default. A
    `wechat_call_limit` is a number, or None for the default. NOT_GIVEN leaves a limit as it is.
    """

    name: str | None = None
    registration: str | None = None
    data_format: str | None = None
    session_limit: SessionLimit | NotGiven = NOT_GIVEN
    wechat_call_limit: int | NotGiven | None = NOT_GIVEN
    enabled: bool | None = None

    def given(self) -> dict[str, object]:
        """Return the settings that change, by name."""
        values = {
            "name": self.name,
            "registration": self.registration,
            "data_format": self.data_format,
            "enabled": self.enabled,
        }
        changes: dict[str, object] = {
            name: value for name, value in values.items() if value is not None
        }
        if self.session_limit is not NOT_GIVEN:
            changes["session_limit"] = self.session_limit
        if self.wechat_call_limit is not NOT_GIVEN:
            changes["wechat_call_limit"] = self.wechat_call_limit
        return changes

    def apply_to(self, row: WeChatApp | AppClaim) -> None:
        """Set the given settings on the row of an app or a claim. `enabled` is set on apps only."""
        if self.name is not None:
            row.name = self.name
        if self.registration is not None:
            row.registration = self.registration
        if self.data_format is not None:
            row.data_format = self.data_format
        if self.session_limit is not NOT_GIVEN:
            row.session_limit = self.session_limit
        if self.wechat_call_limit is not NOT_GIVEN:
            row.wechat_call_limit = self.wechat_call_limit
        if self.enabled is not None and isinstance(row, WeChatApp):
            row.enabled = self.enabled


@dataclass(frozen=True, slots=True)
class SecretChanges:
    """New secrets of an app or a claim. None removes a secret, NOT_GIVEN leaves it as it is."""

    secret: str | NotGiven | None = field(default=NOT_GIVEN, repr=False)
    next_secret: str | NotGiven | None = field(default=NOT_GIVEN, repr=False)
    push_token: str | NotGiven | None = field(default=NOT_GIVEN, repr=False)
    encoding_aes_key: str | NotGiven | None = field(default=NOT_GIVEN, repr=False)

    def given(self) -> dict[str, str | None]:
        """Return the secrets that change, by name."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not NOT_GIVEN}


NO_SECRETS = SecretChanges(secret=None, next_secret=None, push_token=None, encoding_aes_key=None)


def removal_of(name: str) -> SecretChanges:
    """Return changes that delete one secret. `name` is a field of SecretChanges."""
    return replace(SecretChanges(), **{name: None})
