"""The mini-programs of one tenant: list, add, verify, change and remove."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, func, or_, select

from app.errors import AppInUse, AppReleased, AppUnknown
from app.not_given import NOT_GIVEN
from app.services.apps import claims as app_claims
from app.services.apps.app_records import AppUsage
from app.services.apps.app_secrets import replace_secrets
from app.services.apps.app_verification import Verdict, verify_app
from app.services.apps.apps import APP_KEY, NewApp, change_settings
from app.services.apps.changes import AppSettings, SecretChanges
from app.services.apps.listed_apps import State, TenantApp, apps_and_claims, shown_app
from app.services.apps.proofs import prove, prove_claim
from app.services.apps.releases import delete_app, find_holder, find_usage
from app.services.apps.verification_budget import charge_verification_in_own_transaction
from app.services.database.paging import CursorPage, Listing, OffsetPage, Page, read_page
from app.services.database.transactions import transaction
from app.services.tenant_admin.tenant_scope import TenantScope


@dataclass(frozen=True, slots=True)
class Verification:
    """WeChat's verdicts on the credentials, and the resulting state of the mini-program."""

    state: State
    verdicts: Sequence[Verdict]


def list_tenant_apps(scope: TenantScope, cursor_page: CursorPage) -> Page[TenantApp]:
    """List the tenant's apps and claims by appid. Raise CursorInvalid."""
    listed = apps_and_claims(scope.tenant_id)
    name = f"apps:{scope.tenant_id}"
    listing = Listing(select(listed), listed.c.appid, name, is_ascending=True)
    with transaction() as db:
        return read_page(db, listing, cursor_page, shown_app)


def list_tenant_claims(scope: TenantScope) -> Sequence[TenantApp]:
    """List the tenant's claims by appid."""
    listed = apps_and_claims(scope.tenant_id)
    claims = select(listed).where(listed.c.claim_id.is_not(None)).order_by(listed.c.appid)
    with transaction() as db:
        return [shown_app(*row) for row in db.execute(claims)]


def find_apps_by_offset(
    scope: TenantScope, text: str | None, offset_page: OffsetPage
) -> Page[TenantApp]:
    """Return a numbered page of the tenant's apps, without claims, by default by name.

    `text` is a part of the name or of the appid. None matches all.
    """
    listed = apps_and_claims(scope.tenant_id)
    wanted: list[ColumnElement[bool]] = [listed.c.claim_id.is_(None)]
    if text is not None:
        named = (
            column.icontains(text, autoescape=True) for column in (listed.c.name, listed.c.appid)
        )
        wanted.append(or_(*named))
    by = listed.c[offset_page.by or "name"]
    rows = select(listed).where(*wanted)
    rows = rows.order_by(by.desc() if offset_page.is_descending else by, listed.c.appid)
    with transaction() as db:
        count = db.scalar(select(func.count()).select_from(listed).where(*wanted)) or 0
        number = offset_page.number_within(count)
        found = db.execute(rows.limit(offset_page.size).offset(number * offset_page.size))
        return Page([shown_app(*row) for row in found], None, count)


def name_apps(scope: TenantScope) -> Sequence[tuple[str, str]]:
    """List the appids and names of the tenant's apps, without claims."""
    listed = apps_and_claims(scope.tenant_id)
    apps = select(listed.c.appid, listed.c.name).where(listed.c.claim_id.is_(None))
    with transaction() as db:
        return [(appid, name) for appid, name in db.execute(apps.order_by(listed.c.name))]


def get_tenant_app(scope: TenantScope, appid: str) -> TenantApp:
    """Return an app or claim of the tenant. Raise AppUnknown."""
    if not APP_KEY.fullmatch(appid):
        raise AppUnknown
    listed = apps_and_claims(scope.tenant_id)
    with transaction() as db:
        row = db.execute(select(listed).where(listed.c.appid == appid)).first()
    if row is None:
        raise AppUnknown
    return shown_app(*row)


