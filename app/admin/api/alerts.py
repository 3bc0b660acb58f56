"""Routes of the alerts of a tenant: below /v1/admin/tenants/{slug}."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from app.admin.api.access import (
    step_up_required,
    tenant_admin_required,
    tenant_operator_required,
    this_tenant_scope,
)
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
from app.languages import accepted_language, translated
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
from app.services.alerts.channels import NewChannel, ShownChannel, Tested
from app.services.alerts.owner import Owner

blp = Blueprint(
    "admin_alerts", __name__, url_prefix="/v1/admin/tenants/<string:slug>", tag=ADMIN_ALERTS
)


@blp.get("/alert-channels")
@tenant_operator_required
@blp.response(200, ChannelListResponse)
def list_channels() -> dict[str, Any]:
    """List alert channels.

    Returns the channels with their last error. No response contains a URL or secret.
    """
    return listed_channels(this_owner())


@blp.post("/alert-channels")
@tenant_admin_required
@step_up_required
@idempotent
@blp.arguments(NewChannelRequest)
@blp.response(201, AddedChannelResponse)
@blp.errors(AlertChannelInvalid, AlertChannelsTooMany)
def add_channel(body: NewChannelBody) -> dict[str, Any]:
    """Add an alert channel.

    Adds an e-mail address, a robot or a webhook, to which messages about alerts are sent.
    Send a test message next.
    """
    return added_channel(this_owner(), body)


@blp.delete("/alert-channels/<uuid:channel_id>")
@tenant_admin_required
@step_up_required
@blp.response(204)
@blp.errors(AlertChannelUnknown)
def remove_channel(channel_id: UUID) -> None:
    """Remove an alert channel.

    Removes a channel and its unsent messages.
    """
    channels.remove_channel(this_owner(), channel_id)


@blp.post("/alert-channels/<uuid:channel_id>/test")
@tenant_admin_required
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, TestedChannelResponse)
@blp.errors(AlertChannelUnknown, AlertTestsTooMany)
def test_channel(body: EmptyBody, channel_id: UUID) -> Tested:
    """Test an alert channel.

    Sends a test message and returns the result. Ten tests a minute are accepted.
    """
    return translated_result(channels.test_channel(this_owner(), channel_id))


@blp.get("/alerts")
@tenant_operator_required
@blp.response(200, AlertListResponse)
def list_alerts() -> dict[str, Any]:
    """List alerts.

    Returns the open alerts and those that recovered within 30 days, open ones first.
    """
    return {"items": alerts.list_alerts(this_owner(), accepted_language())}


@blp.put("/alerts/<uuid:alert_id>/mute")
@tenant_admin_required
@blp.arguments(MuteAlertRequest)
@blp.response(200, MutedAlertResponse)
@blp.errors(AlertUnknown)
def mute_alert(body: MuteAlertBody, alert_id: UUID) -> dict[str, Any]:
    """Mute an alert.

    Suppresses messages about an open alert for some hours.
    """
    until = alerts.mute_alert(this_owner(), alert_id, body.duration)
    return {"muted_until": until}


@blp.delete("/alerts/<uuid:alert_id>/mute")
@tenant_admin_required
@blp.response(204)
@blp.errors(AlertUnknown)
def unmute_alert(alert_id: UUID) -> None:
    """Unmute an alert.

    Ends the mute of an open alert.
    """
    alerts.unmute_alert(this_owner(), alert_id)


@blp.get("/alert-mutes")
@tenant_operator_required
@blp.response(200, MuteListResponse)
def list_mutes() -> dict[str, Any]:
    """List mutes.

    Returns the mutes of mini-programs and conditions that have not expired.
    """
    return {"items": alerts.list_mutes(this_owner())}


@blp.post("/alert-mutes")
@tenant_admin_required
@idempotent
@blp.arguments(NewMuteRequest)
@blp.response(201, MuteResponse)
@blp.errors(AlertMutesTooMany)
def add_mute(body: NewMuteBody) -> ShownMute:
    """Mute a mini-program or condition.

    Suppresses messages about future alerts of a mini-program, a condition, or both.
    """
    return alerts.add_mute(this_owner(), body.appid, body.condition, body.duration)


@blp.delete("/alert-mutes/<uuid:mute_id>")
@tenant_admin_required
@blp.response(204)
@blp.errors(AlertMuteUnknown)
def remove_mute(mute_id: UUID) -> None:
    """Remove a mute.

    Ends a mute. An open alert is then notified.
    """
    alerts.remove_mute(this_owner(), mute_id)


def listed_channels(owner: Owner) -> dict[str, Any]:
    """Return the channels of an owner, with advice in the language of the request."""
    return {"items": [_with_translated_advice(one) for one in channels.list_channels(owner)]}


def added_channel(owner: Owner, body: NewChannelBody) -> dict[str, Any]:
    """Add a channel, and return it with the secret of a new webhook."""
    new = NewChannel(body.kind, body.name, body.language, body.target, body.secret)
    added = channels.add_channel(owner, new)
    return {"channel": _with_translated_advice(added.channel), "new_secret": added.new_secret}


def _with_translated_advice(channel: ShownChannel) -> ShownChannel:
    advice = channel.advice and translated(channel.advice, accepted_language())
    return replace(channel, advice=advice)


def translated_result(tested: Tested) -> Tested:
    """Return the result of a test with the advice in the language of the request."""
    return replace(tested, advice=tested.advice and translated(tested.advice, accepted_language()))


def this_owner() -> Owner:
    """Return the tenant of this request as the owner of alerts."""
    return Owner(this_tenant_scope().actor, this_tenant_scope().tenant_id)
