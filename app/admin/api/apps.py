"""A tenant's mini-programs: /v1/admin/tenants/{slug}/apps."""

from collections.abc import Sequence
from typing import Any

from app.admin.access import desk_change, desk_login, step_up_required, this_desk
from app.admin.api.blueprint import Blueprint, idempotent, paging_of
from app.languages import accepted_language, translated
from app.schemas.admin_requests import AppChangeRequest, NewAppRequest, PageQuery, SecretsRequest
from app.schemas.admin_responses import AppListResponse, DeskAppResponse, VerificationResponse
from app.schemas.requests import EmptyRequest
from app.services import desk_apps
from app.services.app_verification import Verdict
from app.services.apps import NewApp
from app.services.desk_apps import DeskApp
from app.services.paging import Page

# The appid is not called so here: that would make the app the request's own, for its users.
blp = Blueprint("admin_apps", __name__, url_prefix="/v1/admin/tenants/<string:slug>/apps")


@blp.get("")
@desk_login
@blp.arguments(PageQuery, location="query")
@blp.response(200, AppListResponse)
def list_apps(query: dict[str, Any]) -> Page[DeskApp]:
    """List the tenant's mini-programs by appid."""
    return desk_apps.list_desk_apps(this_desk(), paging_of(query))


@blp.post("")
@desk_change
@idempotent
@blp.arguments(NewAppRequest)
@blp.response(201, DeskAppResponse)
def add_app(body: dict[str, Any]) -> DeskApp:
    """Add a mini-program; it works at once."""
    return desk_apps.add_desk_app(this_desk(), NewApp(**body))


@blp.get("/<string:its_appid>")
@desk_login
@blp.response(200, DeskAppResponse)
def show_app(its_appid: str) -> DeskApp:
    """Show a mini-program, and of its secrets that they are there."""
    return desk_apps.get_desk_app(this_desk(), its_appid)


@blp.patch("/<string:its_appid>")
@desk_change
@blp.arguments(AppChangeRequest)
@blp.response(200, DeskAppResponse)
def change_app(body: dict[str, Any], its_appid: str) -> DeskApp:
    """Change a mini-program, for the very next request."""
    return desk_apps.change_desk_app(this_desk(), its_appid, **body)


@blp.put("/<string:its_appid>/secrets")
@desk_change
@step_up_required
@blp.arguments(SecretsRequest)
@blp.response(200, DeskAppResponse)
def set_app_secrets(body: dict[str, Any], its_appid: str) -> DeskApp:
    """Enter secrets of a mini-program, or take them out; nothing gives them back."""
    return desk_apps.set_desk_secrets(this_desk(), its_appid, **body)


@blp.post("/<string:its_appid>/verification")
@desk_change
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, VerificationResponse)
def verify_app(body: dict[str, Any], its_appid: str) -> dict[str, Any]:
    """Ask WeChat whether appid and AppSecret are right, and say what to do if not."""
    return {"verdicts": _in_words(desk_apps.verify_desk_app(this_desk(), its_appid))}


def _in_words(verdicts: Sequence[Verdict]) -> Sequence[dict[str, Any]]:
    language = accepted_language()
    return [
        {
            "which": one.which,
            "outcome": one.outcome,
            "errcode": one.errcode,
            "advice": one.fill(translated(one.advice, language)),
        }
        for one in verdicts
    ]
