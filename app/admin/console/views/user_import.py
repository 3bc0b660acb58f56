"""Pages that import users from a file and export users."""

from functools import partial
from uuid import UUID

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.admin.console.access import accepts_body_up_to
from app.admin.console.forms.drafts import restores
from app.admin.console.forms.operators import ExportForm, UploadForm
from app.admin.console.page_access import needs_step_up, refuse_viewers
from app.admin.console.page_scope import this_tenant_scope
from app.admin.console.pages import render_page, tenant_pages
from app.admin.console.submissions import process_form, show_until_valid
from app.admin.downloads import users_csv
from app.errors import FAILURES, Failure
from app.i18n_marker import N_
from app.services.user_import.columns import COLUMNS, shown_names
from app.services.user_import.files import LARGEST_FILE, read_user_file
from app.services.user_import.preview import COMMAND, Preview, preview_import
from app.services.user_import.rows import BadCell
from app.services.user_import.run import Progress, begin_import, import_progress
from app.services.user_import.user_export import Wanted

# A file of the largest size, and the other fields of its form.
LARGEST_BODY = LARGEST_FILE + 64 * 1024
# The maximum number of invalid rows that a page lists.
MOST_SHOWN = 500
COLUMN_LABELS = {
    "account": N_("Account"),
    "phone": N_("Phone number"),
    "nickname": N_("Nickname"),
    "password": N_("Password"),
}


pages = tenant_pages("people", "people", refuse_viewers)


@pages.route("/")
def index() -> ResponseReturnValue:
    """Show the upload form and a link to the export."""
    return _show_upload(UploadForm(formdata=None))


@pages.route("/preview", methods=["GET", "POST"])
@restores(UploadForm)
@accepts_body_up_to(LARGEST_BODY)
def preview() -> ResponseReturnValue:
    """Check an uploaded file, and show the rows to import or the errors."""
    form = UploadForm()
    return process_form(form, lambda: _preview(form), _show_preview, partial(_show_upload, form))


@pages.route("/<uuid:import_id>/confirm", methods=["POST"], endpoint="confirm")
def confirm_import(import_id: UUID) -> ResponseReturnValue:
    """Start a previewed import, and redirect to its progress page."""
    scope = this_tenant_scope()
    begin_import(scope.actor, scope.tenant_id, import_id)
    return redirect(url_for(".progress", import_id=import_id))


@pages.route("/<uuid:import_id>")
def progress(import_id: UUID) -> ResponseReturnValue:
    """Show the progress, the success or the error of an import."""
    progress = _progress_of(import_id)
    why = FAILURES.get(progress.failure or "")
    return render_template("console/people_progress.html", progress=progress, why=why)


@pages.route("/export", methods=["GET", "POST"])
@needs_step_up
@restores(ExportForm)
def export() -> ResponseReturnValue:
    """Show the export form, and return the users as CSV. The export is audited."""
    form = ExportForm()
    return show_until_valid(
        form,
        lambda: users_csv(this_tenant_scope(), _wanted(form)),
        lambda: render_page("console/people_export.html", form=form),
    )


def _show_upload(upload: UploadForm, failure: Failure | None = None) -> ResponseReturnValue:
    return render_page("console/people.html", failure, columns=COLUMNS, upload=upload)


def _show_preview(preview: Preview) -> ResponseReturnValue:
    notes = {"ignored": shown_names(preview.ignored), "command": COMMAND}
    values = {"preview": preview} | _bad_rows(preview) | notes
    return render_template("console/people_preview.html", **values)


def _preview(form: UploadForm) -> Preview:
    scope = this_tenant_scope()
    people = read_user_file(form.file.data.read(LARGEST_FILE + 1))
    return preview_import(scope.actor, scope.tenant_id, people)


def _progress_of(import_id: UUID) -> Progress:
    scope = this_tenant_scope()
    return import_progress(scope.actor, scope.tenant_id, import_id)


def _wanted(form: ExportForm) -> Wanted:
    return Wanted(form.query.data or "", form.status.data or None, form.full_phones.data)


def _bad_rows(preview: Preview) -> dict[str, object]:
    """Return the template variables of invalid rows, with the errors grouped by row."""
    rows: dict[int, list[BadCell]] = {}
    for one in preview.bad:
        rows.setdefault(one.row, []).append(one)
    shown = list(rows.items())[:MOST_SHOWN]
    return {"bad_rows": shown, "bad_count": len(rows), "labels": COLUMN_LABELS}
