"""Route for platform admins to see the failing apps of all tenants: /v1/admin/failures."""

from datetime import timedelta

from app.admin.api.access import platform_login, this_operator
from app.admin.api.blueprint import Blueprint
from app.admin.api.failure_texts import in_accepted_language
from app.api.openapi.tags import ADMIN_TENANTS
from app.schemas.admin_requests.queries import FailuresParams, FailuresQuery
from app.schemas.admin_responses.failures import FailuresResponse
from app.services.failures.failing import FailureReport
from app.services.tenant_admin import failures

blp = Blueprint(
    "admin_service_failures", __name__, url_prefix="/v1/admin/failures", tag=ADMIN_TENANTS
)


@blp.get("")
@platform_login
@blp.arguments(FailuresQuery, location="query")
@blp.response(200, FailuresResponse)
def show_all_failures(query: FailuresParams) -> FailureReport:
    """Show failing mini-programs of all tenants.

    For platform admins. Returns which mini-programs fail, since when, why and what to do, from
    counts by minute of the last day. The last few seconds may be missing.
    """
    actor = this_operator().actor
    report = failures.get_all_failures(actor, timedelta(minutes=query.minutes))
    return in_accepted_language(report)
