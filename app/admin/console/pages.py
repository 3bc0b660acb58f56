"""Base classes of console pages: access checks, confirmations, and lists of tenant data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any, ClassVar, TypeVar, cast

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import Admin, BaseView
from flask_admin.contrib.sqla import ModelView
from flask_babel import gettext
from sqlalchemy.orm import Query

from app.admin.console.cookies import ROOT
from app.admin.console.forms.drafts import keep_draft, take_draft
from app.admin.console.page_scope import (
    add_tenant,
    address_to_show,
    signed_in,
    take_tenant,
    tenant_scope_for_changes,
    this_tenant_scope,
)
from app.admin.console.rendering import error_page, find_tenant_scope, moment
from app.admin.console.submissions import is_submitted
from app.errors import Failure, NotFound, StepUpRequired
from app.extensions import db
from app.problems import failure_of, message_on_page
from app.services.database.paging import OffsetPage
from app.services.database.paging import Page as ListPage
from app.services.operators.step_up import require_step_up
from app.text_cleaning import clean_name

T = TypeVar("T")
V = TypeVar("V", bound=Callable[..., Any])

TENANT_ROOT = f"{ROOT}/t/<string:slug>"


@dataclass(frozen=True, slots=True)
class ListFilter:
    """A filter above a list: name of the query parameter, label, and options of a select."""

    name: str
    label: str
    options: Sequence[tuple[str, str]] = ()
    kind: str = "search"


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


class Page(BaseView):
    """Base class of console pages. An exception in a view is shown as an error page."""

    # Whether only platform admins may open the pages.
    for_platform = False
    # Whether the pages belong to a tenant, with URLs below /console/t/<slug>/.
    of_tenant = True
    # Whether tenant viewers may not open the pages.
    hidden_from_viewers = False
    in_menu = True

    def create_blueprint(self, admin: Admin) -> Blueprint:
        """Return the blueprint. It shows errors as pages and reads the tenant slug of URLs."""
        blueprint: Blueprint = super().create_blueprint(admin)
        blueprint.register_error_handler(Exception, error_page)
        if self.of_tenant:
            blueprint.url_value_preprocessor(take_tenant)
            blueprint.url_defaults(add_tenant)
        return blueprint

    def _get_view_url(self, admin: Admin, url: str) -> str:
        """Return the URL rule of the view, below the tenant root or the console root."""
        if url.startswith("/"):
            return url
        return f"{TENANT_ROOT}/{url}" if self.of_tenant else f"{ROOT}/{url}"

    @property
    def address(self) -> str:
        """The URL of the view's default page, for the current tenant."""
        return url_for(f"{self.endpoint}.{self._default_view}")

    def is_visible(self) -> bool:
        """Return whether the menu of the current page contains a link to the view."""
        is_about_something = not self.of_tenant or find_tenant_scope() is not None
        return self.in_menu and self.may_be_seen() and is_about_something

    def may_be_seen(self) -> bool:
        """Return whether the role of the signed-in operator permits the view."""
        has_role = not self.for_platform or signed_in().role == "platform"
        return has_role and (not self.hidden_from_viewers or signed_in().may_change)

    def _handle_view(self, name: str, **kwargs: Any) -> ResponseReturnValue | None:
        if self.for_platform and not self.may_be_seen():
            raise NotFound
        if self.of_tenant:
            this_tenant_scope()
        if self.hidden_from_viewers:
            tenant_scope_for_changes()
        try:
            if getattr(getattr(self, name), "needs_step_up", False):
                require_step_up(signed_in())
        except StepUpRequired:
            keep_draft(signed_in().operator_id)
            return redirect(url_for("console_account.prove", next=address_to_show()))
        if take_draft(signed_in().operator_id):
            flash(gettext("The form was not sent yet. Check it and send it again."))
        return None

    def render_page(
        self, template: str, failure: Failure | None = None, **values: Any
    ) -> ResponseReturnValue:
        """Render a template. A failure is shown at the top and determines the HTTP status."""
        page = self.render(template, failure=failure, **values)
        return page, failure.status if failure else 200

    def ask(self, confirmation: Confirmation) -> ResponseReturnValue:
        """Render a confirmation page, which sends a POST request to the same URL."""
        page: str = self.render("console/confirmation.html", confirmation=confirmation)
        return page

    def confirm(
        self,
        question: Callable[[], Confirmation],
        action: Callable[[], T],
        respond: Callable[[T], ResponseReturnValue],
    ) -> ResponseReturnValue:
        """Render the confirmation page for GET. For POST, run the action and respond to its result.

        A failure of the action is raised.
        """
        return respond(action()) if is_submitted() else self.ask(question())


