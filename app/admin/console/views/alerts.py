"""Pages of alerts, of a tenant and of the platform: channels, alerts and mutes."""

from functools import partial
from uuid import UUID

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import get_locale, gettext

from app.admin.console.forms.alerts import ChannelForm, MuteForm, NewMuteForm
from app.admin.console.forms.drafts import restores
from app.admin.console.labels import CHANNEL_KINDS, MUTE_HOURS
from app.admin.console.page_scope import signed_in, tenant_scope_for_changes, this_tenant_scope
from app.admin.console.pages import Confirmation, Page, needs_step_up
from app.admin.console.submissions import (
    done,
    process_form,
    redirect_when_done,
    show_until_valid,
)
from app.errors import Failure
from app.i18n_marker import N_
from app.services.alerts import alerts as service
from app.services.alerts import channels
from app.services.alerts.channels import Added, ShownChannel
from app.services.alerts.owner import Owner


class AlertsView(Page):
    """Channels, alerts and mutes of the tenant."""

    def __init__(
        self,
        name: str = N_("Alerts"),
        endpoint: str = "console_alerts",
        url: str = "alerts",
    ) -> None:
        super().__init__(name=name, endpoint=endpoint, url=url)

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """List channels, alerts and mutes."""
        return self._show()

    @expose("/channels/add", methods=["GET", "POST"])
    @needs_step_up
    @restores(ChannelForm)
    def add_channel(self) -> ResponseReturnValue:
        """Add a channel. The secret of a new webhook is shown once."""
        owner, form = self.owner_for_changes(), ChannelForm()
        return process_form(
            form,
            lambda: channels.add_channel(owner, form.new_channel()),
            self._show_added,
            partial(self.render_page, "console/alert_channel_add.html", form=form),
        )

    @expose("/channels/<uuid:channel_id>/remove", methods=["GET", "POST"])
    @needs_step_up
    def remove_channel(self, channel_id: UUID) -> ResponseReturnValue:
        """Remove a channel, after a confirmation."""
        owner = self.owner_for_changes()
        shown = channels.get_channel(owner, channel_id)
        return self.confirm(
            lambda: _removing(shown),
            lambda: channels.remove_channel(owner, channel_id),
            redirect_when_done(url_for(".index"), gettext("The channel was removed.")),
        )

    @expose("/channels/<uuid:channel_id>/test", methods=["POST"])
    def test_channel(self, channel_id: UUID) -> ResponseReturnValue:
        """Send a test message and show the result."""
        return _show_result(channels.test_channel(self.owner_for_changes(), channel_id))

    @expose("/<uuid:alert_id>/mute", methods=["POST"])
    def mute(self, alert_id: UUID) -> ResponseReturnValue:
        """Suppress messages about an alert."""
        owner, form = self.owner_for_changes(), MuteForm()
        return show_until_valid(
            form, lambda: _mute(owner, alert_id, form), lambda: redirect(url_for(".index"))
        )

    @expose("/<uuid:alert_id>/unmute", methods=["POST"])
    def unmute(self, alert_id: UUID) -> ResponseReturnValue:
        """End the mute of an alert."""
        service.unmute_alert(self.owner_for_changes(), alert_id)
        return done(url_for(".index"), gettext("The mute was ended."))

    @expose("/mutes/add", methods=["GET", "POST"])
    @restores(NewMuteForm)
    def add_mute(self) -> ResponseReturnValue:
        """Mute future alerts of a mini-program or condition."""
        owner, form = self.owner_for_changes(), NewMuteForm()
        return process_form(
            form,
            lambda: service.add_mute(owner, form.appid.data, form.condition.data, form.duration()),
            redirect_when_done(url_for(".index"), gettext("The mute was added.")),
            partial(self.render_page, "console/alert_mute_add.html", form=form),
        )

    @expose("/mutes/<uuid:mute_id>/remove", methods=["POST"])
    def remove_mute(self, mute_id: UUID) -> ResponseReturnValue:
        """End a mute."""
        service.remove_mute(self.owner_for_changes(), mute_id)
        return done(url_for(".index"), gettext("The mute was ended."))

    def owner(self) -> Owner:
        """Return the owner of the alerts on the page."""
        return Owner(this_tenant_scope().actor, this_tenant_scope().tenant_id)

    def owner_for_changes(self) -> Owner:
        """Return the owner of the alerts on the page. Raise RoleTooLow for a viewer."""
        scope = tenant_scope_for_changes()
        return Owner(scope.actor, scope.tenant_id)

    def _show_added(self, added: Added) -> ResponseReturnValue:
        if added.new_secret is None:
            return done(url_for(".index"), gettext("The channel was added. Send a test message."))
        return self._show(new_secret=added.new_secret)

    def _show(
        self, failure: Failure | None = None, new_secret: str | None = None
    ) -> ResponseReturnValue:
        owner, language = self.owner(), "zh" if str(get_locale()).startswith("zh") else "en"
        return self.render_page(
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


class PlatformAlertsView(AlertsView):
    """Channels, alerts and mutes of the platform. Only for platform admins."""

    for_platform, of_tenant = True, False

    def __init__(self) -> None:
        super().__init__(N_("Platform alerts"), "console_platform_alerts", "platform-alerts")

    def owner(self) -> Owner:
        """Return the platform."""
        return Owner(signed_in().actor, None)

    def owner_for_changes(self) -> Owner:
        """Return the platform."""
        return self.owner()


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
