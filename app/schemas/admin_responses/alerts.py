"""Response schemas of alerts and their channels."""

from marshmallow import fields

from app.schemas.descriptions import examples
from app.schemas.descriptions.about import about
from app.schemas.responses import Response

APPID = about("Appid of the mini-program. Null for all of them.", examples.APPID)
CONDITION = about(
    "Error code, followed by WeChat's errcode if there is one. Null for all conditions.",
    "wechat_app_misconfigured:40164",
)


class ChannelResponse(Response):
    """A channel that delivers alerts. URL and secret are not shown again."""

    id = fields.UUID(metadata=about("Id of the channel.", examples.CHANNEL_ID))
    kind = fields.String(metadata=about("`email`, `wecom`, `dingtalk` or `webhook`.", "webhook"))
    name = fields.String(metadata=about("Name of the channel.", "On call"))
    language = fields.String(metadata=about("Language of the messages.", "zh"))
    shown = fields.String(
        metadata=about("E-mail address, or host and end of the robot's key.", "hooks.acme.example")
    )
    created_at = fields.AwareDateTime(metadata=about("Time of creation.", examples.EARLIER))
    delivered_at = fields.AwareDateTime(
        allow_none=True,
        metadata=about("Time of the last delivered message. Null before it.", examples.NOW),
    )
    failures = fields.Integer(metadata=about("Failures since the last success.", 0))
    failed_at = fields.AwareDateTime(
        allow_none=True, metadata=about("Time of the last failure. Null before it.", None)
    )
    last_error = fields.String(
        allow_none=True,
        metadata=about("Reason of the last failure, for example `status 500`.", None),
    )
    advice = fields.String(
        allow_none=True,
        metadata=about("What to do about the last failure, in Chinese or English.", None),
    )


class ChannelListResponse(Response):
    """All channels, at most 10."""

    items = fields.List(fields.Nested(ChannelResponse), metadata=about("The channels."))


class AddedChannelResponse(Response):
    """The channel that was added."""

    channel = fields.Nested(ChannelResponse, metadata=about("The channel."))
    new_secret = fields.String(
        allow_none=True,
        metadata=about(
            "Secret that was made for a webhook. It is shown only once. Null otherwise.",
            "whsec_ZXhhbXBsZSBzZWNyZXQgb2YgMzIgYnl0ZXMuLi4uLi4=",
        ),
    )


class TestedChannelResponse(Response):
    """The result of a test message."""

    delivered = fields.Boolean(metadata=about("True if the receiver accepted it.", False))
    error = fields.String(
        allow_none=True, metadata=about("Reason of the failure.", "address_not_public")
    )
    advice = fields.String(
        allow_none=True,
        metadata=about(
            "What to do, in Chinese or English, by `Accept-Language`.",
            "The host has an address that is not public, such as 10.0.0.1 or 127.0.0.1. Messages"
            " are sent to public addresses only.",
        ),
    )


class AlertResponse(Response):
    """An alert that is open or recovered within 30 days."""

    id = fields.UUID(metadata=about("Id of the alert.", examples.ALERT_ID))
    appid = fields.String(
        allow_none=True,
        metadata=about(
            "Appid of the mini-program. Null for an alert of the platform.", examples.APPID
        ),
    )
    app_name = fields.String(
        allow_none=True, metadata=about("Name of the mini-program.", examples.APP_NAME)
    )
    condition = fields.String(
        metadata=about(
            "Error code, followed by WeChat's errcode if there is one.",
            "wechat_app_misconfigured:40164",
        )
    )
    why = fields.String(
        metadata=about(
            "What fails, in Chinese or English.",
            "The IP address of this server is not in the IP whitelist of the mini-program.",
        )
    )
    remedy = fields.String(
        metadata=about(
            "What to do, in Chinese or English.",
            "Add 203.0.113.7 to the IP whitelist in WeChat's console.",
        )
    )
    since = fields.AwareDateTime(metadata=about("Start of the condition.", examples.EARLIER))
    opened_at = fields.AwareDateTime(
        metadata=about("Time at which the alert opened.", examples.EARLIER)
    )
    last_notified_at = fields.AwareDateTime(
        allow_none=True, metadata=about("Time of the last message. Null before it.", examples.NOW)
    )
    muted_until = fields.AwareDateTime(
        allow_none=True, metadata=about("End of the mute. Null if it is not muted.", None)
    )
    recovered_at = fields.AwareDateTime(
        allow_none=True, metadata=about("Time of the recovery. Null while it is open.", None)
    )
    failures = fields.Integer(
        allow_none=True, metadata=about("Failed logins. Null for other conditions.", 12)
    )
    logins = fields.Integer(
        allow_none=True, metadata=about("All logins. Null for other conditions.", 30)
    )


class AlertListResponse(Response):
    """At most 200 alerts, open ones first."""

    items = fields.List(fields.Nested(AlertResponse), metadata=about("The alerts."))


class MuteResponse(Response):
    """A mute that has not expired."""

    id = fields.UUID(metadata=about("Id of the mute.", examples.MUTE_ID))
    appid = fields.String(allow_none=True, metadata=APPID)
    condition = fields.String(allow_none=True, metadata=CONDITION)
    until = fields.AwareDateTime(metadata=about("End of the mute.", examples.LATER))
    created_at = fields.AwareDateTime(metadata=about("Time of creation.", examples.NOW))


class MuteListResponse(Response):
    """All mutes that have not expired, at most 100."""

    items = fields.List(fields.Nested(MuteResponse), metadata=about("The mutes."))


class MutedAlertResponse(Response):
    """The end of the mute of an alert."""

    muted_until = fields.AwareDateTime(metadata=about("End of the mute.", examples.LATER))
