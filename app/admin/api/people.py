"""Many people at once: /v1/admin/tenants/{slug}/imports and /exports."""

from typing import Any
from uuid import UUID

from flask import Response, request

from app.admin.access import desk_change, step_up_required, this_desk
from app.admin.api.blueprint import Blueprint
from app.admin.downloads import CSV, people_csv
from app.api.blueprint import REFERENCE, whole_body
from app.languages import accepted_language, all_translated
from app.schemas.admin_imports import PreviewResponse, ProgressResponse
from app.schemas.admin_requests import ExportRequest
from app.schemas.requests import EmptyRequest
from app.services import people_import
from app.services.people_export import Wanted
from app.services.people_files import LARGEST_FILE, read_people
from app.services.people_previews import Preview, preview_import

blp = Blueprint("admin_people", __name__, url_prefix="/v1/admin/tenants/<string:slug>")

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
A_FILE = {"type": "string", "format": "binary"}
FILE = {"required": True, "content": {kind: {"schema": A_FILE} for kind in (CSV, XLSX)}}


@blp.post("/imports")
@desk_change
@blp.doc(requestBody=FILE, responses={422: REFERENCE})
@blp.response(200, PreviewResponse)
def preview_people() -> dict[str, Any]:
    """Preview an import of a CSV or XLSX file. A file without bad rows is kept for an hour."""
    desk = this_desk()
    return _in_words(preview_import(desk.actor, desk.tenant_id, read_people(_file())))


@blp.post("/imports/<uuid:import_id>/confirmation")
@desk_change
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, ProgressResponse)
def confirm_people(body: dict[str, Any], import_id: UUID) -> people_import.Progress:
    """Begin to import everybody of one's own preview, or nobody."""
    desk = this_desk()
    people_import.begin_import(desk.actor, desk.tenant_id, import_id)
    return people_import.import_progress(desk.actor, desk.tenant_id, import_id)


@blp.get("/imports/<uuid:import_id>")
@desk_change
@blp.response(200, ProgressResponse)
def show_import(import_id: UUID) -> people_import.Progress:
    """Say how far one's own import is; nobody is a user before its state is `done`."""
    desk = this_desk()
    return people_import.import_progress(desk.actor, desk.tenant_id, import_id)


@blp.post("/exports")
@desk_change
@step_up_required
@blp.arguments(ExportRequest, required=False)
@blp.response(200, A_FILE, content_type=CSV)
def export_people(body: dict[str, Any]) -> Response:
    """Take people out as CSV; the audit trail says who took what."""
    return people_csv(this_desk(), Wanted(**body))


def _file() -> bytes:
    # Only now is it an operator's, who may send more than others.
    request.max_content_length = LARGEST_FILE + 1
    return whole_body(request)


def _in_words(preview: Preview) -> dict[str, Any]:
    language = accepted_language()
    bad = [
        {
            "row": one.row,
            "column": one.column,
            "code": one.code,
            "advice": one.fill(all_translated(one.sentences, language)),
        }
        for one in preview.bad
    ]
    counts = ("rows", "good", "sample", "ignored", "skipped")
    told = (*counts, "imported_at", "imported_by", "import_id")
    return {"bad": bad} | {name: getattr(preview, name) for name in told}
