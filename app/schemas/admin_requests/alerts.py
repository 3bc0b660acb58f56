"""Request schemas of alerts and their channels."""

from dataclasses import dataclass, field
from datetime import timedelta

from marshmallow import fields, validate

from app.schemas.admin_requests.fields import Shaped
from app.schemas.descriptions import examples
from app.schemas.descriptions.about import about
from app.schemas.fields import Label, Text
from app.schemas.loading import RequestSchema
from app.schemas.shapes import ALERT_CONDITION, APP_KEY, LONGEST_MUTE_HOURS

HOURS = validate.Range(1, LONGEST_MUTE_HOURS)
HOURS_SHOWN = about("Duration of the mute in hours, 1 to 720.", 24)


@dataclass(frozen=True, slots=True)
class NewChannelBody:
    """A channel to add."""

    kind: str
    name: str
    target: str = field(repr=False)
    language: str = "en"
    secret: str | None = field(default=None, repr=False)


class NewChannelRequest(RequestSchema[NewChannelBody]):
    """A channel to add: an e-mail address, a group robot or a webhook."""

    record = NewChannelBody

    kind = fields.String(
        required=True,
        validate=validate.OneOf(["email", "wecom", "dingtalk", "webhook"]),
        metadata=about(
            "`email`, `wecom` for a group robot of WeCom, `dingtalk` for a custom robot of"
            " DingTalk, or `webhook`.",
            "webhook",
        ),
    )
    name = Label(required=True, metadata=about("Name of the channel.", "On call"))
    target = Text(
        1000,
        required=True,
        load_only=True,
        metadata=about(
            "E-mail address, URL of the robot with its key, or https URL of the webhook on a public"
            " address. No response contains the URL again.",
            "https://hooks.acme.example/wxpass",
        ),
    )
    language = fields.String(
        validate=validate.OneOf(["en", "zh"]),
        metadata=about("Language of the messages: `en` or `zh`.", "zh"),
    )
    secret = Text(
        200,
        load_only=True,
        metadata=about(
            "Secret that signs messages: of a DingTalk robot, or `whsec_` and base64 for a webhook."
            " Without it, a webhook gets a new secret.",
            "whsec_ZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXMuLi4uLi4=",
        ),
    )


@dataclass(frozen=True, slots=True)
class MuteAlertBody:
    """The duration of a mute."""

    hours: int

    @property
    def duration(self) -> timedelta:
        """The duration as a time span."""
        return timedelta(hours=self.hours)


class MuteAlertRequest(RequestSchema[MuteAlertBody]):
    """The duration of a mute."""

    record = MuteAlertBody

    hours = fields.Integer(required=True, strict=True, validate=HOURS, metadata=HOURS_SHOWN)


@dataclass(frozen=True, slots=True)
class NewMuteBody:
    """A mute to add. None stands for every mini-program or every condition."""

    hours: int
    appid: str | None = None
    condition: str | None = None

    @property
    def duration(self) -> timedelta:
        """The duration as a time span."""
        return timedelta(hours=self.hours)


class NewMuteRequest(RequestSchema[NewMuteBody]):
    """A mute to add. Without `appid` and `condition` it applies to all alerts."""

    record = NewMuteBody

    hours = fields.Integer(required=True, strict=True, validate=HOURS, metadata=HOURS_SHOWN)
    appid = Shaped(APP_KEY, metadata=about("Only alerts of this mini-program.", examples.APPID))
    condition = Shaped(
        ALERT_CONDITION,
        metadata=about("Only alerts of this condition.", "wechat_app_misconfigured:40164"),
    )
