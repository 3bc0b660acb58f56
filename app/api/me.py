"""The logged-in user: /v1/me."""

from typing import Any

from app.api.blueprint import Blueprint
from app.auth import bound_login, this_caller, this_device, this_tenant_id, this_user_id
from app.schemas.requests import PasswordChangeRequest, ProfileChangeRequest
from app.schemas.responses import UserResponse
from app.services import password_changes, users

blp = Blueprint("me", __name__, url_prefix="/v1/me")


@blp.get("")
@bound_login
@blp.response(200, UserResponse)
def show_me() -> users.Profile:
    """Show the logged-in user."""
    return users.show_user(this_tenant_id(), this_user_id())


@blp.patch("")
@bound_login
@blp.arguments(ProfileChangeRequest)
@blp.response(200, UserResponse)
def change_me(body: dict[str, Any]) -> users.Profile:
    """Change the logged-in user's nickname, avatar or gender."""
    return users.change_user(this_tenant_id(), this_user_id(), **body)


@blp.post("/password")
@bound_login
@blp.arguments(PasswordChangeRequest)
@blp.response(204)
def change_password(body: dict[str, Any]) -> None:
    """Change the logged-in user's password; their other sessions end."""
    password_changes.change_password(this_caller(), this_user_id(), this_device(), **body)
