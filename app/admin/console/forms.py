"""The forms of the console; what each one checks before a service is asked."""

from typing import Any

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import PasswordField, SelectField, StringField
from wtforms.validators import EqualTo, InputRequired, Length, Optional, Regexp

SHORTEST_PASSWORD = 12
REGISTRATION = ("on_phone", "on_login", "closed")


def _text(label: Any, longest: int, *more: Any, **kwargs: Any) -> StringField:
    return StringField(label, [InputRequired(), Length(max=longest), *more], **kwargs)


class SignInForm(FlaskForm):
    """Who, and the password."""

    email = _text(
        lazy_gettext("E-mail address"),
        254,
        render_kw={"autocomplete": "username", "type": "email", "autofocus": True},
    )
    password = PasswordField(
        lazy_gettext("Password"),
        [InputRequired(), Length(max=128)],
        render_kw={"autocomplete": "current-password"},
    )


class CodeForm(FlaskForm):
    """What the authenticator app shows."""

    code = _text(
        lazy_gettext("Code of your authenticator app"),
        6,
        Regexp(r"[0-9]{6}\Z"),
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True},
    )


class InvitationForm(FlaskForm):
    """The secret of the link, and the password that its owner chooses."""

    invitation = _text(lazy_gettext("Invitation"), 64)
    password = PasswordField(
        lazy_gettext("New password, 12 characters or more"),
        [InputRequired(), Length(SHORTEST_PASSWORD, 128)],
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        lazy_gettext("The same password again"),
        [InputRequired(), EqualTo("password")],
        render_kw={"autocomplete": "new-password"},
    )


class InviteForm(FlaskForm):
    """Somebody who is to become an operator."""

    email = _text(lazy_gettext("E-mail address"), 254, render_kw={"type": "email"})
    role = SelectField(
        lazy_gettext("Role"),
        choices=[
            ("tenant_admin", lazy_gettext("looks after a tenant")),
            ("tenant_reader", lazy_gettext("only reads, of a tenant")),
            ("platform", lazy_gettext("runs the service")),
        ],
    )
    tenant = SelectField(lazy_gettext("Tenant"), validators=[Optional()])
