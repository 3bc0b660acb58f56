"""Routes of a tenant's users: /v1/admin/tenants/{slug}/users."""

from uuid import UUID

from app.admin.api.access import tenant_admin_required, tenant_operator_required, this_tenant_scope
from app.admin.api.blueprint import Blueprint, idempotent, paging_of
from app.schemas.admin_requests.queries import UserListParams, UserListQuery
from app.schemas.admin_requests.users import (
    MergeBody,
    MergeRequest,
    NewUserBody,
    NewUserRequest,
    UserChangeBody,
    UserChangeRequest,
    UserPasswordBody,
    UserPasswordRequest,
)
from app.schemas.admin_responses.users import EndedResponse, UserListResponse, UserPageResponse
from app.schemas.requests import EmptyBody, EmptyRequest
from app.services.database.paging import Page
from app.services.tenant_admin import user_changes, users
from app.services.tenant_admin.users import FoundUser, UserPage, UserQuery

blp = Blueprint("admin_users", __name__, url_prefix="/v1/admin/tenants/<string:slug>/users")


@blp.get("")
@tenant_operator_required
@blp.arguments(UserListQuery, location="query")
@blp.response(200, UserListResponse)
def find_users(query: UserListParams) -> Page[FoundUser]:
    """List the tenant's users that match the filters, newest first."""
    wanted = UserQuery(
        account=query.account,
        phone=query.phone,
        openid=query.openid,
        nickname=query.nickname,
        status=query.status,
    )
    return users.find_users(this_tenant_scope(), wanted, paging_of(query))


@blp.post("")
@tenant_admin_required
@idempotent
@blp.arguments(NewUserRequest)
@blp.response(201, UserPageResponse)
def enter_user(body: NewUserBody) -> UserPage:
    """Add a user with an account, a phone number, or both."""
    user_id = user_changes.create_user(
        this_tenant_scope(),
        account=body.account,
        password=body.password,
        phone=body.phone,
        nickname=body.nickname,
    )
    return users.show_user_page(this_tenant_scope(), user_id)


@blp.get("/<uuid:user_id>")
@tenant_operator_required
@blp.response(200, UserPageResponse)
def show_user(user_id: UUID) -> UserPage:
    """Show a user with WeChat identities, sessions, merges and audit events."""
    return users.show_user_page(this_tenant_scope(), user_id)


@blp.patch("/<uuid:user_id>")
@tenant_admin_required
@blp.arguments(UserChangeRequest)
@blp.response(200, UserPageResponse)
def change_user(body: UserChangeBody, user_id: UUID) -> UserPage:
    """Disable or enable a user. Disabling ends all sessions of the user."""
    user_changes.set_user_status(this_tenant_scope(), user_id, status=body.status)
    return users.show_user_page(this_tenant_scope(), user_id)


@blp.post("/<uuid:user_id>/end-sessions")
@tenant_admin_required
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, EndedResponse)
def end_user_sessions(body: EmptyBody, user_id: UUID) -> dict[str, int]:
    """End all sessions of a user."""
    return {"ended": user_changes.end_user_sessions(this_tenant_scope(), user_id)}


@blp.post("/<uuid:user_id>/password")
@tenant_admin_required
@blp.arguments(UserPasswordRequest)
@blp.response(204)
def set_user_password(body: UserPasswordBody, user_id: UUID) -> None:
    """Set a user's password. All sessions of the user end."""
    user_changes.set_user_password(this_tenant_scope(), user_id, password=body.password)


@blp.post("/<uuid:user_id>/merge")
@tenant_admin_required
@blp.arguments(MergeRequest)
@blp.response(200, UserPageResponse)
def merge_user(body: MergeBody, user_id: UUID) -> UserPage:
    """Merge a user into another user. The merge can be undone for 30 days.

    The response contains the remaining user.
    """
    user_changes.merge_users(this_tenant_scope(), user_id, into_id=body.into_id)
    return users.show_user_page(this_tenant_scope(), body.into_id)


@blp.post("/<uuid:user_id>/undo-merge")
@tenant_admin_required
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, UserPageResponse)
def undo_merge(body: EmptyBody, user_id: UUID) -> UserPage:
    """Undo the last merge of a user, at most 30 days old."""
    user_changes.undo(this_tenant_scope(), user_id)
    return users.show_user_page(this_tenant_scope(), user_id)


@blp.delete("/<uuid:user_id>/identities/<uuid:identity_id>")
@tenant_admin_required
@blp.response(204)
def unbind_identity(user_id: UUID, identity_id: UUID) -> None:
    """Unbind a WeChat identity from a user. Sessions of the WeChat identity end."""
    user_changes.unbind_identity(this_tenant_scope(), user_id, identity_id)


@blp.delete("/<uuid:user_id>/phone")
@tenant_admin_required
@blp.response(204)
def release_phone(user_id: UUID) -> None:
    """Remove the phone number of a user."""
    user_changes.release_phone(this_tenant_scope(), user_id)
