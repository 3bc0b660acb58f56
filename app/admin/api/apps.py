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
from app.api.openapi.tags import ADMIN_APPS
from app.errors import (
    AppBusy,
    AppClaimChanged,
    AppClaimClosed,
    AppClaimsTooMany,
    AppClaimUnknown,
    AppExists,
    AppidInvalid,
    AppInUse,
    AppNotProven,
    AppPending,
    AppReleased,
    AppReleaseTooLarge,
    AppUnknown,
    AppVerificationsTooMany,
    SecretInUse,
    TenantUnknown,
)
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
from app.schemas.descriptions import response_examples
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
blp = Blueprint(
    "admin_apps", __name__, url_prefix="/v1/admin/tenants/<string:slug>/apps", tag=ADMIN_APPS
)


@blp.get("")
@tenant_operator_required
@blp.arguments(PageQuery, location="query")
@blp.response(200, AppListResponse)
def list_apps(query: PageParams) -> Page[dict[str, Any]]:
    """List mini-programs.

    Returns the tenant's mini-programs by appid, including those that are not verified.
    """
    page = apps.list_tenant_apps(this_tenant_scope(), paging_of(query))
    return Page([_app_response(one) for one in page.items], page.next_cursor, page.count)


@blp.post("")
@tenant_admin_required
@idempotent
@blp.arguments(NewAppRequest)
@blp.response(201, TenantAppResponse, example=response_examples.NEW_APP)
@blp.errors(
    AppidInvalid,
    AppExists,
    AppClaimsTooMany,
    AppVerificationsTooMany,
    AppUnknown,
    AppClaimChanged,
    AppClaimClosed,
)
def add_app(body: NewAppBody) -> dict[str, Any]:
    """Add a mini-program.

    Stores appid and AppSecret, and verifies them with WeChat. If WeChat accepts the AppSecret,
    the mini-program is `active` immediately. Otherwise it is `pending` and serves no requests,
    and `verdict` says what to correct before the next verification.
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
@blp.errors(AppUnknown)
def show_app(its_appid: str) -> dict[str, Any]:
    """Show a mini-program.

    Returns the settings, the state and which secrets are set. No response contains a secret.
    """
    return _app_response(apps.get_tenant_app(this_tenant_scope(), its_appid))


@blp.patch("/<string:its_appid>")
@tenant_admin_required
@blp.arguments(AppChangeRequest)
@blp.response(200, TenantAppResponse)
@blp.errors(AppUnknown, AppReleased, AppPending)
def change_app(body: AppChangeBody, its_appid: str) -> dict[str, Any]:
    """Change the settings of a mini-program.

    Changes the sent settings and leaves the others unchanged. The change applies to the next
    request. Only platform admins may change `wechat_call_limit`.
    """
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
@blp.errors(AppUnknown, AppReleased, AppInUse)
def remove_app(its_appid: str) -> None:
    """Remove a mini-program.

    Removes a mini-program that is not verified or was never used. Disable a mini-program that
    has users instead, or ask a platform admin to release it.
    """
    apps.remove_tenant_app(this_tenant_scope(), its_appid)


@blp.get("/<string:its_appid>/usage")
@tenant_operator_required
@blp.response(200, AppUsageResponse)
@blp.errors(AppUnknown, AppReleased)
def show_usage(its_appid: str) -> AppUsage:
    """Count the records of a mini-program.

    Returns the numbers of records that keep a mini-program from being removed, each up to
    100,000.
    """
    return apps.get_usage(this_tenant_scope(), its_appid)


@blp.put("/<string:its_appid>/secrets")
@tenant_admin_required
@step_up_required
@blp.arguments(SecretsRequest)
@blp.response(200, TenantAppResponse)
@blp.errors(AppUnknown, AppReleased, AppPending, AppClaimClosed, SecretInUse)
def set_app_secrets(body: SecretsBody, its_appid: str) -> dict[str, Any]:
    """Set the secrets of a mini-program.

    Replaces or removes the AppSecret, its successor, and the secrets of the message push.
    Omitted secrets stay unchanged. To change the AppSecret without a gap, set `next_secret`
    first and then reset the AppSecret in WeChat's console.
    """
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
@blp.errors(AppUnknown, AppReleased, AppClaimChanged, AppClaimClosed, AppVerificationsTooMany)
def verify_app(body: EmptyBody, its_appid: str) -> dict[str, Any]:
    """Verify a mini-program with WeChat.

    Asks WeChat whether appid and AppSecret belong together. A pending mini-program becomes
    `active` if WeChat accepts its AppSecret, otherwise `advice` says what to correct. A tenant
    may verify ten times a minute.
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
@blp.errors(TenantUnknown, AppUnknown, AppReleased, AppBusy, AppReleaseTooLarge)
def release_app(body: EmptyBody, slug: str, its_appid: str) -> AppUsage:
    """Release an appid.

    For platform admins. Frees the appid, so that any tenant can add it again. All login
    sessions of the mini-program end. Identities and users stay with the tenant, and the
    response counts them.
    """
    return releases.release_app(this_operator().actor, slug, its_appid)


@blp.post("/<string:its_appid>/move")
@platform_login
@step_up_required
@blp.arguments(AppMoveRequest)
@blp.response(200, AppUsageResponse)
@blp.errors(
    TenantUnknown,
    AppUnknown,
    AppReleased,
    AppBusy,
    AppReleaseTooLarge,
    AppClaimUnknown,
    AppClaimChanged,
    AppClaimClosed,
    AppNotProven,
)
def move_app(body: AppMoveBody, slug: str, its_appid: str) -> AppUsage:
    """Move an appid to another tenant.

    For platform admins. Moves the appid to a tenant that has added it with an AppSecret that
    WeChat accepts. All login sessions of the mini-program end. Identities and users stay with
    the tenant in the path, and the response counts them.
    """
    return releases.move_app(this_operator().actor, slug, its_appid, body.to_slug)


def _app_response(app: TenantApp) -> dict[str, Any]:
    shown = {one.name: getattr(app, one.name) for one in fields(app)}
    return shown | {"verdict": app.verdict and _with_translated_advice(app.verdict)}


def _with_translated_advice(verdict: Verdict) -> Verdict:
    return replace(verdict, advice=verdict.fill(translated(verdict.advice, accepted_language())))
