"""Files that operators take out."""

from flask import Response, stream_with_context

from app.services.desks import Desk
from app.services.people_export import Wanted, export_people

CSV = "text/csv"


def people_csv(desk: Desk, wanted: Wanted) -> Response:
    """Give people of the tenant as a CSV file; who took what is in the trail before it begins."""
    desk.refuse_reader()
    pieces = stream_with_context(export_people(desk.actor, desk.tenant_id, wanted))
    named = f'attachment; filename="{desk.tenant_slug}-people.csv"'
    return Response(pieces, mimetype=CSV, headers={"Content-Disposition": named})
