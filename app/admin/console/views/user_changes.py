"""Page of one user, with the actions that change the user."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from app.admin.console.forms.drafts import restores
from app.admin.console.forms.users import MergeForm, UserPasswordForm
from app.admin.console.labels import ACTIONS, ACTORS, ENDED, STATUS, changes, label_of
from app.admin.console.page_scope import tenant_scope_for_changes, this_tenant_scope
from app.admin.console.pages import Confirmation, ask, render_page
from app.admin.console.submissions import (
    is_submitted,
    process_form,
    redirect_when_done,
    run_or_show_failure,
    show_until_valid,
)
from app.admin.console.views import user_confirmations as confirmations
from app.admin.console.views.users import pages
from app.errors import Failure
from app.services.tenant_admin import user_changes as service
from app.services.tenant_admin.sessions import end_session
from app.services.tenant_admin.tenant_scope import TenantScope
from app.services.tenant_admin.users import FoundUser, get_users_to_merge, show_user_page

__all__ = ["pages"]

Question = Callable[[FoundUser], Confirmation]


@pages.route("/<uuid:user_id>/show")
def show(user_id: UUID) -> ResponseReturnValue:
    """Show a user with WeChat identities, sessions, merges and audit events."""
    return _show_user(user_id)


@pages.route("/<uuid:user_id>/enable", methods=["POST"])
def enable(user_id: UUID) -> ResponseReturnValue:
    """Enable a user."""
    return _change(user_id, lambda: service.set_user_status(this_tenant_scope(), user_id, "active"))


@pages.route("/<uuid:user_id>/disable", methods=["GET", "POST"])
def disable(user_id: UUID) -> ResponseReturnValue:
    """Disable a user, after a confirmation."""
    disable = service.set_user_status
    return _confirm(
        user_id,
        confirmations.disabling,
        lambda: disable(this_tenant_scope(), user_id, "disabled"),
    )


@pages.route("/<uuid:user_id>/end-sessions", methods=["GET", "POST"])
def end_sessions(user_id: UUID) -> ResponseReturnValue:
    """End all sessions of a user, after a confirmation."""
    return _confirm(
        user_id,
        confirmations.ending_sessions,
        lambda: service.end_user_sessions(this_tenant_scope(), user_id),
    )


@pages.route("/<uuid:user_id>/sessions/<uuid:session_id>/end", methods=["POST"])
def end_one(user_id: UUID, session_id: UUID) -> ResponseReturnValue:
    """End one session of a user."""
    return _change(user_id, lambda: end_session(this_tenant_scope(), session_id))


@pages.route("/<uuid:user_id>/identities/<uuid:identity_id>/unbind", methods=["GET", "POST"])
def unbind(user_id: UUID, identity_id: UUID) -> ResponseReturnValue:
    """Unlink a WeChat identity from its user, after a confirmation."""
    return _confirm(
        user_id,
        confirmations.unlinking,
        lambda: service.unbind_identity(this_tenant_scope(), user_id, identity_id),
    )


@pages.route("/<uuid:user_id>/release-phone", methods=["GET", "POST"])
def release_phone(user_id: UUID) -> ResponseReturnValue:
    """Remove the phone number of a user, after a confirmation."""
    return _confirm(
        user_id,
        confirmations.removing_phone,
        lambda: service.release_phone(this_tenant_scope(), user_id),
    )


@pages.route("/<uuid:user_id>/undo-merge", methods=["GET", "POST"])
def undo_merge(user_id: UUID) -> ResponseReturnValue:
    """Undo the last merge of a user, after a confirmation."""
    return _confirm(
        user_id, confirmations.undoing_merge, lambda: service.undo(this_tenant_scope(), user_id)
    )


@pages.route("/<uuid:user_id>/password", methods=["GET", "POST"])
@restores(UserPasswordForm)
def set_password(user_id: UUID) -> ResponseReturnValue:
    """Show and process the form that sets the password of a user."""
    scope, form = tenant_scope_for_changes(), UserPasswordForm()
    return process_form(
        form,
        lambda: service.set_user_password(scope, user_id, form.password.data),
        redirect_when_done(_page(user_id), gettext("The password was set.")),
        partial(_show_password_form, scope, user_id, form),
    )


@pages.route("/<uuid:user_id>/merge", methods=["GET", "POST"])
@restores(MergeForm)
def merge(user_id: UUID) -> ResponseReturnValue:
    """Merge a user into another user, after a confirmation that names both users."""
    scope, form = tenant_scope_for_changes(), MergeForm()
    return show_until_valid(
        form,
        lambda: _merge_or_ask(scope, user_id, UUID(form.into_id.data)),
        lambda: _show_user(user_id, merge_form=form),
    )


def _show_password_form(
    scope: TenantScope, user_id: UUID, form: UserPasswordForm, failure: Failure | None
) -> ResponseReturnValue:
    user = show_user_page(scope, user_id).user
    return render_page("console/user_password.html", failure, user=user, form=form)


def _merge_or_ask(scope: TenantScope, user_id: UUID, into_id: UUID) -> ResponseReturnValue:
    """Merge the users if the confirmation is submitted, otherwise show the confirmation.

    The merge form is a POST request too, so the method does not distinguish them.
    """
    if "confirmed" in request.form:
        return _change(user_id, lambda: service.merge_users(scope, user_id, into_id))
    return run_or_show_failure(
        lambda: get_users_to_merge(scope, user_id, into_id),
        lambda users: ask(confirmations.merging(*users)),
        partial(_show_user, user_id),
    )


def _confirm(
    user_id: UUID, question: Question, change: Callable[[], object]
) -> ResponseReturnValue:
    """Show a confirmation for GET. For POST, make the change."""
    scope = tenant_scope_for_changes()
    if not is_submitted():
        return ask(question(show_user_page(scope, user_id).user))
    return _change(user_id, change)


def _change(user_id: UUID, change: Callable[[], object]) -> ResponseReturnValue:
    """Make a change, then redirect to the user's page or show the failure on it."""
    return run_or_show_failure(
        change,
        redirect_when_done(_page(user_id), gettext("Success.")),
        partial(_show_user, user_id),
    )


def _show_user(
    user_id: UUID,
    failure: Failure | None = None,
    merge_form: MergeForm | None = None,
) -> ResponseReturnValue:
    return render_page(
        "console/user.html",
        whole=show_user_page(this_tenant_scope(), user_id),
        failure=failure,
        merge_form=merge_form or MergeForm(formdata=None),
        labels={"status": STATUS, "ended": ENDED, "actions": ACTIONS, "actors": ACTORS},
        label_of=label_of,
        changes=changes,
    )


def _page(user_id: UUID) -> str:
    return url_for("console_users.show", user_id=user_id)
