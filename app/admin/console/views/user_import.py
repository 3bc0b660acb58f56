"""Many people at once: imported from a file after a look at it, and exported."""

from uuid import UUID

from flask import redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from app.admin.console.access import takes_body, this_tenant_scope
from app.admin.console.forms.drafts import restores
from app.admin.console.forms.operators import ExportForm, UploadForm
from app.admin.console.pages import Page, needs_step_up
from app.admin.downloads import users_csv
from app.errors import FAILURES, Failure
from app.i18n_marker import N_
from app.services.user_import.columns import COLUMNS, shown_names
from app.services.user_import.files import LARGEST_FILE, read_user_file
from app.services.user_import.preview import COMMAND, Preview, preview_import
from app.services.user_import.rows import BadCell
from app.services.user_import.run import begin_import, import_progress
from app.services.user_import.user_export import Wanted

# What a form adds to the file that it carries.
LARGEST_BODY = LARGEST_FILE + 64 * 1024
# Bad rows that a page shows; whoever has more of them mends those first.
MOST_SHOWN = 500
COLUMN_LABELS = {
    "account": N_("Account"),
    "phone": N_("Phone number"),
    "nickname": N_("Nickname"),
    "password": N_("Password"),
}


class UserImportView(Page):
    """Import and export of users. A file is imported only after its preview is confirmed."""

    for_changers = True

    def __init__(self) -> None:
        super().__init__(name=N_("Import and export"), endpoint="console_people", url="people")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Ask for a file; link to the export."""
        return self._shown(UploadForm(formdata=None))

    @expose("/preview", methods=["GET", "POST"])
    @restores(UploadForm)
    @takes_body(LARGEST_BODY)
    def preview(self) -> ResponseReturnValue:
        """Say what importing the file would do."""
        form = UploadForm()
        if not form.validate_on_submit():
            return self._shown(form)
        scope = this_tenant_scope()
        try:
            people = read_user_file(form.file.data.read(LARGEST_FILE + 1))
            preview = preview_import(scope.actor, scope.tenant_id, people)
        except Failure as failure:
            return self._shown(UploadForm(formdata=None), failure), failure.status
        notes = {"ignored": shown_names(preview.ignored), "command": COMMAND}
        shown = _bad_rows(preview) | notes
        return self.render("console/people_preview.html", preview=preview, **shown)

    @expose("/<uuid:import_id>/confirm", methods=["POST"])
    def confirm(self, import_id: UUID) -> ResponseReturnValue:
        """Import everybody, or nobody."""
        scope = this_tenant_scope()
        begin_import(scope.actor, scope.tenant_id, import_id)
        return redirect(url_for(".progress", import_id=import_id))

    @expose("/<uuid:import_id>")
    def progress(self, import_id: UUID) -> ResponseReturnValue:
        """Show how far it is."""
        scope = this_tenant_scope()
        progress = import_progress(scope.actor, scope.tenant_id, import_id)
        why = FAILURES.get(progress.failure or "")
        return self.render("console/people_progress.html", progress=progress, why=why)

    @expose("/export", methods=["GET", "POST"])
    @needs_step_up
    @restores(ExportForm)
    def export(self) -> ResponseReturnValue:
        """Ask which users to export; send them as CSV. The audit log records who exported."""
        form = ExportForm()
        if not form.validate_on_submit():
            return self.render("console/people_export.html", form=form)
        wanted = Wanted(form.query.data or "", form.status.data or None, form.full_phones.data)
        return users_csv(this_tenant_scope(), wanted)

    def _shown(self, upload: UploadForm, failure: Failure | None = None) -> str:
        page: str = self.render(
            "console/people.html", failure=failure, columns=COLUMNS, upload=upload
        )
        return page


def _bad_rows(preview: Preview) -> dict[str, object]:
    """Gather what is wrong by row, for a row may be wrong in several columns."""
    rows: dict[int, list[BadCell]] = {}
    for one in preview.bad:
        rows.setdefault(one.row, []).append(one)
    shown = list(rows.items())[:MOST_SHOWN]
    return {"bad_rows": shown, "bad_count": len(rows), "labels": COLUMN_LABELS}
