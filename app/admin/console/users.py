"""People of the tenant: listed, found, entered."""

from typing import ClassVar
from uuid import UUID

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext

from app.admin.console.drafts import restores
from app.admin.console.guard import this_desk
from app.admin.console.links import link_to
from app.admin.console.pages import (
    Asked,
    FoundList,
    asked_for,
    done,
    need_changer,
    shown_again,
)
from app.admin.console.user_care import UserCare
from app.admin.console.user_forms import EnterForm
from app.admin.console.words import STATUS, offered, worded
from app.catalogue import N_
from app.models import User
from app.services import desk_care
from app.services.desk_users import FoundUser, UserQuery, list_users
from app.services.paging import Leaf, Page


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

    def find(self, leaf: Leaf) -> Page[FoundUser]:
        """Find them."""
        names = ("name", "phone", "openid", "status")
        query = UserQuery(**{name: asked_for(name) for name in names})
        return list_users(this_desk(), query, leaf)

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
            enter = desk_care.enter_user
            failure = shown_again(lambda: entered.append(enter(this_desk(), **facts)))
        if entered:
            to = url_for(".show", user_id=entered[0])
            return done(to, gettext("The person is entered."))
        return self.render_page("console/user_enter.html", form=form, failure=failure)


def _link(user: FoundUser) -> str:
    return link_to(".show", user.nickname or user.account or user.id, user_id=user.id)
