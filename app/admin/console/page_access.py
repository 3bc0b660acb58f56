"""Access rules of pages. A rule runs before the view and returns None if the view may run."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from app.admin.console.forms.drafts import keep_draft, take_draft
from app.admin.console.page_scope import (
    address_to_show,
    signed_in,
    tenant_scope_for_changes,
    this_tenant_scope,
)
from app.errors import NotFound, StepUpRequired
from app.services.operators.step_up import require_step_up

Rule = Callable[[], ResponseReturnValue | None]
V = TypeVar("V", bound=Callable[..., Any])


def require_tenant() -> None:
    """Raise TenantUnknown unless the operator has access to the tenant in the URL."""
    this_tenant_scope()


def refuse_viewers() -> None:
    """Raise RoleTooLow for a tenant viewer."""
    tenant_scope_for_changes()


def require_platform_admin() -> None:
    """Raise NotFound unless the operator is a platform admin."""
    if signed_in().role != "platform":
        raise NotFound


def needs_step_up(view: V) -> V:
    """Mark a view that requires a sign-in or step-up within the last 5 minutes."""
    view.__dict__["needs_step_up"] = True
    return view


def require_recent_step_up() -> ResponseReturnValue | None:
    """Redirect to the step-up form if the view needs a recent step-up. Keep the form as a draft."""
    view = current_app.view_functions.get(request.endpoint or "")
    if not getattr(view, "needs_step_up", False):
        return None
    try:
        require_step_up(signed_in())
    except StepUpRequired:
        keep_draft(signed_in().operator_id)
        return redirect(url_for("console_account.prove", next=address_to_show()))
    return None


def restore_draft() -> None:
    """Fill in the form of the page from a draft, if there is one, and say so."""
    if take_draft(signed_in().operator_id):
        flash(gettext("The form was not sent yet. Check it and send it again."))
