"""Mini-programs of the tenant."""

from typing import ClassVar

from app.admin.console.pages import N_, TenantList
from app.models import WeChatApp


class AppsView(TenantList):
    """List the tenant's mini-programs."""

    column_list = ("name", "appid", "registration", "enabled", "created_at")
    column_labels: ClassVar = {
        "name": N_("Name"),
        "appid": N_("appid"),
        "registration": N_("Registration"),
        "enabled": N_("State"),
        "created_at": N_("Since"),
    }
    column_searchable_list = ("name", "appid")
    column_sortable_list = ("name", "appid", "created_at")
    column_default_sort = "name"
    search_label = N_("Name or appid")

    def __init__(self) -> None:
        super().__init__(WeChatApp, N_("Mini-programs"), "apps")
