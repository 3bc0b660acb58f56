"""Routes to import and export users: /v1/admin/tenants/{slug}/imports and /exports."""

from typing import Any
from uuid import UUID

from flask import Response, request

from app.admin.api.access import step_up_required, tenant_admin_required, this_tenant_scope
from app.admin.api.blueprint import Blueprint
from app.admin.downloads import CSV, users_csv
from app.api.blueprint import whole_body
from app.api.openapi.errors import USER_FILE
from app.api.openapi.tags import ADMIN_IMPORTS
from app.errors import ImportConfirmed, ImportUnknown
from app.languages import accepted_language, all_translated
from app.schemas.admin_imports import PreviewResponse, ProgressResponse
from app.schemas.admin_requests.users import ExportBody, ExportRequest
from app.schemas.descriptions import examples, response_examples
from app.schemas.requests import EmptyBody, EmptyRequest
from app.services.user_import import run
from app.services.user_import.files import LARGEST_FILE, read_user_file
from app.services.user_import.preview import Preview, preview_import
from app.services.user_import.user_export import Wanted

blp = Blueprint(
    "admin_people", __name__, url_prefix="/v1/admin/tenants/<string:slug>", tag=ADMIN_IMPORTS
)

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
A_FILE = {"type": "string", "format": "binary"}
A_CSV_FILE = {"schema": A_FILE, "example": examples.CSV_FILE}
FILE = {
    "required": True,
    "description": "The file itself, as CSV in UTF-8 or GB18030, or as XLSX.",
    "content": {CSV: A_CSV_FILE, XLSX: {"schema": A_FILE}},
}


@blp.post("/imports")
@tenant_admin_required
@blp.doc(requestBody=FILE)
@blp.response(200, PreviewResponse, example=response_examples.GOOD_PREVIEW)
@blp.errors(*USER_FILE)
def preview_users() -> dict[str, Any]:
    """Preview an import.

    Reads a CSV or XLSX file of at most 5 MB and 20,000 rows, and returns what an import would
    do. The first row names the columns `account`, `phone`, `nickname` and `password`. A file
    without errors is stored for an hour: confirm it with its `import_id`.
    """
    scope = this_tenant_scope()
    return _preview_response(
        preview_import(scope.actor, scope.tenant_id, read_user_file(_uploaded_file()))
    )


@blp.post("/imports/<uuid:import_id>/confirmation")
@tenant_admin_required
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, ProgressResponse)
@blp.errors(ImportUnknown, ImportConfirmed)
def confirm_import(body: EmptyBody, import_id: UUID) -> run.Progress:
    """Confirm an import.

    Starts the import that you previewed. It runs in the background, and either all of its users
    are added or none. Read its progress until the state is `done` or `failed`.
    """
    scope = this_tenant_scope()
    run.begin_import(scope.actor, scope.tenant_id, import_id)
    return run.import_progress(scope.actor, scope.tenant_id, import_id)


@blp.get("/imports/<uuid:import_id>")
@tenant_admin_required
@blp.response(200, ProgressResponse)
@blp.errors(ImportUnknown)
def show_import(import_id: UUID) -> run.Progress:
    """Show the progress of an import.

    Returns the state of an import that you previewed. No user is visible before the state is
    `done`. Poll it every few seconds.
    """
    scope = this_tenant_scope()
    return run.import_progress(scope.actor, scope.tenant_id, import_id)


@blp.post("/exports")
@tenant_admin_required
@step_up_required
@blp.arguments(ExportRequest, required=False)
@blp.response(
    200,
    A_FILE,
    content_type=CSV,
    description="The CSV file.",
    example=examples.EXPORTED_FILE,
)
def export_users(body: ExportBody) -> Response:
    """Export users as CSV.

    Downloads the matching users, oldest first, with the columns `account`, `phone`, `nickname`,
    `status`, `created_at` and `last_login_at`. Phone numbers are masked unless `full_phones` is
    true. The audit log records the export.
    """
    wanted = Wanted(query=body.query, status=body.status, full_phones=body.full_phones)
    return users_csv(this_tenant_scope(), wanted)


def _uploaded_file() -> bytes:
    # The limit is raised here, after the operator is authenticated.
    request.max_content_length = LARGEST_FILE + 1
    return whole_body(request)


def _preview_response(preview: Preview) -> dict[str, Any]:
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
