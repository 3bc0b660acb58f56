"""What the pages of the console share: who may see them, and lists of one tenant's rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import Admin, BaseView
from flask_admin.contrib.sqla import ModelView
from sqlalchemy.orm import Query

from app.admin.console.guard import error_page, find_desk, signed_in, this_desk
from app.errors import NotFound, RoleTooLow
from app.extensions import db


def N_(text: str) -> str:
    """Mark a text that is in the catalogue; pages translate it when they show it."""
    return text


@dataclass(frozen=True, slots=True)
class Choices:
    """What a list may be filtered by: values with the texts that stand for them."""

    label: str
    options: Sequence[tuple[str, str]]


class Page(BaseView):
    """A page, or several, of the console, whose failures are pages too."""

    # Whether only those who run the service may see it.
    for_platform = False
    # Whether it is about one tenant, which those who run the service choose first.
    of_tenant = True

    def create_blueprint(self, admin: Admin) -> Blueprint:
        """Tell failures as pages."""
        blueprint: Blueprint = super().create_blueprint(admin)
        blueprint.register_error_handler(Exception, error_page)
        return blueprint

    def is_visible(self) -> bool:
        """Show it in the menu to those who may see it."""
        return not self.for_platform or signed_in().role == "platform"

    def _handle_view(self, name: str, **kwargs: Any) -> ResponseReturnValue | None:
        if not self.is_visible():
            raise NotFound
        if self.of_tenant and find_desk() is None:
            return redirect(url_for("console_tenants.index"))
        return None


class TenantList(Page, ModelView):
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
    # By the name of a column: the values that people may choose among.
    choices: ClassVar[Mapping[str, Choices]] = {}
    search_label = ""

    def __init__(self, model: type, name: str, path: str) -> None:
        super().__init__(model, db, name=name, endpoint=f"console_{path}", url=path)

    def get_query(self) -> Query[Any]:
        """Select the tenant's rows."""
        return super().get_query().filter(self.model.tenant_id == this_desk().tenant_id)

    def get_count_query(self) -> Query[Any]:
        """Count the tenant's rows."""
        return super().get_count_query().filter(self.model.tenant_id == this_desk().tenant_id)

    def offered(self) -> Sequence[tuple[str, Choices]]:
        """Give what the list may be filtered by, with the names that Flask-Admin reads."""
        names = {flt.column.key: arg for arg, (_, flt) in (self._filter_args or {}).items()}
        return [(f"flt_{names[column]}", one) for column, one in self.choices.items()]

    def get_one(self, id: Any) -> Any:
        """Find none of another tenant's."""
        return self.get_query().filter(self.model.id == id).one_or_none()


def need_changer() -> None:
    """Raise RoleTooLow for whoever may only read."""
    if not signed_in().may_change:
        raise RoleTooLow


def done(to: str, message: str) -> ResponseReturnValue:
    """Show what was done above the page that follows."""
    flash(message, "done")
    return redirect(to)
