"""Routes of the alerts of the platform: /v1/admin/alerts and below."""

from typing import Any
from uuid import UUID

from app.admin.api.access import platform_login, step_up_required, this_operator
from app.admin.api.alerts import added_channel, listed_channels, translated_result
from app.admin.api.blueprint import Blueprint, idempotent
from app.api.openapi.tags import ADMIN_ALERTS
from app.errors import (
    AlertChannelInvalid,
    AlertChannelsTooMany,
    AlertChannelUnknown,
    AlertMutesTooMany,
    AlertMuteUnknown,
    AlertTestsTooMany,
    AlertUnknown,
)
from app.languages import accepted_language
from app.schemas.admin_requests.alerts import (
    MuteAlertBody,
    MuteAlertRequest,
    NewChannelBody,
    NewChannelRequest,
    NewMuteBody,
    NewMuteRequest,
)
from app.schemas.admin_responses.alerts import (
    AddedChannelResponse,
    AlertListResponse,
    ChannelListResponse,
    MutedAlertResponse,
    MuteListResponse,
    MuteResponse,
    TestedChannelResponse,
)
from app.schemas.requests import EmptyBody, EmptyRequest
from app.services.alerts import alerts, channels
from app.services.alerts.alerts import ShownMute
from app.services.alerts.channels import Tested
from app.services.alerts.owner import Owner

blp = Blueprint("admin_platform_alerts", __name__, url_prefix="/v1/admin", tag=ADMIN_ALERTS)


@blp.get("/alert-channels")
@platform_login
@blp.response(200, ChannelListResponse)
def list_platform_channels() -> dict[str, Any]:
    """List the platform's alert channels.

    For platform admins. Returns the channels with their last error. No response contains a URL
    or secret.
    """
    return listed_channels(this_platform())


@blp.post("/alert-channels")
@platform_login
@step_up_required
@idempotent
@blp.arguments(NewChannelRequest)
@blp.response(201, AddedChannelResponse)
@blp.errors(AlertChannelInvalid, AlertChannelsTooMany)
def add_platform_channel(body: NewChannelBody) -> dict[str, Any]:
    """Add an alert channel of the platform.

    For platform admins. Adds an e-mail address, a robot or a webhook, to which messages about
    alerts are sent. Send a test message next.
    """
    return added_channel(this_platform(), body)


@blp.delete("/alert-channels/<uuid:channel_id>")
@platform_login
@step_up_required
@blp.response(204)
@blp.errors(AlertChannelUnknown)
def remove_platform_channel(channel_id: UUID) -> None:
    """Remove an alert channel of the platform.

    For platform admins. Removes a channel and its unsent messages.
    """
    channels.remove_channel(this_platform(), channel_id)


@blp.post("/alert-channels/<uuid:channel_id>/test")
@platform_login
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, TestedChannelResponse)
@blp.errors(AlertChannelUnknown, AlertTestsTooMany)
def test_platform_channel(body: EmptyBody, channel_id: UUID) -> Tested:
    """Test an alert channel of the platform.

    For platform admins. Sends a test message and returns the result. Ten tests a minute are
    accepted.
    """
    return translated_result(channels.test_channel(this_platform(), channel_id))


@blp.get("/alerts")
@platform_login
@blp.response(200, AlertListResponse)
def list_platform_alerts() -> dict[str, Any]:
    """List the platform's alerts.

    For platform admins. Returns the open alerts and those that recovered within 30 days, open
    ones first.
    """
    return {"items": alerts.list_alerts(this_platform(), accepted_language())}


@blp.put("/alerts/<uuid:alert_id>/mute")
@platform_login
@blp.arguments(MuteAlertRequest)
@blp.response(200, MutedAlertResponse)
@blp.errors(AlertUnknown)
def mute_platform_alert(body: MuteAlertBody, alert_id: UUID) -> dict[str, Any]:
    """Mute an alert of the platform.

    For platform admins. Suppresses messages about an open alert for some hours.
    """
    until = alerts.mute_alert(this_platform(), alert_id, body.duration)
    return {"muted_until": until}


@blp.delete("/alerts/<uuid:alert_id>/mute")
@platform_login
@blp.response(204)
@blp.errors(AlertUnknown)
def unmute_platform_alert(alert_id: UUID) -> None:
    """Unmute an alert of the platform.

    For platform admins. Ends the mute of an open alert.
    """
    alerts.unmute_alert(this_platform(), alert_id)


@blp.get("/alert-mutes")
@platform_login
@blp.response(200, MuteListResponse)
def list_platform_mutes() -> dict[str, Any]:
    """List the platform's mutes.

    For platform admins. Returns the mutes of mini-programs and conditions that have not expired.
    """
    return {"items": alerts.list_mutes(this_platform())}


@blp.post("/alert-mutes")
@platform_login
@idempotent
@blp.arguments(NewMuteRequest)
@blp.response(201, MuteResponse)
@blp.errors(AlertMutesTooMany)
def add_platform_mute(body: NewMuteBody) -> ShownMute:
    """Mute a condition of the platform.

    For platform admins. Suppresses messages about future alerts of the platform.
    """
    return alerts.add_mute(this_platform(), body.appid, body.condition, body.duration)


@blp.delete("/alert-mutes/<uuid:mute_id>")
@platform_login
@blp.response(204)
@blp.errors(AlertMuteUnknown)
def remove_platform_mute(mute_id: UUID) -> None:
    """Remove a mute of the platform.

    For platform admins. Ends a mute. An open alert is then notified.
    """
    alerts.remove_mute(this_platform(), mute_id)


def this_platform() -> Owner:
    """Return the platform as the owner of alerts."""
    return Owner(this_operator().actor, None)
