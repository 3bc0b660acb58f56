"""Forms for sign-in, operators, tenants, and import and export of users."""

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
    Regexp,
    ValidationError,
)

from app.admin.console.forms.drafts import ConsoleForm
from app.admin.console.forms.validators import stripped, valid_label
from app.admin.console.labels import ROLES, form_choices
from app.schemas.fields import is_email
from app.schemas.shapes import LONGEST_SLUG, SHORTEST_OPERATOR_PASSWORD, SLUG


def _printable(form: FlaskForm, one: Field) -> None:
    """Raise ValidationError for control characters and lone surrogates."""
    if any(category(char) in ("Cc", "Cs") for char in one.data or ""):
        raise ValidationError(gettext("Control characters are not allowed."))


def _email(form: FlaskForm, one: Field) -> None:
    if not is_email(one.data):
        raise ValidationError(gettext("This is not an e-mail address."))


def _tenant_matches_role(form: FlaskForm, one: Field) -> None:
    """Raise ValidationError if a tenant role has no tenant."""
    if form.role.data != "platform" and not one.data:
        raise ValidationError(gettext("Choose a tenant."))


def _text(label: Any, longest: int, *more: Any, **kwargs: Any) -> StringField:
    checks = [DataRequired(), Length(max=longest), _printable, *more]
    return StringField(label, checks, **kwargs)


class SignInForm(ConsoleForm):
    """Form for e-mail address and password of an operator."""

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


class CodeForm(ConsoleForm):
    """Form for a one-time code or a recovery code."""

    code = _text(
        lazy_gettext("Code from your authenticator app"),
        64,
        render_kw={"autocomplete": "one-time-code", "spellcheck": "false", "autofocus": True},
    )


class StepUpForm(ConsoleForm):
    """Form for step-up: password and one-time code of the signed-in operator."""

    password = PasswordField(
        lazy_gettext("Password"),
        [InputRequired(), Length(max=128)],
        render_kw={"autocomplete": "current-password", "autofocus": True},
    )
    code = _text(
        lazy_gettext("Code from your authenticator app"),
        64,
        render_kw={"autocomplete": "one-time-code", "spellcheck": "false"},
    )

    def entered_code(self) -> str | None:
        """Return the entered one-time code, or None if the form has no such field."""
        return self.code.data if "code" in self else None


def step_up_form(*, asks_code: bool) -> StepUpForm:
    """Return the step-up form, without the field for a one-time code unless `asks_code`."""
    form = StepUpForm()
    if not asks_code:
        del form.code
    return form


class OwnPasswordForm(ConsoleForm):
    """Form to change the operator's own password, which is entered twice."""

    password = PasswordField(
        lazy_gettext("New password, 12 characters or more"),
        [InputRequired(), Length(SHORTEST_OPERATOR_PASSWORD, 128)],
        render_kw={"autocomplete": "new-password", "autofocus": True},
    )
    again = PasswordField(
        lazy_gettext("Repeat the password"),
        [InputRequired(), EqualTo("password")],
        render_kw={"autocomplete": "new-password"},
    )


class InvitationForm(ConsoleForm):
    """Form to accept an invitation: the secret from the link, and the new password twice."""

    invitation = _text(lazy_gettext("Invitation"), 64)
    password = PasswordField(
        lazy_gettext("New password, 12 characters or more"),
        [InputRequired(), Length(SHORTEST_OPERATOR_PASSWORD, 128)],
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        lazy_gettext("Repeat the password"),
        [InputRequired(), EqualTo("password")],
        render_kw={"autocomplete": "new-password"},
    )


class InviteForm(ConsoleForm):
    """Form to invite an operator."""

    email = _text(lazy_gettext("E-mail address"), 254, _email, render_kw={"type": "email"})
    role = SelectField(lazy_gettext("Role"), choices=form_choices(ROLES))
    tenant = SelectField(lazy_gettext("Tenant"), [_tenant_matches_role], validate_choice=False)

    def role_and_tenant(self) -> tuple[str, str | None]:
        """Return the role and the tenant slug. The slug is None for a platform admin."""
        role = self.role.data
        return role, None if role == "platform" else self.tenant.data


class RoleForm(InviteForm):
    """Form to change the role and tenant of an operator."""

    email = None


class TenantForm(ConsoleForm):
    """Form to add a tenant."""

    slug = _text(
        lazy_gettext("Short name: lower-case letters, digits and hyphens"),
        LONGEST_SLUG,
        Regexp(rf"(?:{SLUG.pattern})\Z"),
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    name = StringField(lazy_gettext("Name"), [InputRequired(), valid_label], filters=[stripped])


class UploadForm(ConsoleForm):
    """Form to upload a file of users."""

    file = FileField(
        lazy_gettext("CSV or XLSX file, up to 5 MB"),
        [FileRequired(lazy_gettext("Choose a file."))],
        render_kw={"accept": ".csv,.xlsx", "required": True},
    )


class ExportForm(ConsoleForm):
    """Form to export users, with filters."""

    query = StringField(
        lazy_gettext("Account or nickname begins with (empty: all)"),
        [Length(max=64), _printable],
        filters=[stripped],
    )
    status = SelectField(
        lazy_gettext("State"),
        choices=[
            SelectChoice("", lazy_gettext("All")),
            SelectChoice("active", lazy_gettext("Active")),
            SelectChoice("disabled", lazy_gettext("Disabled")),
        ],
    )
    full_phones = BooleanField(lazy_gettext("With full phone numbers, not masked"))
