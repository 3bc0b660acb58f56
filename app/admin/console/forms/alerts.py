"""Forms about alerts and their channels."""

from datetime import timedelta
from typing import Any

from flask_babel import gettext, lazy_gettext
from wtforms import Field, PasswordField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional, StopValidation

from app.admin.console.forms.drafts import ConsoleForm
from app.admin.console.forms.validators import stripped, valid_label
from app.admin.console.labels import CHANNEL_KINDS, LANGUAGES, MUTE_HOURS, form_choices
from app.schemas.shapes import ALERT_CONDITION, APP_KEY
from app.services.alerts.channels import NewChannel


class ChannelForm(ConsoleForm):
    """Form to add a channel. The target is no password field for e-mail addresses only."""

    kind = SelectField(lazy_gettext("Kind"), choices=form_choices(CHANNEL_KINDS))
    name = StringField(lazy_gettext("Name"), [InputRequired(), valid_label], filters=[stripped])
    language = SelectField(lazy_gettext("Language of messages"), choices=form_choices(LANGUAGES))
    # A password field, because the URL of a robot contains its key. Browsers must not store it.
    target = PasswordField(
        lazy_gettext("E-mail address, or URL of the robot or webhook"),
        [InputRequired(), Length(max=1000)],
        filters=[stripped],
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    secret = PasswordField(
        lazy_gettext("Secret that signs messages (DingTalk: SEC…; webhook: empty for a new one)"),
        [Optional(), Length(max=200)],
        filters=[stripped],
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )

    def new_channel(self) -> NewChannel:
        """Return the entered channel."""
        return NewChannel(
            kind=self.kind.data,
            name=self.name.data or "",
            language=self.language.data,
            target=self.target.data or "",
            secret=self.secret.data,
        )


def _appid(_form: Any, field: Field) -> None:
    if not APP_KEY.fullmatch(field.data):
        raise StopValidation(gettext("This is not an appid."))


def _condition(_form: Any, field: Field) -> None:
    if not ALERT_CONDITION.fullmatch(field.data):
        raise StopValidation(gettext("Copy the condition from the list of alerts."))


class MuteForm(ConsoleForm):
    """Form with the duration of a mute."""

    hours = SelectField(lazy_gettext("Duration"), choices=form_choices(MUTE_HOURS), coerce=int)

    def duration(self) -> timedelta:
        """Return the duration of the mute."""
        return timedelta(hours=self.hours.data)


class NewMuteForm(MuteForm):
    """Form to mute future alerts of a mini-program, a condition, or both."""

    appid = StringField(
        lazy_gettext("appid (empty: all)"), [Optional(), _appid], filters=[stripped]
    )
    condition = StringField(
        lazy_gettext("Condition (empty: all)"), [Optional(), _condition], filters=[stripped]
    )
