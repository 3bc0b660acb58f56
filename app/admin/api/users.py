"""A tenant's users: /v1/admin/tenants/{slug}/users."""

from typing import Any
from uuid import UUID

from app.admin.access import desk_change, desk_login, this_desk
from app.admin.api.blueprint import Blueprint, filters_of, idempotent, paging_of
from app.schemas.admin_requests import (
    MergeRequest,
    NewUserRequest,
    UserChangeRequest,
    UserListQuery,
    UserPasswordRequest,
)
from app.schemas.admin_responses import EndedResponse, UserListResponse, UserPageResponse
from app.schemas.requests import EmptyRequest
from app.services import desk_care, desk_users
from app.services.desk_users import FoundUser, UserPage, UserQuery
from app.services.paging import Page

blp = Blueprint("admin_users", __name__, url_prefix="/v1/admin/tenants/<string:slug>/users")


@blp.get("")
@desk_login
@blp.arguments(UserListQuery, location="query")
@blp.response(200, UserListResponse)
def find_users(query: dict[str, Any]) -> Page[FoundUser]:
    """Find users, newest first."""
    return desk_users.find_users(this_desk(), filters_of(UserQuery, query), paging_of(query))


@blp.post("")
@desk_change
@idempotent
@blp.arguments(NewUserRequest)
@blp.response(201, UserPageResponse)
def enter_user(body: dict[str, Any]) -> UserPage:
    """Enter a person by account, by phone, or both."""
    user_id = desk_care.enter_user(this_desk(), **body)
    return desk_users.show_user_page(this_desk(), user_id)


@blp.get("/<uuid:user_id>")
@desk_login
@blp.response(200, UserPageResponse)
def show_user(user_id: UUID) -> UserPage:
    """Show a user with identities, sessions, merges and history."""
    return desk_users.show_user_page(this_desk(), user_id)


@blp.patch("/<uuid:user_id>")
@desk_change
@blp.arguments(UserChangeRequest)
@blp.response(200, UserPageResponse)
def change_user(body: dict[str, Any], user_id: UUID) -> UserPage:
    """Disable a user, which ends every session of theirs, or make them active again."""
    desk_care.set_user_status(this_desk(), user_id, **body)
    return desk_users.show_user_page(this_desk(), user_id)


@blp.post("/<uuid:user_id>/end-sessions")
@desk_change
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, EndedResponse)
def end_user_sessions(body: dict[str, Any], user_id: UUID) -> dict[str, int]:
    """End every session of a user."""
    return {"ended": desk_care.end_user_sessions(this_desk(), user_id)}


@blp.post("/<uuid:user_id>/password")
@desk_change
@blp.arguments(UserPasswordRequest)
@blp.response(204)
def set_user_password(body: dict[str, Any], user_id: UUID) -> None:
    """Set a user's password; every session of theirs ends."""
    desk_care.set_user_password(this_desk(), user_id, **body)


@blp.post("/<uuid:user_id>/merge")
@desk_change
@blp.arguments(MergeRequest)
@blp.response(200, UserPageResponse)
def merge_user(body: dict[str, Any], user_id: UUID) -> UserPage:
    """Merge a user into another, who is shown; for 30 days it can be undone."""
    desk_care.merge_users(this_desk(), user_id, **body)
    return desk_users.show_user_page(this_desk(), body["into_id"])


@blp.post("/<uuid:user_id>/undo-merge")
@desk_change
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, UserPageResponse)
def undo_merge(body: dict[str, Any], user_id: UUID) -> UserPage:
    """Let a merged user live again."""
    desk_care.undo(this_desk(), user_id)
    return desk_users.show_user_page(this_desk(), user_id)


@blp.delete("/<uuid:user_id>/identities/<uuid:identity_id>")
@desk_change
@blp.response(204)
def unbind_identity(user_id: UUID, identity_id: UUID) -> None:
    """Free a WeChat identity of a user; sessions that stand on it end."""
    desk_care.unbind_identity(this_desk(), user_id, identity_id)


@blp.delete("/<uuid:user_id>/phone")
@desk_change
@blp.response(204)
def release_phone(user_id: UUID) -> None:
    """Take a user's phone number away."""
    desk_care.release_phone(this_desk(), user_id)
