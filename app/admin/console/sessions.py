"""Logins of the tenant's people."""

from typing import ClassVar

from app.admin.console.pages import N_, TenantList
from app.models import LoginSession


class SessionsView(TenantList):
    """List the tenant's login sessions."""

    column_list = ("user_id", "appid", "device", "ip", "created_at", "seen_at", "end_reason")
    column_labels: ClassVar = {
        "user_id": N_("User"),
        "appid": N_("appid"),
        "device": N_("Device"),
        "ip": N_("Address"),
        "created_at": N_("Since"),
        "seen_at": N_("Last seen"),
        "end_reason": N_("State"),
    }
    column_sortable_list = ("created_at", "seen_at")
    column_default_sort = ("id", True)
    column_filters = ("appid", "end_reason")

    def __init__(self) -> None:
        super().__init__(LoginSession, N_("Sessions"), "sessions")
