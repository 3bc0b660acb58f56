"""Forms about users."""

from typing import Any

from flask_babel import gettext, lazy_gettext
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Optional, StopValidation

from app.admin.console.forms.drafts import ConsoleForm
from app.admin.console.forms.validators import (
    an_id,
    cleaned_account,
    cleaned_name,
    keepable,
    optional,
    stripped,
)

NEW_PASSWORD = {"autocomplete": "new-password"}


def enough(form: Any, account: Any) -> None:
    """Require an account or a phone, and an account for a password."""
    if not account.data and (form.password.data or not form.phone.data):
        raise StopValidation(
            gettext("Enter an account. Without a password, a phone number is enough.")
        )


class EnterForm(ConsoleForm):
    """A user to add, by account, by phone, or both."""

    account = StringField(
        lazy_gettext("Account"), [enough, optional, keepable(64)], filters=[cleaned_account]
    )
    phone = StringField(
        lazy_gettext("Phone"),
        [Optional(), keepable(32)],
        filters=[stripped],
        render_kw={"inputmode": "tel", "autocomplete": "off"},
    )
    nickname = StringField(
        lazy_gettext("Nickname"), [optional, keepable(64)], filters=[cleaned_name]
    )
    password = PasswordField(
        lazy_gettext("Password (optional)"),
        [Optional(strip_whitespace=False), keepable(128, 8)],
        render_kw=NEW_PASSWORD,
    )


class UserPasswordForm(ConsoleForm):
    """A password that an admin sets."""

    password = PasswordField(
        lazy_gettext("New password"), [InputRequired(), keepable(128, 8)], render_kw=NEW_PASSWORD
    )


class MergeForm(ConsoleForm):
    """The user to merge into."""

    into_id = StringField(
        lazy_gettext("ID of the user to keep"), [InputRequired(), an_id], filters=[stripped]
    )
