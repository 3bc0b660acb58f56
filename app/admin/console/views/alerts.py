"""Pages of alerts, of a tenant and of the platform: channels, alerts and mutes."""

from functools import partial
from uuid import UUID

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext

from app.admin.console.forms.alerts import ChannelForm, MuteForm, NewMuteForm
from app.admin.console.forms.drafts import restores
from app.admin.console.labels import CHANNEL_KINDS, MUTE_HOURS
from app.admin.console.page_access import needs_step_up, require_platform_admin
from app.admin.console.page_scope import signed_in, tenant_scope_for_changes, this_tenant_scope
from app.admin.console.pages import (
    Confirmation,
    confirm,
    own_pages,
    render_page,
    tenant_pages,
)
from app.admin.console.submissions import (
    done,
    process_form,
    redirect_when_done,
    show_until_valid,
)
from app.errors import Failure
from app.services.alerts import alerts as service
from app.services.alerts import channels
from app.services.alerts.channels import Added, ShownChannel
from app.services.alerts.owner import Owner

pages = tenant_pages("alerts", "alerts")
platform_pages = own_pages("platform_alerts", "platform-alerts", require_platform_admin)


@pages.route("/")
@platform_pages.route("/")
def index() -> ResponseReturnValue:
    """List channels, alerts and mutes."""
    return _show()


@pages.route("/channels/add", methods=["GET", "POST"])
@platform_pages.route("/channels/add", methods=["GET", "POST"])
@needs_step_up
@restores(ChannelForm)
def add_channel() -> ResponseReturnValue:
    """Add a channel. The secret of a new webhook is shown once."""
    owner, form = _owner_for_changes(), ChannelForm()
    return process_form(
        form,
        lambda: channels.add_channel(owner, form.new_channel()),
        _show_added,
        partial(render_page, "console/alert_channel_add.html", form=form),
    )


@pages.route("/channels/<uuid:channel_id>/remove", methods=["GET", "POST"])
@platform_pages.route("/channels/<uuid:channel_id>/remove", methods=["GET", "POST"])
@needs_step_up
def remove_channel(channel_id: UUID) -> ResponseReturnValue:
    """Remove a channel, after a confirmation."""
    owner = _owner_for_changes()
    shown = channels.get_channel(owner, channel_id)
    return confirm(
        lambda: _removing(shown),
        lambda: channels.remove_channel(owner, channel_id),
        redirect_when_done(url_for(".index"), gettext("The channel was removed.")),
    )


@pages.route("/channels/<uuid:channel_id>/test", methods=["POST"])
@platform_pages.route("/channels/<uuid:channel_id>/test", methods=["POST"])
def test_channel(channel_id: UUID) -> ResponseReturnValue:
    """Send a test message and show the result."""
    return _show_result(channels.test_channel(_owner_for_changes(), channel_id))


@pages.route("/<uuid:alert_id>/mute", methods=["POST"])
@platform_pages.route("/<uuid:alert_id>/mute", methods=["POST"])
def mute(alert_id: UUID) -> ResponseReturnValue:
    """Suppress messages about an alert."""
    owner, form = _owner_for_changes(), MuteForm()
    return show_until_valid(
        form, lambda: _mute(owner, alert_id, form), lambda: redirect(url_for(".index"))
    )


@pages.route("/<uuid:alert_id>/unmute", methods=["POST"])
@platform_pages.route("/<uuid:alert_id>/unmute", methods=["POST"])
def unmute(alert_id: UUID) -> ResponseReturnValue:
    """End the mute of an alert."""
    service.unmute_alert(_owner_for_changes(), alert_id)
    return done(url_for(".index"), gettext("The mute was ended."))


@pages.route("/mutes/add", methods=["GET", "POST"])
@platform_pages.route("/mutes/add", methods=["GET", "POST"])
@restores(NewMuteForm)
def add_mute() -> ResponseReturnValue:
    """Mute future alerts of a mini-program or condition."""
    owner, form = _owner_for_changes(), NewMuteForm()
    return process_form(
        form,
        lambda: service.add_mute(owner, form.appid.data, form.condition.data, form.duration()),
        redirect_when_done(url_for(".index"), gettext("The mute was added.")),
        partial(render_page, "console/alert_mute_add.html", form=form),
    )


@pages.route("/mutes/<uuid:mute_id>/remove", methods=["POST"])
@platform_pages.route("/mutes/<uuid:mute_id>/remove", methods=["POST"])
def remove_mute(mute_id: UUID) -> ResponseReturnValue:
    """End a mute."""
    service.remove_mute(_owner_for_changes(), mute_id)
    return done(url_for(".index"), gettext("The mute was ended."))


def _owner() -> Owner:
    """Return the owner of the alerts on the page: the platform, or the tenant in the URL."""
    if request.blueprint == platform_pages.name:
        return Owner(signed_in().actor, None)
    return Owner(this_tenant_scope().actor, this_tenant_scope().tenant_id)


def _owner_for_changes() -> Owner:
    """Return the owner of the alerts on the page. Raise RoleTooLow for a viewer."""
    if request.blueprint != platform_pages.name:
        tenant_scope_for_changes()
    return _owner()


def _show_added(added: Added) -> ResponseReturnValue:
    if added.new_secret is None:
        return done(url_for(".index"), gettext("The channel was added. Send a test message."))
    return _show(new_secret=added.new_secret)


def _show(failure: Failure | None = None, new_secret: str | None = None) -> ResponseReturnValue:
    owner, language = _owner(), "zh" if str(get_locale()).startswith("zh") else "en"
    return render_page(
        "console/alerts.html",
        failure=failure,
        channels=channels.list_channels(owner),
        alerts=service.list_alerts(owner, language),
        mutes=service.list_mutes(owner),
        kinds=CHANNEL_KINDS,
        hours=MUTE_HOURS,
        may_change=signed_in().may_change,
        new_secret=new_secret,
    )


def _mute(owner: Owner, alert_id: UUID, form: MuteForm) -> ResponseReturnValue:
    service.mute_alert(owner, alert_id, form.duration())
    return done(url_for(".index"), gettext("The alert was muted."))


def _show_result(tested: channels.Tested) -> ResponseReturnValue:
    if tested.delivered:
        flash(gettext("The test message was delivered."), "done")
    else:
        flash(f"{tested.error}: {gettext(tested.advice or '')}", "error")
    return redirect(url_for(".index"))


def _removing(channel: ShownChannel) -> Confirmation:
    return Confirmation(
        title=gettext("Remove this channel?"),
        about=f"{channel.name}: {channel.shown}",
        consequences=gettext("It gets no more messages. Its URL and secret are deleted."),
        button=gettext("Remove the channel"),
        back=url_for(".index"),
    )
