"""Forms to add users, set passwords and merge users."""

from typing import Any

from flask_babel import gettext, lazy_gettext
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Optional, StopValidation

from app.admin.console.forms.drafts import ConsoleForm
from app.admin.console.forms.validators import (
    cleaned_account,
    cleaned_name,
    optional,
    storable_text,
    stripped,
    valid_user_id,
)

NEW_PASSWORD = {"autocomplete": "new-password"}


def account_or_phone_given(form: Any, account: Any) -> None:
    """Raise StopValidation without account and phone, or for a password without account."""
    if not account.data and (form.password.data or not form.phone.data):
        raise StopValidation(
            gettext("Enter an account. Without a password, a phone number is enough.")
        )


class EnterForm(ConsoleForm):
    """Form to add a user with an account, a phone number, or both."""

    account = StringField(
        lazy_gettext("Account"),
        [account_or_phone_given, optional, storable_text(64)],
        filters=[cleaned_account],
    )
    phone = StringField(
        lazy_gettext("Phone"),
        [Optional(), storable_text(32)],
        filters=[stripped],
        render_kw={"inputmode": "tel", "autocomplete": "off"},
    )
    nickname = StringField(
        lazy_gettext("Nickname"), [optional, storable_text(64)], filters=[cleaned_name]
    )
    password = PasswordField(
        lazy_gettext("Password (optional)"),
        [Optional(strip_whitespace=False), storable_text(128, 8)],
        render_kw=NEW_PASSWORD,
    )


class UserPasswordForm(ConsoleForm):
    """Form in which an admin sets the password of a user."""

    password = PasswordField(
        lazy_gettext("New password"),
        [InputRequired(), storable_text(128, 8)],
        render_kw=NEW_PASSWORD,
    )


class MergeForm(ConsoleForm):
    """Form for the id of the user who remains after a merge."""

    into_id = StringField(
        lazy_gettext("ID of the user to keep"), [InputRequired(), valid_user_id], filters=[stripped]
    )
