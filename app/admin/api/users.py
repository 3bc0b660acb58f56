"""Routes of a tenant's users: /v1/admin/tenants/{slug}/users."""

from uuid import UUID

from app.admin.api.access import tenant_admin_required, tenant_operator_required, this_tenant_scope
from app.admin.api.blueprint import Blueprint, idempotent, paging_of
from app.api.openapi.errors import NEW_PASSWORD
from app.api.openapi.tags import ADMIN_USERS
from app.errors import (
    AccountExists,
    BothHavePhones,
    IdentityUnknown,
    MergedIdentitiesGone,
    MergeTooOld,
    NoAccount,
    NotMerged,
    PhoneInvalid,
    PhoneNotMobile,
    PhonePlusMissing,
    PhoneSearchIncomplete,
    PhoneTaken,
    UserDisabled,
    UserMerged,
    UserUnknown,
)
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
from app.schemas.descriptions import response_examples
from app.schemas.requests import EmptyBody, EmptyRequest
from app.services.database.paging import Page
from app.services.tenant_admin import user_changes, users
from app.services.tenant_admin.users import FoundUser, UserPage, UserQuery

blp = Blueprint(
    "admin_users", __name__, url_prefix="/v1/admin/tenants/<string:slug>/users", tag=ADMIN_USERS
)


@blp.get("")
@tenant_operator_required
@blp.arguments(UserListQuery, location="query")
@blp.response(200, UserListResponse)
@blp.errors(PhoneNotMobile, PhonePlusMissing, PhoneSearchIncomplete)
def find_users(query: UserListParams) -> Page[FoundUser]:
    """Find users.

    Returns the users that match all filters, newest first. `account` and `nickname` match by
    their beginning, `phone` and `openid` only in full.
    """
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
@blp.response(201, UserPageResponse, example=response_examples.NEW_USER)
@blp.errors(
    AccountExists, PhoneTaken, *NEW_PASSWORD, PhoneInvalid, PhoneNotMobile, PhonePlusMissing
)
def enter_user(body: NewUserBody) -> UserPage:
    """Add a user.

    Adds a user with an account, a phone number, or both. The person becomes this user at the
    first login that proves the phone number or the password. Send an `Idempotency-Key` to retry
    safely.
    """
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
@blp.errors(UserUnknown)
def show_user(user_id: UUID) -> UserPage:
    """Show a user.

    Returns the user with WeChat identities and the latest sessions, merges and audit events.
    The phone number is masked.
    """
    return users.show_user_page(this_tenant_scope(), user_id)


@blp.patch("/<uuid:user_id>")
@tenant_admin_required
@blp.arguments(UserChangeRequest)
@blp.response(200, UserPageResponse, example=response_examples.DISABLED_USER)
@blp.errors(UserUnknown, UserMerged)
def change_user(body: UserChangeBody, user_id: UUID) -> UserPage:
    """Disable or enable a user.

    Disabling ends all sessions of the user and rejects logins with `user_disabled`. Enabling
    allows logins again. Returns the changed user.
    """
    user_changes.set_user_status(this_tenant_scope(), user_id, status=body.status)
    return users.show_user_page(this_tenant_scope(), user_id)


@blp.post("/<uuid:user_id>/end-sessions")
@tenant_admin_required
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, EndedResponse)
@blp.errors(UserUnknown, UserMerged)
def end_user_sessions(body: EmptyBody, user_id: UUID) -> dict[str, int]:
    """End all sessions of a user.

    Logs the user out in every mini-program and returns the number of ended sessions. The user
    can log in again.
    """
    return {"ended": user_changes.end_user_sessions(this_tenant_scope(), user_id)}


@blp.post("/<uuid:user_id>/password")
@tenant_admin_required
@blp.arguments(UserPasswordRequest)
@blp.response(204)
@blp.errors(UserUnknown, UserMerged, NoAccount, *NEW_PASSWORD)
def set_user_password(body: UserPasswordBody, user_id: UUID) -> None:
    """Set the password of a user.

    Replaces the password of a user who has an account. All sessions of the user end. Tell the
    user the new password yourself; wxpass sends no message.
    """
    user_changes.set_user_password(this_tenant_scope(), user_id, password=body.password)


@blp.post("/<uuid:user_id>/merge")
@tenant_admin_required
@blp.arguments(MergeRequest)
@blp.response(200, UserPageResponse, example=response_examples.MERGED_USER)
@blp.errors(UserUnknown, UserMerged, UserDisabled, BothHavePhones)
def merge_user(body: MergeBody, user_id: UUID) -> UserPage:
    """Merge a user into another user.

    Moves the WeChat identities and the phone number to the user `into_id`, for example if a
    person was registered twice. The merge can be undone for 30 days. The response contains the
    remaining user.
    """
    user_changes.merge_users(this_tenant_scope(), user_id, into_id=body.into_id)
    return users.show_user_page(this_tenant_scope(), body.into_id)


@blp.post("/<uuid:user_id>/undo-merge")
@tenant_admin_required
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, UserPageResponse, example=response_examples.RESTORED_USER)
@blp.errors(UserUnknown, NotMerged, MergeTooOld, MergedIdentitiesGone)
def undo_merge(body: EmptyBody, user_id: UUID) -> UserPage:
    """Undo a merge.

    Restores a user that was merged at most 30 days ago, and moves the WeChat identities and the
    phone number back. Sessions of the moved identities end.
    """
    user_changes.undo(this_tenant_scope(), user_id)
    return users.show_user_page(this_tenant_scope(), user_id)


@blp.delete("/<uuid:user_id>/identities/<uuid:identity_id>")
@tenant_admin_required
@blp.response(204)
@blp.errors(IdentityUnknown)
def unbind_identity(user_id: UUID, identity_id: UUID) -> None:
    """Unbind a WeChat identity.

    Removes the link between the user and a WeChat identity. The sessions of the identity end.
    The person can bind it again, to this user or another.
    """
    user_changes.unbind_identity(this_tenant_scope(), user_id, identity_id)


@blp.delete("/<uuid:user_id>/phone")
@tenant_admin_required
@blp.response(204)
@blp.errors(UserUnknown, UserMerged)
def release_phone(user_id: UUID) -> None:
    """Remove the phone number of a user.

    Frees the number, so that another user can verify it, for example after it was reassigned.
    Succeeds also if the user has none.
    """
    user_changes.release_phone(this_tenant_scope(), user_id)