def needs_step_up(view: V) -> V:
    """Mark a view that requires a sign-in or step-up within the last 5 minutes."""
    view.__dict__["needs_step_up"] = True
    return view


class TenantList(Page, ModelView):
    """A searchable and sortable list of a tenant's rows.

    Flask-Admin's own create, edit, delete and export functions are disabled.
    """

    can_create = can_edit = can_delete = can_export = False
    can_set_page_size = False
    page_size = 50
    list_template = "console/list.html"
    column_display_actions = False
    column_auto_select_related = False
    column_type_formatters: ClassVar = {
        datetime: lambda _view, value, _name: moment(value),
        type(None): lambda *_: "–",
    }
    search_label = ""

    def __init__(self, model: type, name: str, path: str) -> None:
        super().__init__(model, db, name=name, endpoint=f"console_{path}", url=path)

    def get_query(self) -> Query[Any]:
        """Return the query of the list, restricted to the tenant of the page."""
        return super().get_query().filter(self.model.tenant_id == this_tenant_scope().tenant_id)

    def get_count_query(self) -> Query[Any]:
        """Return the query that counts the rows of the tenant of the page."""
        return (
            super().get_count_query().filter(self.model.tenant_id == this_tenant_scope().tenant_id)
        )

    def get_one(self, id: Any) -> Any:
        """Return the row with this id, or None if it does not belong to the tenant of the page."""
        return self.get_query().filter(self.model.id == id).one_or_none()

    def get_list(
        self, page: int, sort: str | None, desc: bool, search: str | None, *rest: Any, **more: Any
    ) -> tuple[int, Sequence[Any]]:
        """Return row count and rows. Invalid page numbers and search texts are corrected."""
        return super().get_list(_number(page), sort, desc, _cleaned(search), *rest, **more)

    def list_filters(self) -> Sequence[ListFilter]:
        """Return the filters to show above the list."""
        return ()


class FilteredList(TenantList):
    """A list with filters in the query string. Subclasses load the rows with a service."""

    def get_list(self, page: int, sort: str | None, desc: bool, *_: Any, **__: Any) -> Any:
        """Return row count and rows. An invalid filter results in a message and no rows."""
        by = sort if sort in self._sortable_columns else None
        try:
            offset_page = OffsetPage(_number(page), by, bool(desc), self.page_size)
            found = self.find(offset_page)
        except Failure as failure:
            flash(message_on_page(failure_of(failure)), "error")
            return 0, []
        return found.count, found.items

    def find(self, offset_page: OffsetPage) -> ListPage[Any]:
        """Return the rows of a page and the number of all matching rows."""
        raise NotImplementedError


def filter_value(name: str) -> str | None:
    """Return the cleaned value of a filter in the query string, or None if it is empty."""
    return _cleaned(request.args.get(name))


def _cleaned(text: str | None) -> str | None:
    """Return a cleaned search text, or None if it has no visible character."""
    return clean_name(text or "") or None


def _number(page: int | None) -> int:
    """Return the page number, limited to 0 to 1,000,000."""
    return max(0, min(page or 0, 1_000_000))


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
