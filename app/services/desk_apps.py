"""The mini-programs of one tenant, for its operators: listed, added, proven and changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from app.errors import AppReleased, AppUnknown
from app.models import SessionLimit, WeChatApp
from app.services import app_claims
from app.services.app_proofs import prove, prove_claim
from app.services.app_records import AppUsage
from app.services.app_releases import delete_app, find_usage
from app.services.app_secrets import replace_secrets
from app.services.app_verification import Verdict, verify_app
from app.services.apps import APP_KEY, NewApp, change_settings
from app.services.desks import Desk
from app.services.listed_apps import DeskApp, State, apps_and_claims, shown_app
from app.services.paging import Listing, Page, Paging, read_page
from app.services.transactions import transaction
from app.services.verification_budget import charge_alone


@dataclass(frozen=True, slots=True)
class Verification:
    """What WeChat said, and whether the mini-program is active now."""

    state: State
    verdicts: Sequence[Verdict]


def list_desk_apps(desk: Desk, paging: Paging) -> Page[DeskApp]:
    """List the tenant's apps and claims by appid; raise CursorInvalid."""
    listed = apps_and_claims(desk.tenant_id)
    name = f"apps:{desk.tenant_id}"
    listing = Listing(select(listed), listed.c.appid, name, is_ascending=True)
    with transaction() as db:
        return read_page(db, listing, paging, shown_app)


def list_desk_claims(desk: Desk) -> Sequence[DeskApp]:
    """List the tenant's claims by appid."""
    listed = apps_and_claims(desk.tenant_id)
    claims = select(listed).where(listed.c.claim_id.is_not(None)).order_by(listed.c.appid)
    with transaction() as db:
        return [shown_app(*row) for row in db.execute(claims)]


def name_apps(desk: Desk) -> Sequence[tuple[str, str]]:
    """List appids with the names of their apps, for people to choose among."""
    rows = select(WeChatApp.appid, WeChatApp.name).where(WeChatApp.tenant_id == desk.tenant_id)
    with transaction() as db:
        return [(appid, name) for appid, name in db.execute(rows.order_by(WeChatApp.name))]


def get_desk_app(desk: Desk, appid: str) -> DeskApp:
    """Return one app or claim; raise AppUnknown, for another tenant's too."""
    if not APP_KEY.fullmatch(appid):
        raise AppUnknown
    listed = apps_and_claims(desk.tenant_id)
    with transaction() as db:
        row = db.execute(select(listed).where(listed.c.appid == appid)).first()
    if row is None:
        raise AppUnknown
    return shown_app(*row)


def add_desk_app(desk: Desk, new: NewApp) -> DeskApp:
    """Claim an appid, verify its AppSecret with WeChat, and return the app with the verdict.

    It is `active` if WeChat accepts the AppSecret, else `pending`, also if another tenant has or
    claims the appid. Raises as `claim_app` and `prove` do.
    """
    desk.refuse_reader()
    claimed = app_claims.claim_app(desk.actor, desk.tenant_id, new)
    verdict = prove(desk.actor, claimed)
    return replace(get_desk_app(desk, new.appid), verdict=verdict)


def change_desk_app(desk: Desk, appid: str, **settings: str | SessionLimit) -> DeskApp:
    """Change name, registration, session_limit, enabled or data_format, for the very next request.

    Raises AppUnknown, AppReleased, or AppPending for `enabled` of a claim.
    """
    desk.refuse_reader()
    _app_or_claim(
        lambda: change_settings(desk.actor, appid, settings, desk.tenant_id),
        lambda: app_claims.change_claim(desk.actor, desk.tenant_id, appid, settings),
    )
    return get_desk_app(desk, appid)


def set_desk_secrets(desk: Desk, appid: str, **secrets: str | None) -> DeskApp:
    """Replace secret, next_secret, push_token or encoding_aes_key; None removes one.

    Those that are not given stay. Raises AppUnknown, AppReleased, SecretInUse, AppPending for a
    next AppSecret of a claim, and AppClaimClosed for a closed claim without an AppSecret.
    """
    desk.refuse_reader()
    _app_or_claim(
        lambda: replace_secrets(desk.actor, appid, secrets, desk.tenant_id),
        lambda: app_claims.replace_claim_secrets(desk.actor, desk.tenant_id, appid, secrets),
    )
    return get_desk_app(desk, appid)


def _app_or_claim(change_app: Callable[[], object], change_claim: Callable[[], object]) -> None:
    try:
        change_app()
    except AppUnknown:
        change_claim()


def verify_desk_app(desk: Desk, appid: str) -> Verification:
    """Ask WeChat about the credentials, and activate a claim if WeChat accepts it.

    No connection is held while WeChat answers. A reader may not: it uses up the calls that the
    tenant has. Raises AppUnknown, AppReleased, AppVerificationsTooMany, and as `prove_claim` does.
    """
    desk.refuse_reader()
    app = get_desk_app(desk, appid)
    if app.state == "released":
        raise AppReleased
    if app.is_claim:
        verdict = prove_claim(desk.actor, desk.tenant_id, appid)
        return Verification("active" if verdict.outcome == "right" else "pending", [verdict])
    charge_alone(desk.tenant_id)
    return Verification("active", verify_app(appid, desk.tenant_id))


def get_usage(desk: Desk, appid: str) -> AppUsage:
    """Count the records of an app; a claim has none. Raise AppUnknown or AppReleased."""
    if get_desk_app(desk, appid).is_claim:
        return AppUsage(0, 0, 0)
    return find_usage(desk.tenant_id, appid)


def remove_desk_app(desk: Desk, appid: str) -> None:
    """Withdraw a claim, or delete an unused app; raise AppUnknown or AppInUse."""
    desk.refuse_reader()
    _app_or_claim(
        lambda: delete_app(desk.actor, desk.tenant_id, appid),
        lambda: app_claims.withdraw_claim(desk.actor, desk.tenant_id, appid),
    )
