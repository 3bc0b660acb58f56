"""Forms about operators and tenants, and their validation."""

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
    """Refuse control characters and lone surrogates."""
    if any(category(char) in ("Cc", "Cs") for char in one.data or ""):
        raise ValidationError(gettext("Control characters are not allowed."))


def _email(form: FlaskForm, one: Field) -> None:
    if not is_email(one.data):
        raise ValidationError(gettext("This is not an e-mail address."))


def _tenant_matches_role(form: FlaskForm, one: Field) -> None:
    """Require a tenant, except for a platform admin."""
    if form.role.data != "platform" and not one.data:
        raise ValidationError(gettext("Choose a tenant."))


def _text(label: Any, longest: int, *more: Any, **kwargs: Any) -> StringField:
    checks = [DataRequired(), Length(max=longest), _printable, *more]
    return StringField(label, checks, **kwargs)


class SignInForm(ConsoleForm):
    """E-mail address and password."""

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
    """The code that the authenticator app shows."""

    code = _text(
        lazy_gettext("Code from your authenticator app"),
        64,
        render_kw={"autocomplete": "one-time-code", "spellcheck": "false", "autofocus": True},
    )


class ProofForm(ConsoleForm):
    """The password, and the one-time code, of the operator who is signed in."""

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
        """Return the one-time code, None if the form does not ask for it."""
        return self.code.data if "code" in self else None


def proof_form(*, asks_code: bool) -> ProofForm:
    """Return the form that asks for the password, and for a one-time code if enrolled."""
    form = ProofForm()
    if not asks_code:
        del form.code
    return form


class OwnPasswordForm(ConsoleForm):
    """The operator's new password, twice."""

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
    """The secret of the link, and the password that the operator chooses."""

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
    """An operator to invite."""

    email = _text(lazy_gettext("E-mail address"), 254, _email, render_kw={"type": "email"})
    role = SelectField(lazy_gettext("Role"), choices=form_choices(ROLES))
    tenant = SelectField(lazy_gettext("Tenant"), [_tenant_matches_role], validate_choice=False)

    def role_and_tenant(self) -> tuple[str, str | None]:
        """Return the role and the tenant's slug, which is None for a platform admin."""
        role = self.role.data
        return role, None if role == "platform" else self.tenant.data


class RoleForm(InviteForm):
    """The new role of an operator."""

    email = None


class TenantForm(ConsoleForm):
    """A tenant to add."""

    slug = _text(
        lazy_gettext("Short name: lower-case letters, digits and hyphens"),
        LONGEST_SLUG,
        Regexp(rf"(?:{SLUG.pattern})\Z"),
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    name = StringField(lazy_gettext("Name"), [InputRequired(), valid_label], filters=[stripped])


class UploadForm(ConsoleForm):
    """A file of users to import."""

    file = FileField(
        lazy_gettext("CSV or XLSX file, up to 5 MB"),
        [FileRequired(lazy_gettext("Choose a file."))],
        render_kw={"accept": ".csv,.xlsx", "required": True},
    )


class ExportForm(ConsoleForm):
    """The users to export, and with which columns."""

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
