"""List of a tenant's users, and the page that adds a user."""

from functools import partial

from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from app.admin.console.forms.drafts import restores
from app.admin.console.forms.users import EnterForm
from app.admin.console.labels import STATUS, filter_options
from app.admin.console.lists import ListFilter, filter_value, read_list
from app.admin.console.page_scope import tenant_scope_for_changes, this_tenant_scope
from app.admin.console.pages import render_page, tenant_pages
from app.admin.console.submissions import done, process_form
from app.i18n_marker import N_
from app.services.database.paging import OffsetPage, Page
from app.services.tenant_admin import user_changes
from app.services.tenant_admin.users import FoundUser, UserQuery, find_users_by_offset

pages = tenant_pages("users", "users")


@pages.route("/")
def index() -> ResponseReturnValue:
    """Show a page of the tenant's users that match the filters."""
    users = read_list(_find, _filters(), ("created_at", "last_login_at"))
    return render_template("console/users.html", users=users, labels=STATUS)


@pages.route("/enter", methods=["GET", "POST"])
@restores(EnterForm)
def enter() -> ResponseReturnValue:
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
        partial(render_page, "console/user_enter.html", form=form),
    )


def _filters() -> list[ListFilter]:
    return [
        ListFilter("name", N_("Account or nickname begins with")),
        ListFilter("phone", N_("Phone")),
        ListFilter("openid", N_("openid")),
        ListFilter("status", N_("State"), filter_options(STATUS)),
    ]


def _find(offset_page: OffsetPage) -> Page[FoundUser]:
    query = UserQuery(
        name=filter_value("name"),
        phone=filter_value("phone"),
        openid=filter_value("openid"),
        status=filter_value("status"),
    )
    return find_users_by_offset(this_tenant_scope(), query, offset_page)
