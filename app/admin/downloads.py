"""File downloads for operators."""

from flask import Response, stream_with_context

from app.services.tenant_admin.tenant_scope import TenantScope
from app.services.user_import.user_export import Wanted, export_users

CSV = "text/csv"


def users_csv(scope: TenantScope, wanted: Wanted) -> Response:
    """Return a streamed CSV file of users. The export is audited before the first row is sent.

    Raise RoleTooLow for a tenant viewer.
    """
    scope.refuse_reader()
    pieces = stream_with_context(export_users(scope.actor, scope.tenant_id, wanted))
    named = f'attachment; filename="{scope.tenant_slug}-people.csv"'
    return Response(pieces, mimetype=CSV, headers={"Content-Disposition": named})
