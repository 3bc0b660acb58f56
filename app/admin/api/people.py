"""A tenant's people together: imports, exports and numbers, /v1/admin/tenants/{slug}/..."""

from typing import Any
from uuid import UUID

from flask import Response, request, stream_with_context
from flask_babel import gettext

from app.admin.access import desk_change, desk_login, this_desk
from app.admin.api.blueprint import Blueprint
from app.api.blueprint import REFERENCE, whole_body
from app.schemas.admin_requests import ExportRequest, OverviewQuery
from app.schemas.people_responses import ImportPreviewResponse, ImportResponse, OverviewResponse
from app.schemas.requests import EmptyRequest
from app.services import people_import
from app.services.overview import Overview, get_overview
from app.services.people_export import Wanted, export_people
from app.services.people_files import LARGEST_FILE, read_people
from app.services.people_previews import Preview, preview_import
from app.services.people_rows import BadCell

blp = Blueprint("admin_people", __name__, url_prefix="/v1/admin/tenants/<string:slug>")
FILE = {"schema": {"type": "string", "format": "binary"}}
SENT_FILE = {"content": {"application/octet-stream": FILE}, "required": True}


@blp.post("/imports")
@desk_change
@blp.doc(requestBody=SENT_FILE, responses={422: REFERENCE})
@blp.response(200, ImportPreviewResponse)
def preview_people() -> dict[str, Any]:
    """Say what importing a CSV or XLSX file would do; nobody is imported."""
    desk = this_desk()
    return _shown(preview_import(desk.actor, desk.tenant_id, read_people(_file())))


@blp.post("/imports/<uuid:import_id>/confirmation")
@desk_change
@blp.arguments(EmptyRequest, required=False)
@blp.response(202, ImportResponse)
def confirm_import(body: dict[str, Any], import_id: UUID) -> people_import.Progress:
    """Import everybody in a previewed file, or nobody; ask how far it is."""
    desk = this_desk()
    people_import.begin_import(desk.actor, desk.tenant_id, import_id)
    return people_import.import_progress(desk.actor, desk.tenant_id, import_id)


@blp.get("/imports/<uuid:import_id>")
@desk_change
@blp.response(200, ImportResponse)
def show_import(import_id: UUID) -> people_import.Progress:
    """Show how far one's own import is."""
    desk = this_desk()
    return people_import.import_progress(desk.actor, desk.tenant_id, import_id)


@blp.post("/exports")
@desk_change
@blp.arguments(ExportRequest, required=False)
@blp.response(200, {"type": "string"}, content_type="text/csv")
def export_users(body: dict[str, Any]) -> Response:
    """Give users as CSV; the audit trail says who took them before the first byte leaves."""
    desk = this_desk()
    pieces = export_people(desk.actor, desk.tenant_id, Wanted(**body))
    return Response(stream_with_context(pieces), mimetype="text/csv")


@blp.get("/overview")
@desk_login
@blp.arguments(OverviewQuery, location="query")
@blp.response(200, OverviewResponse)
def show_overview(query: dict[str, Any]) -> Overview:
    """Sum up what happened today and over some days."""
    return get_overview(this_desk().tenant_id, **query)


def _file() -> bytes:
    request.max_content_length = LARGEST_FILE + 1
    return whole_body(request)


def _shown(preview: Preview) -> dict[str, Any]:
    facts = {name: getattr(preview, name) for name in ImportPreviewResponse().fields}
    return facts | {"bad": [_told(one) for one in preview.bad]}


def _told(bad: BadCell) -> dict[str, Any]:
    return {
        "row": bad.row,
        "column": bad.column,
        "code": bad.code,
        "detail": bad.fill(gettext(bad.advice)),
    }
