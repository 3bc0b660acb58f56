"""People of the tenant."""

from typing import ClassVar

from app.admin.console.pages import N_, TenantList
from app.models import User


class UsersView(TenantList):
    """List the tenant's users."""

    column_list = ("account", "nickname", "status", "last_login_at", "created_at")
    column_labels: ClassVar = {
        "account": N_("Account"),
        "nickname": N_("Nickname"),
        "status": N_("State"),
        "last_login_at": N_("Last login"),
        "created_at": N_("Since"),
    }
    column_searchable_list = ("account", "nickname")
    column_sortable_list = ("created_at", "last_login_at")
    column_default_sort = ("id", True)
    column_filters = ("status",)
    search_label = N_("Account or nickname")

    def __init__(self) -> None:
        super().__init__(User, N_("Users"), "users")
