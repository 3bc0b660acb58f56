"""The forms of the console; what each one checks before a service is asked."""

from typing import Any
from unicodedata import category

from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, Field, PasswordField, SelectChoice, SelectField, StringField
from wtforms.validators import (
    DataRequired,
    EqualTo,
    InputRequired,
    Length,
    Optional,
    Regexp,
    ValidationError,
)

from app.schemas.fields import is_email

SHORTEST_PASSWORD = 12
REGISTRATION = ("on_phone", "on_login", "closed")


def _printable(form: FlaskForm, one: Field) -> None:
    """Refuse what the database cannot keep, and nobody types."""
    if any(category(char) in ("Cc", "Cs") for char in one.data or ""):
        raise ValidationError(gettext("Control characters are not allowed."))


def _email(form: FlaskForm, one: Field) -> None:
    if not is_email(one.data):
        raise ValidationError(gettext("This is no e-mail address."))


def _text(label: Any, longest: int, *more: Any, **kwargs: Any) -> StringField:
    checks = [DataRequired(), Length(max=longest), _printable, *more]
    return StringField(label, checks, **kwargs)


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

    email = _text(lazy_gettext("E-mail address"), 254, _email, render_kw={"type": "email"})
    role = SelectField(
        lazy_gettext("Role"),
        choices=[
            SelectChoice("tenant_admin", lazy_gettext("looks after a tenant")),
            SelectChoice("tenant_reader", lazy_gettext("only reads, of a tenant")),
            SelectChoice("platform", lazy_gettext("runs the service")),
        ],
    )
    tenant = SelectField(lazy_gettext("Tenant"), validators=[Optional()])


class TenantForm(FlaskForm):
    """A tenant that is new."""

    slug = _text(
        lazy_gettext("Short name, of small letters, digits and hyphens"),
        40,
        Regexp(r"[a-z0-9](-?[a-z0-9])*\Z"),
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    name = _text(lazy_gettext("Name"), 64, filters=[lambda text: text and text.strip()])


class UploadForm(FlaskForm):
    """A file of people."""

    file = FileField(
        lazy_gettext("CSV or XLSX file, up to 5 MB"),
        [FileRequired(lazy_gettext("Choose a file."))],
        render_kw={"accept": ".csv,.xlsx", "required": True},
    )


class ExportForm(FlaskForm):
    """Whom to take out, and how much of them."""

    query = StringField(
        lazy_gettext("Account or nickname begins with (empty: all)"), [Length(max=64), _printable]
    )
    status = SelectField(
        lazy_gettext("State"),
        choices=[
            SelectChoice("", lazy_gettext("all")),
            SelectChoice("active", lazy_gettext("active")),
            SelectChoice("disabled", lazy_gettext("disabled")),
        ],
    )
    full_phones = BooleanField(lazy_gettext("With full phone numbers, not masked"))
