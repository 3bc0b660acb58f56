"""Views of the logged-in user: /v1/me. An unbound login may only export and erase its data."""

from collections.abc import Sequence
from uuid import UUID

from flask import Response
from marshmallow import EXCLUDE

from app.api.blueprint import Blueprint
from app.api.cursor_header import NEXT_CURSOR_HEADER, next_cursor_header
from app.api.json_stream import streamed
from app.auth import (
    any_login,
    bound_login,
    this_device,
    this_principal,
    this_tenant_id,
    this_user_id,
)
from app.schemas.export import ExportResponse
from app.schemas.requests import (
    CursorParams,
    CursorQuery,
    PasswordChangeBody,
    PasswordChangeRequest,
    ProfileChangeBody,
    ProfileChangeRequest,
)
from app.schemas.responses import ClosingResponse, SessionResponse, UserResponse
from app.services.database.paging import CursorPage
from app.services.privacy import export, visitors
from app.services.sessions import own_sessions
from app.services.users import account_closure, password_changes, users

blp = Blueprint("me", __name__, url_prefix="/v1/me")


@blp.get("")
@bound_login
@blp.response(200, UserResponse)
def show_me() -> users.Profile:
    """Return the profile of the logged-in user."""
    return users.show_user(this_tenant_id(), this_user_id())


@blp.patch("")
@bound_login
@blp.arguments(ProfileChangeRequest)
@blp.response(200, UserResponse)
def change_me(body: ProfileChangeBody) -> users.Profile:
    """Change the logged-in user's nickname, avatar or gender."""
    return users.change_user(
        this_tenant_id(),
        this_user_id(),
        nickname=body.nickname,
        avatar_url=body.avatar_url,
        gender=body.gender,
    )


@blp.delete("")
@any_login
@blp.response(200, ClosingResponse)
def close_me() -> account_closure.Closing:
    """Close the user's account. For an unbound login, erase the WeChat identity immediately.

    The session must have started in the last ten minutes. A login before `erase_after` reopens the
    account. An unbound login fails with `identity_bound` if its WeChat identity belongs to a user.
    """
    return visitors.close_or_erase(this_principal(), this_device())


@blp.get("/export")
@any_login
@blp.response(200, ExportResponse)
def export_me() -> Response:
    """Download all personal data of the logged-in user or unlinked identity as a JSON file."""
    parts = export.export_everything(this_principal(), this_device())
    return streamed(ExportResponse(), parts, "wxpass-export.json")


@blp.post("/password")
@bound_login
@blp.arguments(PasswordChangeRequest)
@blp.response(204)
def change_password(body: PasswordChangeBody) -> None:
    """Change the logged-in user's password and end the user's other sessions."""
    password_changes.change_password(
        this_principal(),
        this_user_id(),
        this_device(),
        old_password=body.old_password,
        new_password=body.new_password,
    )


@blp.get("/sessions")
@bound_login
@blp.arguments(CursorQuery, location="query", unknown=EXCLUDE)
@blp.response(200, SessionResponse(many=True), headers=NEXT_CURSOR_HEADER)
def list_my_sessions(
    query: CursorParams,
) -> tuple[Sequence[own_sessions.ShownSession], int, dict[str, str]]:
    """List the active sessions of the logged-in user, newest first, 50 per page by default."""
    page = own_sessions.list_sessions(this_principal(), CursorPage(query.cursor, query.limit))
    return page.items, 200, next_cursor_header(page)


@blp.delete("/sessions/<uuid:session_id>")
@bound_login
@blp.response(204)
def end_my_session(session_id: UUID) -> None:
    """End one login session of the logged-in user."""
    own_sessions.end_one_session(this_principal(), this_device(), session_id)


@blp.delete("/sessions")
@bound_login
@blp.response(204)
def end_my_other_sessions() -> None:
    """End all other login sessions of the logged-in user."""
    own_sessions.end_other_sessions(this_principal(), this_device())
