"""Views of the logged-in user: /v1/me. An unbound login may only export and erase its data."""

from collections.abc import Sequence
from uuid import UUID

from flask import Response
from marshmallow import EXCLUDE

from app.api.blueprint import Blueprint
from app.api.cursor_header import NEXT_CURSOR_HEADER, next_cursor_header
from app.api.json_stream import streamed
from app.api.openapi.errors import NEW_PASSWORD, PASSWORD_CHECK
from app.api.openapi.tags import MY_ACCOUNT, SESSION
from app.auth import (
    any_login,
    bound_login,
    this_device,
    this_principal,
    this_tenant_id,
    this_user_id,
)
from app.errors import IdentityBound, LoginTooOld, NoPassword, SessionUnknown
from app.schemas.export import ExportResponse
from app.schemas.queries import CursorParams, CursorQuery
from app.schemas.requests import (
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

blp = Blueprint("me", __name__, url_prefix="/v1/me", tag=MY_ACCOUNT)


@blp.get("")
@bound_login
@blp.response(200, UserResponse)
def show_me() -> users.Profile:
    """Show the logged-in user.

    Returns the profile of the user that the login belongs to. An unbound login gets 403
    `login_unbound`. Call it at startup to find out whether a stored token still works.
    """
    return users.show_user(this_tenant_id(), this_user_id())


@blp.patch("")
@bound_login
@blp.arguments(ProfileChangeRequest)
@blp.response(200, UserResponse)
def change_me(body: ProfileChangeBody) -> users.Profile:
    """Change nickname, avatar or gender.

    Changes the sent fields of the user and leaves the others unchanged. The phone number and
    the account cannot be changed here.
    """
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
@blp.errors(LoginTooOld, IdentityBound)
def close_me() -> account_closure.Closing:
    """Close the account.

    Ends all sessions of the user and schedules the erasure of the personal data. A login before
    `erase_after` reopens the account. For an unbound login, the data of the WeChat identity is
    erased immediately.

    The login must be at most ten minutes old: call `wx.login` and log in first.
    """
    return visitors.close_or_erase(this_principal(), this_device())


@blp.get("/export")
@any_login
@blp.response(200, ExportResponse)
@blp.errors(IdentityBound)
def export_me() -> Response:
    """Download the personal data.

    Returns everything that wxpass stores about the user, or about the WeChat identity of an
    unbound login, as a JSON file. The audit log records the export.
    """
    parts = export.export_everything(this_principal(), this_device())
    return streamed(ExportResponse(), parts, "wxpass-export.json")


@blp.post("/password")
@bound_login
@blp.arguments(PasswordChangeRequest)
@blp.response(204)
@blp.errors(*PASSWORD_CHECK, *NEW_PASSWORD, NoPassword)
def change_password(body: PasswordChangeBody) -> None:
    """Change the password.

    Checks the current password and sets a new one. The user's other sessions end, this one
    stays. Failed attempts are throttled.
    """
    password_changes.change_password(
        this_principal(),
        this_user_id(),
        this_device(),
        old_password=body.old_password,
        new_password=body.new_password,
    )


@blp.get("/sessions", tags=[SESSION])
@bound_login
@blp.arguments(CursorQuery, location="query", unknown=EXCLUDE)
@blp.response(
    200,
    SessionResponse(many=True),
    description="The active sessions of this page.",
    headers=NEXT_CURSOR_HEADER,
)
def list_my_sessions(
    query: CursorParams,
) -> tuple[Sequence[own_sessions.ShownSession], int, dict[str, str]]:
    """List the sessions of the user.

    Returns the active sessions in all mini-programs of the tenant, newest first, 50 per page by
    default. The header `X-Next-Cursor` has the cursor of the next page.
    """
    page = own_sessions.list_sessions(this_principal(), CursorPage(query.cursor, query.limit))
    return page.items, 200, next_cursor_header(page)


@blp.delete("/sessions/<uuid:session_id>", tags=[SESSION])
@bound_login
@blp.response(204)
@blp.errors(SessionUnknown)
def end_my_session(session_id: UUID) -> None:
    """End one session of the user.

    Ends an active session, for example on a lost phone. Its tokens stop working within a
    second. The id is in the list of sessions.
    """
    own_sessions.end_one_session(this_principal(), this_device(), session_id)


@blp.delete("/sessions", tags=[SESSION])
@bound_login
@blp.response(204)
def end_my_other_sessions() -> None:
    """End the other sessions of the user.

    Ends every session of the user except the one that sends this request.
    """
    own_sessions.end_other_sessions(this_principal(), this_device())
