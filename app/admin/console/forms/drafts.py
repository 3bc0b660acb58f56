"""Forms that were submitted too late: kept while the operator signs in, then shown again.

A draft holds the fields of one form, without secrets and files, encrypted in the session cookie.
It is shown to the operator who submitted it only, and never submitted by itself.
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
# Time to sign in, with a one-time code.
LIFETIME_SECONDS = 30 * 60
# Browsers drop cookies over 4 kB; a larger form is not kept.
LONGEST = 2500
NEVER_KEPT = (PasswordField, FileField, CSRFTokenField)


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields of a form, who submitted it, to which path, and when (Unix seconds)."""

    operator_id: str
    path: str
    fields: Sequence[tuple[str, str]]
    kept_at: float

    def may_be_shown_to(self, operator_id: UUID) -> bool:
        """Return whether it is this operator's draft, and recent."""
        age = now().timestamp() - self.kept_at
        return self.operator_id == str(operator_id) and 0 <= age < LIFETIME_SECONDS


def restores(form: type[FlaskForm]) -> Callable[[V], V]:
    """Mark a view that shows its form again, filled in, after a late submission.

    The view takes GET as well, and passes the form to its page.
    """

    def mark(view: V) -> V:
        view.__dict__["restored_form"] = form
        return view

    return mark


def restored_form() -> type[FlaskForm] | None:
    """Return the form that the requested view restores, if it restores one."""
    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "restored_form", None)


def keep_draft(operator_id: UUID) -> None:
    """Keep the submitted form in the session, if its view restores forms and it is small enough."""
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
    """Use the draft for this request's form. Return whether there is one.

    A draft of another operator, and one that is too old, is dropped. A draft for another path
    stays: the operator is still on the way to its page.
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
    """A form of the console; a GET request fills it in from the draft of its view."""

    class Meta(FlaskForm.Meta):
        """Where the fields come from."""

        def wrap_formdata(self, form: FlaskForm, formdata: Any) -> Any:
            """Return the submitted fields; for a GET request, those of the draft."""
            wrapped = super().wrap_formdata(form, formdata)
            is_automatic = formdata is not None and wrapped is None
            if is_automatic and type(form) is restored_form():
                return g.get("draft")
            return wrapped
