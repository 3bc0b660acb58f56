"""Who did what at the tenant."""

from typing import ClassVar

from app.admin.console.pages import N_, TenantList
from app.models import AuditEvent


class AuditView(TenantList):
    """List the tenant's audit events."""

    column_list = ("created_at", "actor_kind", "actor_id", "action", "subject", "ip", "details")
    column_labels: ClassVar = {
        "created_at": N_("When"),
        "actor_kind": N_("Who"),
        "actor_id": N_("Id"),
        "action": N_("What"),
        "subject": N_("To whom"),
        "ip": N_("Address"),
        "details": N_("Details"),
    }
    column_sortable_list = ("created_at",)
    column_default_sort = ("id", True)
    column_filters = ("actor_kind", "action")

    def __init__(self) -> None:
        super().__init__(AuditEvent, N_("Audit trail"), "audit")
