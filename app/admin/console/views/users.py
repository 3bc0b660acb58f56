"""List of a tenant's users, and the page that adds a user."""

from functools import partial
from typing import ClassVar

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext

from app.admin.console.forms.drafts import restores
from app.admin.console.forms.users import EnterForm
from app.admin.console.labels import STATUS, filter_options, label_formatter
from app.admin.console.links import link_to
from app.admin.console.page_scope import tenant_scope_for_changes, this_tenant_scope
from app.admin.console.pages import (
    FilteredList,
    ListFilter,
    filter_value,
)
from app.admin.console.submissions import done, process_form
from app.admin.console.views.user_changes import UserPages
from app.i18n_marker import N_
from app.models import User
from app.services.database.paging import OffsetPage, Page
from app.services.tenant_admin import user_changes
from app.services.tenant_admin.users import FoundUser, UserQuery, find_users_by_offset


class UsersView(UserPages, FilteredList):
    """List of the tenant's users, the pages of one user, and the page that adds a user."""

    list_template = "console/users.html"
    column_list = ("nickname", "account", "phone", "status", "last_login_at", "created_at")
    column_labels: ClassVar = {
        "nickname": N_("Nickname"),
        "account": N_("Account"),
        "phone": N_("Phone"),
        "status": N_("State"),
        "last_login_at": N_("Last login"),
        "created_at": N_("Created"),
    }
    column_formatters: ClassVar = {
        "nickname": lambda _view, _context, user, _name: _link(user),
        "status": label_formatter(STATUS),
    }
    column_sortable_list = ("created_at", "last_login_at")

    def __init__(self) -> None:
        super().__init__(User, N_("Users"), "users")

    def list_filters(self) -> list[ListFilter]:
        """Return filters by account or nickname, phone, openid and state."""
        return [
            ListFilter("name", N_("Account or nickname begins with")),
            ListFilter("phone", N_("Phone")),
            ListFilter("openid", N_("openid")),
            ListFilter("status", N_("State"), filter_options(STATUS)),
        ]

    def find(self, offset_page: OffsetPage) -> Page[FoundUser]:
        """Return a page of users that match the filters."""
        query = UserQuery(
            name=filter_value("name"),
            phone=filter_value("phone"),
            openid=filter_value("openid"),
            status=filter_value("status"),
        )
        return find_users_by_offset(this_tenant_scope(), query, offset_page)

    @expose("/enter", methods=["GET", "POST"])
    @restores(EnterForm)
    def enter(self) -> ResponseReturnValue:
        """Show and process the form that adds a user."""
        scope, form = tenant_scope_for_changes(), EnterForm()
        return process_form(
            form,
            lambda: user_changes.create_user(
                scope,
                account=form.account.data or None,
                password=form.password.data or None,
                phone=form.phone.data or None,
                nickname=form.nickname.data or None,
            ),
            lambda user_id: done(url_for(".show", user_id=user_id), gettext("The user was added.")),
            partial(self.render_page, "console/user_enter.html", form=form),
        )


def _link(user: FoundUser) -> str:
    return link_to(".show", user.nickname or user.account or user.id, user_id=user.id)
