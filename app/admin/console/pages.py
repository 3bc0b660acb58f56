"""What the pages of the console have in common: who may see them, and lists of one tenant's rows."""

from typing import Any

from flask import Blueprint, flash, redirect
from flask.typing import ResponseReturnValue
from flask_admin import Admin, BaseView
from flask_admin.contrib.sqla import ModelView
from flask_babel import gettext
from sqlalchemy.orm import Query

from app.admin.console.guard import error_page, signed_in, this_desk
from app.errors import Failure, NotFound, RoleTooLow
from app.extensions import db
from app.languages import translated


class Page(BaseView):  # type: ignore[misc]
    """A page, or several, of the console, whose failures are pages too."""

    # Whether only those who run the service may see it.
    for_platform = False

    def create_blueprint(self, admin: Admin) -> Blueprint:
        """Tell failures as pages."""
        blueprint: Blueprint = super().create_blueprint(admin)
        blueprint.register_error_handler(Exception, error_page)
        return blueprint

    def is_visible(self) -> bool:
        """Show it in the menu to those who may see it."""
        return not self.for_platform or signed_in().role == "platform"

    def _handle_view(self, name: str, **kwargs: Any) -> None:
        if not self.is_visible():
            raise NotFound


class TenantList(Page, ModelView):  # type: ignore[misc]
    """Rows of the tenant whose desk this is, and of no other: listed, searched, filtered, sorted.

    Changes are made by services, each on a page of its own.
    """

    can_create = can_edit = can_delete = can_export = False
    can_set_page_size = False
    page_size = 50
    named_filter_urls = True
    list_template = "console/list.html"
    column_display_actions = False
    column_auto_select_related = False

    def __init__(self, model: type, name: str, endpoint: str) -> None:
        super().__init__(model, db, name=name, endpoint=endpoint)

    def get_query(self) -> Query[Any]:
        """Select the tenant's rows."""
        return super().get_query().filter(self.model.tenant_id == this_desk().tenant_id)

    def get_count_query(self) -> Query[Any]:
        """Count the tenant's rows."""
        return super().get_count_query().filter(self.model.tenant_id == this_desk().tenant_id)

    def get_one(self, id: Any) -> Any:
        """Find none of another tenant's."""
        return self.get_query().filter(self.model.id == id).one_or_none()


def need_changer() -> None:
    """Raise RoleTooLow for whoever may only read."""
    if not signed_in().may_change:
        raise RoleTooLow


def told(failure: Failure, language: str) -> None:
    """Show a failure above the next page."""
    flash(translated(failure.en, language), "error")


def done(message: str, to: str) -> ResponseReturnValue:
    """Show what was done above the page that follows."""
    flash(gettext(message), "done")
    return redirect(to)
