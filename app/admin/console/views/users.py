"""People of the tenant: listed, found, entered."""

from typing import ClassVar
from uuid import UUID

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext

from app.admin.console.access import this_tenant_scope
from app.admin.console.forms.drafts import restores
from app.admin.console.forms.users import EnterForm
from app.admin.console.labels import STATUS, offered, worded
from app.admin.console.links import link_to
from app.admin.console.pages import (
    Asked,
    FoundList,
    asked_for,
    done,
    need_changer,
    shown_again,
)
from app.admin.console.views.user_changes import UserCare
from app.i18n_marker import N_
from app.models import User
from app.services.database.paging import OffsetPage, Page
from app.services.tenant_admin import user_changes
from app.services.tenant_admin.users import FoundUser, UserQuery, find_users_by_offset


class UsersView(UserCare, FoundList):
    """The tenant's users."""

    list_template = "console/users.html"
    column_list = ("nickname", "account", "phone", "status", "last_login_at", "created_at")
    column_labels: ClassVar = {
        "nickname": N_("Nickname"),
        "account": N_("Account"),
        "phone": N_("Phone"),
        "status": N_("State"),
        "last_login_at": N_("Last login"),
        "created_at": N_("Since"),
    }
    column_formatters: ClassVar = {
        "nickname": lambda _view, _context, user, _name: _link(user),
        "status": worded(STATUS),
    }
    column_sortable_list = ("created_at", "last_login_at")

    def __init__(self) -> None:
        super().__init__(User, N_("Users"), "users")

    def asked(self) -> list[Asked]:
        """Ask for who is looked for."""
        return [
            Asked("name", N_("Account or nickname begins with")),
            Asked("phone", N_("Phone")),
            Asked("openid", N_("openid")),
            Asked("status", N_("State"), offered(STATUS)),
        ]

    def find(self, offset_page: OffsetPage) -> Page[FoundUser]:
        """Find them."""
        names = ("name", "phone", "openid", "status")
        query = UserQuery(**{name: asked_for(name) for name in names})
        return find_users_by_offset(this_tenant_scope(), query, offset_page)

    @expose("/enter", methods=["GET", "POST"])
    @restores(EnterForm)
    def enter(self) -> ResponseReturnValue:
        """Enter a person who has not logged in yet."""
        need_changer()
        form = EnterForm()
        entered: list[UUID] = []
        failure = None
        if form.validate_on_submit():
            facts = {one.name: one.data or None for one in form if one.name != "csrf_token"}
            enter = user_changes.enter_user
            failure = shown_again(lambda: entered.append(enter(this_tenant_scope(), **facts)))
        if entered:
            to = url_for(".show", user_id=entered[0])
            return done(to, gettext("The person is entered."))
        return self.render_page("console/user_enter.html", form=form, failure=failure)


def _link(user: FoundUser) -> str:
    return link_to(".show", user.nickname or user.account or user.id, user_id=user.id)