def add_tenant_app(scope: TenantScope, new: NewApp) -> TenantApp:
    """Claim an appid, verify its AppSecret with WeChat, and return the app with the verdict.

    The app is `active` if WeChat accepts the AppSecret and no other tenant has the appid. Otherwise
    it is `pending`. Raises the exceptions of `claim_app` and `prove`.
    """
    scope.refuse_reader()
    claimed = app_claims.claim_app(scope.actor, scope.tenant_id, new)
    verdict = prove(scope.actor, claimed)
    return replace(get_tenant_app(scope, new.appid), verdict=verdict)


def change_tenant_app(scope: TenantScope, appid: str, settings: AppSettings) -> TenantApp:
    """Change settings of an app or a claim. They apply to the next request.

    Only platform admins change the limit of WeChat calls: it protects the other tenants. Raises
    AppUnknown, AppReleased, RoleTooLow, or AppPending for `enabled` of a claim.
    """
    scope.refuse_reader()
    if settings.wechat_call_limit is not NOT_GIVEN:
        scope.require_platform_admin()
    _app_or_claim(
        lambda: change_settings(scope.actor, appid, settings, scope.tenant_id),
        lambda: app_claims.change_claim(scope.actor, scope.tenant_id, appid, settings),
    )
    return get_tenant_app(scope, appid)


def set_tenant_secrets(scope: TenantScope, appid: str, changes: SecretChanges) -> TenantApp:
    """Replace and remove secrets of an app or a claim.

    Raises AppUnknown, AppReleased, SecretInUse, AppPending for a next AppSecret of a claim, and
    AppClaimClosed for a closed claim without an AppSecret.
    """
    scope.refuse_reader()
    _app_or_claim(
        lambda: replace_secrets(scope.actor, appid, changes, scope.tenant_id),
        lambda: app_claims.replace_claim_secrets(scope.actor, scope.tenant_id, appid, changes),
    )
    return get_tenant_app(scope, appid)


def _app_or_claim(change_app: Callable[[], object], change_claim: Callable[[], object]) -> None:
    try:
        change_app()
    except AppUnknown:
        change_claim()


def verify_tenant_app(scope: TenantScope, appid: str) -> Verification:
    """Verify the credentials with WeChat, and activate a claim if WeChat accepts them.

    No connection is held during the call. Tenant viewers are refused, because a verification uses
    the tenant's quota. Raises AppUnknown, AppReleased, AppVerificationsTooMany, and the
    exceptions of `prove_claim`.
    """
    scope.refuse_reader()
    app = get_tenant_app(scope, appid)
    if app.state == "released":
        raise AppReleased
    if app.is_claim:
        verdict = prove_claim(scope.actor, scope.tenant_id, appid)
        return Verification("active" if verdict.outcome == "right" else "pending", [verdict])
    charge_verification_in_own_transaction(scope.tenant_id)
    return Verification("active", verify_app(appid, scope.tenant_id))


def get_usage(scope: TenantScope, appid: str) -> AppUsage:
    """Return the number of records of an app. A claim has none. Raise AppUnknown or AppReleased."""
    if get_tenant_app(scope, appid).is_claim:
        return AppUsage(0, 0, 0)
    return find_usage(scope.tenant_id, appid)


def get_removable_app(scope: TenantScope, appid: str) -> TenantApp:
    """Return a claim or an unused app. Raise AppUnknown, AppReleased or AppInUse."""
    app = get_tenant_app(scope, appid)
    if get_usage(scope, appid).total:
        raise AppInUse
    return app


def get_claim_and_holder(scope: TenantScope, appid: str) -> tuple[TenantApp, str]:
    """Return the tenant's claim of an appid, and the slug of the tenant that has the appid.

    For platform admins only: a tenant must not learn which other tenant has an appid. Raises
    AppUnknown if the tenant has no claim or no tenant has the appid.
    """
    app, holder = get_tenant_app(scope, appid), find_holder(appid)
    if holder is None or not app.is_claim:
        raise AppUnknown
    return app, holder


def remove_tenant_app(scope: TenantScope, appid: str) -> None:
    """Withdraw a claim, or delete an unused app. Raise AppUnknown or AppInUse."""
    scope.refuse_reader()
    _app_or_claim(
        lambda: delete_app(scope.actor, scope.tenant_id, appid),
        lambda: app_claims.withdraw_claim(scope.actor, scope.tenant_id, appid),
    )
