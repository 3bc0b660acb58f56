"""The page of one person, and what admins do there."""

from collections.abc import Callable
from uuid import UUID

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext

from app.admin.console.guard import this_desk
from app.admin.console.pages import Page, chosen, done, need_changer, shown_again
from app.admin.console.user_forms import MergeForm, UserPasswordForm
from app.admin.console.words import ACTIONS, ACTORS, ENDED, STATUS, changes, told
from app.errors import Failure
from app.services import desk_care as service
from app.services.desk_sessions import end_session
from app.services.desk_users import show_user_page


class UserCare(Page):
    """One person: shown whole, and looked after."""

    @expose("/<uuid:user_id>/show")
    def show(self, user_id: UUID) -> ResponseReturnValue:
        """Show all there is of a person."""
        return self._shown(user_id)

    @expose("/<uuid:user_id>/status", methods=["POST"])
    def status(self, user_id: UUID) -> ResponseReturnValue:
        """Disable a person, or let them in again."""
        status = chosen("status", "active", "disabled")
        return self._do(user_id, lambda: service.set_user_status(this_desk(), user_id, status))

    @expose("/<uuid:user_id>/end-sessions", methods=["POST"])
    def end_sessions(self, user_id: UUID) -> ResponseReturnValue:
        """End every session of a person."""
        return self._do(user_id, lambda: service.end_user_sessions(this_desk(), user_id))

    @expose("/<uuid:user_id>/sessions/<uuid:session_id>/end", methods=["POST"])
    def end_one(self, user_id: UUID, session_id: UUID) -> ResponseReturnValue:
        """End one session of a person."""
        return self._do(user_id, lambda: end_session(this_desk(), session_id))

    @expose("/<uuid:user_id>/identities/<uuid:identity_id>/unbind", methods=["POST"])
    def unbind(self, user_id: UUID, identity_id: UUID) -> ResponseReturnValue:
        """Free a WeChat identity."""
        desk = this_desk()
        return self._do(user_id, lambda: service.unbind_identity(desk, user_id, identity_id))

    @expose("/<uuid:user_id>/password", methods=["POST"])
    def set_password(self, user_id: UUID) -> ResponseReturnValue:
        """Set a password."""
        need_changer()
        form, desk = UserPasswordForm(), this_desk()
        if not form.validate_on_submit():
            return self._shown(user_id, password_form=form)
        new = form.password.data
        return self._do(user_id, lambda: service.set_user_password(desk, user_id, new))

    @expose("/<uuid:user_id>/release-phone", methods=["POST"])
    def release_phone(self, user_id: UUID) -> ResponseReturnValue:
        """Take the phone number away."""
        return self._do(user_id, lambda: service.release_phone(this_desk(), user_id))

    @expose("/<uuid:user_id>/merge", methods=["POST"])
    def merge(self, user_id: UUID) -> ResponseReturnValue:
        """Merge this person into another."""
        need_changer()
        form, desk = MergeForm(), this_desk()
        if not form.validate_on_submit():
            return self._shown(user_id, merge_form=form)
        into = UUID(form.into_id.data)
        return self._do(user_id, lambda: service.merge_users(desk, user_id, into))

    @expose("/<uuid:user_id>/undo-merge", methods=["POST"])
    def undo_merge(self, user_id: UUID) -> ResponseReturnValue:
        """Undo the last merge of this person."""
        return self._do(user_id, lambda: service.undo(this_desk(), user_id))

    def _do(self, user_id: UUID, change: Callable[[], object]) -> ResponseReturnValue:
        failure = shown_again(change)
        if failure:
            return self._shown(user_id, failure)
        return done(url_for("console_users.show", user_id=user_id), gettext("Done."))

    def _shown(
        self,
        user_id: UUID,
        failure: Failure | None = None,
        password_form: UserPasswordForm | None = None,
        merge_form: MergeForm | None = None,
    ) -> ResponseReturnValue:
        page = self.render(
            "console/user.html",
            whole=show_user_page(this_desk(), user_id),
            failure=failure,
            password_form=password_form or UserPasswordForm(formdata=None),
            merge_form=merge_form or MergeForm(formdata=None),
            words={"status": STATUS, "ended": ENDED, "actions": ACTIONS, "actors": ACTORS},
            told=told,
            changes=changes,
        )
        return page, failure.status if failure else 200
