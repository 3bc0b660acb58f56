"""Forms about mini-programs."""

import re
from typing import Any

from flask_babel import gettext, lazy_gettext
from wtforms import IntegerField, PasswordField, SelectField, StringField
from wtforms.validators import InputRequired, NumberRange, Optional

from app.admin.console.forms.drafts import ConsoleForm
from app.admin.console.forms.validators import copied_from_wechat, stripped, valid_label
from app.admin.console.labels import DATA_FORMAT, REGISTRATION, form_choices
from app.not_given import NOT_GIVEN, NotGiven
from app.schemas.shapes import HIGHEST_CALL_LIMIT, HIGHEST_SESSION_LIMIT
from app.services.apps.apps import APP_SECRET, ENCODING_AES_KEY, NEW_APPID, PUSH_TOKEN, NewApp
from app.services.apps.changes import AppSettings, SecretChanges

NUMBER = re.compile(r"[0-9]{1,9}")
# Field arguments of secrets. Browsers must neither store nor fill in such a field.
SECRET: Any = {
    "filters": [stripped],
    "render_kw": {"autocomplete": "off", "spellcheck": "false"},
}


class SessionLimitField(StringField):
    """Input for the session limit: a number, `off` for no limit, or empty for the default."""

    data: Any

    def process_formdata(self, valuelist: list[str]) -> None:
        """Set `data` to a number, "off", or None if empty. Raise ValueError for any other input."""
        entered = valuelist[0].strip().lower() if valuelist else ""
        self.data = entered or None
        if entered in ("", "off"):
            return
        if not NUMBER.fullmatch(entered) or not 1 <= int(entered) <= HIGHEST_SESSION_LIMIT:
            asked = gettext("A number from 1 to {highest}, or off.")
            raise ValueError(asked.format(highest=HIGHEST_SESSION_LIMIT))
        self.data = int(entered)


class SettingsForm(ConsoleForm):
    """Form for the settings of a mini-program."""

    name = StringField(lazy_gettext("Name"), [InputRequired(), valid_label], filters=[stripped])
    registration = SelectField(lazy_gettext("Registration"), choices=form_choices(REGISTRATION))
    session_limit = SessionLimitField(
        lazy_gettext("Active sessions per user (empty: 50, off: no limit)")
    )
    wechat_call_limit = IntegerField(
        lazy_gettext("WeChat calls in flight per process (empty: default)"),
        [Optional(), NumberRange(1, HIGHEST_CALL_LIMIT)],
    )
    data_format = SelectField(
        lazy_gettext("Data format of message push"), choices=form_choices(DATA_FORMAT)
    )

    def settings(self) -> AppSettings:
        """Return the entered settings. The call limit is NOT_GIVEN if it is no form field."""
        limit = self.wechat_call_limit
        return AppSettings(
            name=self.name.data,
            registration=self.registration.data,
            data_format=self.data_format.data,
            session_limit=self.session_limit.data,
            wechat_call_limit=NOT_GIVEN if limit is None else limit.data,
        )


class AddForm(ConsoleForm):
    """Form to add a mini-program with its secrets."""

    appid = StringField(
        lazy_gettext("appid"), [InputRequired(), copied_from_wechat(NEW_APPID)], filters=[stripped]
    )
    name = StringField(lazy_gettext("Name"), [InputRequired(), valid_label], filters=[stripped])
    registration = SelectField(lazy_gettext("Registration"), choices=form_choices(REGISTRATION))
    data_format = SelectField(
        lazy_gettext("Data format of message push"), choices=form_choices(DATA_FORMAT)
    )
    secret = PasswordField(
        lazy_gettext("AppSecret"),
        [InputRequired(), copied_from_wechat(APP_SECRET)],
        **SECRET,
    )
    push_token = PasswordField(
        lazy_gettext("Token of message push (optional)"),
        [Optional(), copied_from_wechat(PUSH_TOKEN)],
        **SECRET,
    )
    encoding_aes_key = PasswordField(
        lazy_gettext("EncodingAESKey of message push (optional)"),
        [Optional(), copied_from_wechat(ENCODING_AES_KEY)],
        **SECRET,
    )

    def new_app(self) -> NewApp:
        """Return the entered mini-program. Optional secrets that are empty are None."""
        return NewApp(
            appid=self.appid.data or "",
            name=self.name.data or "",
            registration=self.registration.data,
            data_format=self.data_format.data,
            secret=self.secret.data or "",
            push_token=self.push_token.data,
            encoding_aes_key=self.encoding_aes_key.data,
        )


class SecretsForm(ConsoleForm):
    """Form to replace secrets of a mini-program. An empty field leaves a secret unchanged."""

    secret = PasswordField(
        lazy_gettext("AppSecret"),
        [Optional(), copied_from_wechat(APP_SECRET)],
        **SECRET,
    )
    next_secret = PasswordField(
        lazy_gettext("Next AppSecret"),
        [Optional(), copied_from_wechat(APP_SECRET)],
        **SECRET,
    )
    push_token = PasswordField(
        lazy_gettext("Token"),
        [Optional(), copied_from_wechat(PUSH_TOKEN)],
        **SECRET,
    )
    encoding_aes_key = PasswordField(
        lazy_gettext("EncodingAESKey"),
        [Optional(), copied_from_wechat(ENCODING_AES_KEY)],
        **SECRET,
    )

    def validate(self, extra_validators: Any = None) -> bool:
        """Return whether the form is valid. At least one secret is required."""
        if not super().validate(extra_validators):
            return False
        if not self.changes().given():
            self.form_errors.append(gettext("Enter the secrets to replace."))
        return not self.form_errors

    def changes(self) -> SecretChanges:
        """Return the entered secrets. The others are NOT_GIVEN."""
        return SecretChanges(
            secret=self._entered("secret"),
            next_secret=self._entered("next_secret"),
            push_token=self._entered("push_token"),
            encoding_aes_key=self._entered("encoding_aes_key"),
        )

    def _entered(self, name: str) -> str | NotGiven:
        return (name in self and self[name].data) or NOT_GIVEN


class ClaimSecretsForm(SecretsForm):
    """Form to replace secrets of a claim. A next AppSecret requires a verified AppSecret."""

    next_secret = None


def secrets_form(*, is_claim: bool) -> SecretsForm:
    """Return the form that replaces the secrets of a claim or a verified app."""
    return ClaimSecretsForm() if is_claim else SecretsForm()
