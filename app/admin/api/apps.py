"""Routes of a tenant's mini-programs: /v1/admin/tenants/{slug}/apps."""

from dataclasses import fields, replace
from typing import Any

from app.admin.api.access import (
    platform_login,
    step_up_required,
    tenant_admin_required,
    tenant_operator_required,
    this_operator,
    this_tenant_scope,
)
from app.admin.api.blueprint import Blueprint, idempotent, paging_of
from app.languages import accepted_language, translated
from app.schemas.admin_requests.apps import (
    AppChangeBody,
    AppChangeRequest,
    AppMoveBody,
    AppMoveRequest,
    NewAppBody,
    NewAppRequest,
    SecretsBody,
    SecretsRequest,
)
from app.schemas.admin_requests.queries import PageParams, PageQuery
from app.schemas.admin_responses.apps import (
    AppListResponse,
    AppUsageResponse,
    TenantAppResponse,
    VerificationResponse,
)
from app.schemas.requests import EmptyBody, EmptyRequest
from app.services.apps import releases
from app.services.apps.app_records import AppUsage
from app.services.apps.app_verification import Verdict
from app.services.apps.apps import NewApp
from app.services.apps.changes import AppSettings, SecretChanges
from app.services.apps.listed_apps import TenantApp
from app.services.database.paging import Page
from app.services.tenant_admin import apps

# The path parameter is named `its_appid`, because tenancy treats `appid` as the requesting app.
blp = Blueprint("admin_apps", __name__, url_prefix="/v1/admin/tenants/<string:slug>/apps")


@blp.get("")
@tenant_operator_required
@blp.arguments(PageQuery, location="query")
@blp.response(200, AppListResponse)
def list_apps(query: PageParams) -> Page[dict[str, Any]]:
    """List the tenant's mini-programs by appid, including mini-programs that are not verified."""
    page = apps.list_tenant_apps(this_tenant_scope(), paging_of(query))
    return Page([_app_response(one) for one in page.items], page.next_cursor, page.count)


@blp.post("")
@tenant_admin_required
@idempotent
@blp.arguments(NewAppRequest)
@blp.response(201, TenantAppResponse)
def add_app(body: NewAppBody) -> dict[str, Any]:
    """Add a mini-program and verify it with WeChat.

    If WeChat accepts the AppSecret, the mini-program is `active` immediately. Otherwise it is
    `pending` and serves no requests, and `verdict` says what to correct before the next
    verification.
    """
    new = NewApp(
        appid=body.appid,
        name=body.name,
        registration=body.registration,
        data_format=body.data_format,
        secret=body.secret,
        push_token=body.push_token,
        encoding_aes_key=body.encoding_aes_key,
    )
    return _app_response(apps.add_tenant_app(this_tenant_scope(), new))


@blp.get("/<string:its_appid>")
@tenant_operator_required
@blp.response(200, TenantAppResponse)
def show_app(its_appid: str) -> dict[str, Any]:
    """Show the settings of a mini-program and which of its secrets are set."""
    return _app_response(apps.get_tenant_app(this_tenant_scope(), its_appid))


@blp.patch("/<string:its_appid>")
@tenant_admin_required
@blp.arguments(AppChangeRequest)
@blp.response(200, TenantAppResponse)
def change_app(body: AppChangeBody, its_appid: str) -> dict[str, Any]:
    """Change the settings of a mini-program. The change applies to the next request."""
    changed = apps.change_tenant_app(
        this_tenant_scope(),
        its_appid,
        AppSettings(
            name=body.name,
            registration=body.registration,
            data_format=body.data_format,
            session_limit=body.session_limit,
            wechat_call_limit=body.wechat_call_limit,
            enabled=body.enabled,
        ),
    )
    return _app_response(changed)


@blp.delete("/<string:its_appid>")
@tenant_admin_required
@blp.response(204)
def remove_app(its_appid: str) -> None:
    """Remove a mini-program that is not verified or was never used."""
    apps.remove_tenant_app(this_tenant_scope(), its_appid)


@blp.get("/<string:its_appid>/usage")
@tenant_operator_required
@blp.response(200, AppUsageResponse)
def show_usage(its_appid: str) -> AppUsage:
    """Count the records that keep a mini-program from being deleted."""
    return apps.get_usage(this_tenant_scope(), its_appid)


@blp.put("/<string:its_appid>/secrets")
@tenant_admin_required
@step_up_required
@blp.arguments(SecretsRequest)
@blp.response(200, TenantAppResponse)
def set_app_secrets(body: SecretsBody, its_appid: str) -> dict[str, Any]:
    """Set or remove secrets of a mini-program. No response contains a secret."""
    changed = apps.set_tenant_secrets(
        this_tenant_scope(),
        its_appid,
        SecretChanges(
            secret=body.secret,
            next_secret=body.next_secret,
            push_token=body.push_token,
            encoding_aes_key=body.encoding_aes_key,
        ),
    )
    return _app_response(changed)


@blp.post("/<string:its_appid>/verification")
@tenant_admin_required
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, VerificationResponse)
def verify_app(body: EmptyBody, its_appid: str) -> dict[str, Any]:
    """Verify appid and AppSecret with WeChat. The response says what to correct.

    A pending mini-program becomes `active` if WeChat accepts its AppSecret. A tenant may verify ten
    times a minute.
    """
    done = apps.verify_tenant_app(this_tenant_scope(), its_appid)
    return {
        "state": done.state,
        "verdicts": [_with_translated_advice(one) for one in done.verdicts],
    }


@blp.post("/<string:its_appid>/release")
@platform_login
@step_up_required
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, AppUsageResponse)
def release_app(body: EmptyBody, slug: str, its_appid: str) -> AppUsage:
    """Release the appid, so that any tenant can add it again.

    All login sessions of the mini-program end. Identities and users stay with the tenant. The
    response contains the numbers of records that stay.
    """
    return releases.release_app(this_operator().actor, slug, its_appid)


@blp.post("/<string:its_appid>/move")
@platform_login
@step_up_required
@blp.arguments(AppMoveRequest)
@blp.response(200, AppUsageResponse)
def move_app(body: AppMoveBody, slug: str, its_appid: str) -> AppUsage:
    """Move the appid to a tenant that has added it with an AppSecret that WeChat accepts.

    All login sessions of the mini-program end. Identities and users stay with the tenant in the
    path. The response contains the numbers of records that stay.
    """
    return releases.move_app(this_operator().actor, slug, its_appid, body.to_slug)


def _app_response(app: TenantApp) -> dict[str, Any]:
    shown = {one.name: getattr(app, one.name) for one in fields(app)}
    return shown | {"verdict": app.verdict and _with_translated_advice(app.verdict)}


def _with_translated_advice(verdict: Verdict) -> Verdict:
    return replace(verdict, advice=verdict.fill(translated(verdict.advice, accepted_language())))
