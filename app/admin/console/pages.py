"""Blueprints of console pages with their access rules, and pages that ask for a confirmation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.admin.console.cookies import ROOT
from app.admin.console.page_access import (
    Rule,
    require_recent_step_up,
    require_tenant,
    restore_draft,
)
from app.admin.console.page_scope import add_tenant, take_tenant
from app.admin.console.rendering import error_page
from app.admin.console.submissions import is_submitted
from app.errors import Failure

T = TypeVar("T")
V = TypeVar("V", bound=Callable[..., Any])

TENANT_ROOT = f"{ROOT}/t/<string:slug>"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Texts of a confirmation page, shown before an action that cannot be undone.

    `about` names the affected object. `fields` are hidden fields of the form. `back` is the URL of
    the cancel link.
    """

    title: str
    about: str
    consequences: str
    button: str
    back: str
    fields: Mapping[str, str] = field(default_factory=dict)


def tenant_pages(name: str, path: str, *rules: Rule) -> Blueprint:
    """Return a blueprint for pages of a tenant, below `/console/t/<slug>/`.

    Its views take no slug: `page_scope` has the tenant. The tenant, then the `rules`, are checked
    before every view.
    """
    pages = _pages(name, f"{TENANT_ROOT}/{path}", require_tenant, *rules)
    pages.url_value_preprocessor(take_tenant)
    pages.url_defaults(add_tenant)
    return pages


def own_pages(name: str, path: str, *rules: Rule) -> Blueprint:
    """Return a blueprint for pages that belong to no tenant."""
    return _pages(name, f"{ROOT}/{path}", *rules)


def _pages(name: str, prefix: str, *rules: Rule) -> Blueprint:
    pages = Blueprint(f"console_{name}", __name__, url_prefix=prefix.rstrip("/"))
    pages.register_error_handler(Exception, error_page)
    for rule in (*rules, require_recent_step_up, restore_draft):
        pages.before_request(rule)
    return pages


def render_page(template: str, failure: Failure | None = None, **values: Any) -> tuple[str, int]:
    """Render a template. A failure is shown at the top and determines the HTTP status."""
    page = render_template(template, failure=failure, **values)
    return page, failure.status if failure else 200


def ask(confirmation: Confirmation) -> str:
    """Render a confirmation page, which sends a POST request to the same URL."""
    return render_template("console/confirmation.html", confirmation=confirmation)


def confirm(
    question: Callable[[], Confirmation],
    action: Callable[[], T],
    respond: Callable[[T], ResponseReturnValue],
) -> ResponseReturnValue:
    """Render the confirmation page for GET. For POST, run the action and respond to its result.

    A failure of the action is raised.
    """
    return respond(action()) if is_submitted() else ask(question())


def redirects_on(failure: type[Failure], endpoint: str) -> Callable[[V], V]:
    """Return a decorator that redirects to an endpoint if the view raises the failure."""

    def decorate(view: V) -> V:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> ResponseReturnValue:
            try:
                response: ResponseReturnValue = view(*args, **kwargs)
            except failure:
                return redirect(url_for(endpoint))
            return response

        return cast(V, guarded)

    return decorate
