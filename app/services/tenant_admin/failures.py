"""The failing apps of a tenant, or of all tenants, for operators."""

from datetime import timedelta

from app.services.apps.tenants import tenant_id_of
from app.services.audit import Actor
from app.services.database.stale_reads import read_on_primary
from app.services.failures.failing import FailureReport, report_failures
from app.services.tenant_admin.stale_lists import read_list
from app.services.tenant_admin.tenant_scope import TenantScope


def get_failures(scope: TenantScope, since: timedelta) -> FailureReport:
    """Return which apps of the tenant fail, and the logins of the last `since`."""
    return read_list(
        scope.actor, scope.tenant_id, lambda db: report_failures(db, since, scope.tenant_id)
    )


def get_all_failures(actor: Actor, since: timedelta) -> FailureReport:
    """Return which apps of all tenants fail. The caller has checked for a platform admin."""
    return read_list(actor, None, lambda db: report_failures(db, since))


def get_failures_of(tenant_slug: str | None, since: timedelta) -> FailureReport:
    """Return the failing apps of a tenant, or of all without a slug. Raise TenantUnknown."""
    tenant_id = tenant_id_of(tenant_slug) if tenant_slug else None
    return read_on_primary(lambda db: report_failures(db, since, tenant_id))
