"""The desk's mini-programs: shown without their secrets, added, changed, and tested."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.errors import AppUnknown
from app.models import SessionLimit, WeChatApp
from app.services.app_secret_marks import SECRETS, SecretMark, mark_of
from app.services.app_secrets import replace_secrets
from app.services.app_verification import Verdict, verify_app
from app.services.apps import APPID, NewApp, add_app, change_settings
from app.services.desks import Desk
from app.services.paging import Listing, Page, Paging, read_page
from app.services.transactions import transaction


@dataclass(frozen=True, slots=True)
class DeskApp:
    """A mini-program as its tenant's operators see it: of each secret only that it is there."""

    appid: str
    name: str
    registration: str
    data_format: str
    session_limit: SessionLimit
    enabled: bool
    created_at: datetime
    secret: SecretMark | None
    next_secret: SecretMark | None
    push_token: SecretMark | None
    encoding_aes_key: SecretMark | None


def list_desk_apps(desk: Desk, paging: Paging) -> Page[DeskApp]:
    """List the tenant's apps by appid; raise CursorInvalid."""
    rows = select(WeChatApp).where(WeChatApp.tenant_id == desk.tenant_id)
    listing = Listing(rows, WeChatApp.appid, f"apps:{desk.tenant_id}", is_ascending=True)
    with transaction() as db:
        return read_page(db, listing, paging, _shown)


def name_apps(desk: Desk) -> Sequence[tuple[str, str]]:
    """List appids with the names of their apps, for people to choose among."""
    rows = select(WeChatApp.appid, WeChatApp.name).where(WeChatApp.tenant_id == desk.tenant_id)
    with transaction() as db:
        return [(appid, name) for appid, name in db.execute(rows.order_by(WeChatApp.name))]


def get_desk_app(desk: Desk, appid: str) -> DeskApp:
    """Show one app; raise AppUnknown, for a neighbour's too."""
    if not APPID.fullmatch(appid):
        raise AppUnknown
    its = (WeChatApp.tenant_id == desk.tenant_id, WeChatApp.appid == appid)
    with transaction() as db:
        app = db.scalar(select(WeChatApp).where(*its))
    if app is None:
        raise AppUnknown
    return _shown(app)


def add_desk_app(desk: Desk, new: NewApp) -> DeskApp:
    """Add an app, for the very next request; raise AppExists, whosever it is."""
    desk.refuse_reader()
    add_app(desk.tenant_slug, new, desk.actor)
    return get_desk_app(desk, new.appid)


def change_desk_app(desk: Desk, appid: str, **settings: str | SessionLimit) -> DeskApp:
    """Change name, registration, session_limit, enabled or data_format, for the very next request.

    Raises AppUnknown.
    """
    desk.refuse_reader()
    change_settings(desk.actor, appid, settings, desk.tenant_id)
    return get_desk_app(desk, appid)


def set_desk_secrets(desk: Desk, appid: str, **secrets: str | None) -> DeskApp:
    """Replace secret, next_secret, push_token or encoding_aes_key; None removes one.

    Those that are not given stay. Raises AppUnknown.
    """
    desk.refuse_reader()
    replace_secrets(desk.actor, appid, secrets, desk.tenant_id)
    return get_desk_app(desk, appid)


def verify_desk_app(desk: Desk, appid: str) -> Sequence[Verdict]:
    """Ask WeChat about the app's credentials; raise AppUnknown.

    No connection is held meanwhile. A reader may not: it uses up what WeChat lets us ask.
    """
    desk.refuse_reader()
    return verify_app(get_desk_app(desk, appid).appid)


def _shown(app: WeChatApp) -> DeskApp:
    return DeskApp(
        appid=app.appid,
        name=app.name,
        registration=app.registration,
        data_format=app.data_format,
        session_limit=app.session_limit,
        enabled=app.enabled,
        created_at=app.created_at,
        **{name: mark_of(app, name) for name in SECRETS},
    )
