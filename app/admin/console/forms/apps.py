"""Forms about mini-programs."""

import re
from typing import Any

from flask_babel import gettext, lazy_gettext
from wtforms import PasswordField, SelectField, StringField
from wtforms.validators import InputRequired, Optional

from app.admin.console.forms.drafts import ConsoleForm
from app.admin.console.forms.validators import a_label, copied, stripped
from app.admin.console.labels import DATA_FORMAT, REGISTRATION, form_choices
from app.schemas.shapes import HIGHEST_SESSION_LIMIT
from app.services.apps.apps import APP_SECRET, ENCODING_AES_KEY, NEW_APPID, PUSH_TOKEN

NUMBER = re.compile(r"[0-9]{1,9}")
# No browser keeps what is typed here, or fills it in.
SECRET: Any = {
    "filters": [stripped],
    "render_kw": {"autocomplete": "off", "spellcheck": "false"},
}


class SessionLimitField(StringField):
    """A number of sessions, or `off` for no limit; empty is the default."""

    data: Any

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read a number, "off" or None; raise ValueError for anything else."""
        entered = valuelist[0].strip().lower() if valuelist else ""
        self.data = entered or None
        if entered in ("", "off"):
            return
        if not NUMBER.fullmatch(entered) or not 1 <= int(entered) <= HIGHEST_SESSION_LIMIT:
            asked = gettext("A number from 1 to {highest}, or off.")
            raise ValueError(asked.format(highest=HIGHEST_SESSION_LIMIT))
        self.data = int(entered)


class FactsForm(ConsoleForm):
    """A form that is nothing but facts about a mini-program."""

    def facts(self) -> dict[str, Any]:
        """Give what was entered, by name."""
        return {one.name: one.data for one in self if one.name != "csrf_token"}


class SettingsForm(FactsForm):
    """What may be changed of a mini-program."""

    name = StringField(lazy_gettext("Name"), [InputRequired(), a_label], filters=[stripped])
    registration = SelectField(lazy_gettext("Registration"), choices=form_choices(REGISTRATION))
    session_limit = SessionLimitField(
        lazy_gettext("Active sessions a user may have (empty: 50, off: no limit)")
    )
    data_format = SelectField(
        lazy_gettext("Data format of message push"), choices=form_choices(DATA_FORMAT)
    )


class AddForm(FactsForm):
    """A mini-program that is to be added."""

    appid = StringField(
        lazy_gettext("appid"), [InputRequired(), copied(NEW_APPID)], filters=[stripped]
    )
    name = StringField(lazy_gettext("Name"), [InputRequired(), a_label], filters=[stripped])
    registration = SelectField(lazy_gettext("Registration"), choices=form_choices(REGISTRATION))
    data_format = SelectField(
        lazy_gettext("Data format of message push"), choices=form_choices(DATA_FORMAT)
    )
    secret = PasswordField(
        lazy_gettext("AppSecret"),
        [InputRequired(), copied(APP_SECRET)],
        **SECRET,
    )
    push_token = PasswordField(
        lazy_gettext("Token of message push (may stay empty)"),
        [Optional(), copied(PUSH_TOKEN)],
        **SECRET,
    )
    encoding_aes_key = PasswordField(
        lazy_gettext("EncodingAESKey of message push (may stay empty)"),
        [Optional(), copied(ENCODING_AES_KEY)],
        **SECRET,
    )


class SecretsForm(ConsoleForm):
    """Secrets that replace those of a mini-program; an empty field leaves one as it is."""

    secret = PasswordField(
        lazy_gettext("AppSecret"),
        [Optional(), copied(APP_SECRET)],
        **SECRET,
    )
    next_secret = PasswordField(
        lazy_gettext("Next AppSecret"),
        [Optional(), copied(APP_SECRET)],
        **SECRET,
    )
    push_token = PasswordField(
        lazy_gettext("Token"),
        [Optional(), copied(PUSH_TOKEN)],
        **SECRET,
    )
    encoding_aes_key = PasswordField(
        lazy_gettext("EncodingAESKey"),
        [Optional(), copied(ENCODING_AES_KEY)],
        **SECRET,
    )

    def validate(self, extra_validators: Any = None) -> bool:
        """Require one secret at least."""
        if not super().validate(extra_validators):
            return False
        if not self.given():
            self.form_errors.append(gettext("Enter the secrets to replace."))
        return not self.form_errors

    def given(self) -> dict[str, str]:
        """Give the secrets that were entered."""
        names = ("secret", "next_secret", "push_token", "encoding_aes_key")
        return {name: self[name].data for name in names if name in self and self[name].data}


class ClaimSecretsForm(SecretsForm):
    """Secrets of a claim. It has no next AppSecret, which only follows a verified one."""

    next_secret = None


def secrets_form(*, is_claim: bool) -> SecretsForm:
    """Return the form for the secrets of a claim or of an app."""
    return ClaimSecretsForm() if is_claim else SecretsForm()
