"""Drafts of forms that were submitted after the session or the step-up had expired.

A draft contains the fields of one form without secrets and files. It is kept encrypted in the
session cookie while the operator signs in. Then the same operator sees the form filled in, and has
to submit it again.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar
from uuid import UUID

from flask import current_app, g, request, session
from flask_wtf import FlaskForm
from werkzeug.datastructures import ImmutableMultiDict, MultiDict
from wtforms import FileField, PasswordField
from wtforms.csrf.core import CSRFTokenField

from app.admin.console.cookies import DRAFT
from app.clock import now
from app.keyring import SealBroken, keyring

V = TypeVar("V", bound=Callable[..., Any])
PLACE = "console:draft"
# Long enough for a sign-in with a one-time code.
LIFETIME_SECONDS = 30 * 60
# The longest encrypted draft in bytes. Browsers discard cookies over 4 kB.
LONGEST = 2500
NEVER_KEPT = (PasswordField, FileField, CSRFTokenField)


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields of a form, with operator, path and time of submission in Unix seconds."""

    operator_id: str
    path: str
    fields: Sequence[tuple[str, str]]
    kept_at: float

    def may_be_shown_to(self, operator_id: UUID) -> bool:
        """Return whether the operator submitted the draft within the last 30 minutes."""
        age = now().timestamp() - self.kept_at
        return self.operator_id == str(operator_id) and 0 <= age < LIFETIME_SECONDS


def restores(form: type[FlaskForm]) -> Callable[[V], V]:
    """Mark a view that fills in its form from a draft after a late submission.

    The view must also accept GET, and must render the form.
    """

    def mark(view: V) -> V:
        view.__dict__["restored_form"] = form
        return view

    return mark


def restored_form() -> type[FlaskForm] | None:
    """Return the form class that the requested view restores from a draft, or None."""
    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "restored_form", None)


def keep_draft(operator_id: UUID) -> None:
    """Store the submitted form in the session cookie as a draft.

    Does nothing if the view does not restore forms, or if the form is too large.
    """
    form = restored_form()
    if form is None or request.method != "POST":
        return
    kept = {one.name for one in form(formdata=None) if not isinstance(one, NEVER_KEPT)}
    fields = [pair for pair in request.form.items(multi=True) if pair[0] in kept]
    draft = Draft(str(operator_id), request.path, fields, now().timestamp())
    sealed = keyring().seal(json.dumps(asdict(draft), ensure_ascii=False), PLACE)
    if len(sealed) <= LONGEST:
        session[DRAFT] = sealed


def take_draft(operator_id: UUID) -> bool:
    """Move the draft from the session to `g`, to fill in the form of this request.

    Return whether there was a draft for the requested path. A draft that is too old or of another
    operator is deleted. A draft for another path is kept.
    """
    draft = _read(session.get(DRAFT))
    if draft is None or not draft.may_be_shown_to(operator_id):
        session.pop(DRAFT, None)
        return False
    if request.method != "GET" or draft.path != request.path:
        return False
    session.pop(DRAFT)
    g.draft = ImmutableMultiDict(MultiDict(draft.fields))
    return True


def _read(sealed: object) -> Draft | None:
    if not isinstance(sealed, str):
        return None
    try:
        return Draft(**json.loads(keyring().open(sealed, PLACE)))
    except (SealBroken, ValueError, TypeError):
        return None


class ConsoleForm(FlaskForm):
    """Base class of the console's forms. A GET request fills in the form from a draft."""

    class Meta(FlaskForm.Meta):
        """Form options, with drafts as a source of field values."""

        def wrap_formdata(self, form: FlaskForm, formdata: Any) -> Any:
            """Return the submitted fields, or the fields of the draft for a GET request."""
            wrapped = super().wrap_formdata(form, formdata)
            is_automatic = formdata is not None and wrapped is None
            if is_automatic and type(form) is restored_form():
                return g.get("draft")
            return wrapped
