"""Mini-programs: which app a request is for, and the operators' work on the config table."""

import re
import time
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import (
    AppDisabled,
    AppExists,
    AppidInvalid,
    AppReleased,
    AppTaken,
    AppUnknown,
    TenantDisabled,
)
from app.models import SessionLimit, Tenant, WeChatApp
from app.not_given import NOT_GIVEN, NotGiven
from app.services import audit
from app.services.apps.changes import AppSettings, SecretChanges
from app.services.apps.claim_closing import close_claims
from app.services.apps.secret_marks import put_secrets
from app.services.apps.tenants import get_tenant
from app.services.cache.registry import caches
from app.services.cache.session_cache import app_subject
from app.services.database.transactions import transaction, violated

# What a request may name. Apps that were entered before `NEW_APPID` was required stay.
APPID = re.compile(r"[A-Za-z0-9_-]{1,64}")
NEW_APPID = re.compile(r"wx[0-9A-Za-z]{16}")
# What operators may name: also a released app.
APP_KEY = re.compile(rf"{APPID.pattern}(~[0-9]{{20}})?")
# What WeChat's console gives, and, of its Token, what it takes.
APP_SECRET = re.compile(r"[!-~]{1,128}")
PUSH_TOKEN = re.compile(r"[A-Za-z0-9]{3,32}")
ENCODING_AES_KEY = re.compile(r"[A-Za-z0-9]{43}")


@dataclass(frozen=True, slots=True)
class AppConfig:
    """An app as requests need it. None is no session limit, and the default call limit."""

    appid: str
    tenant_id: UUID
    tenant_slug: str
    registration: str
    secret: str = field(repr=False)
    session_limit: int | None = None
    wechat_call_limit: int | None = None


@dataclass(frozen=True, slots=True)
class KnownApp:
    """An app, and the states that can forbid its use."""

    config: AppConfig
    enabled: bool
    tenant_status: str


@dataclass(frozen=True, slots=True)
class NewApp:
    """What an operator says of an app; the last three go into the database encrypted."""

    appid: str
    name: str
    registration: str
    data_format: str
    secret: str = field(repr=False)
    push_token: str | None = field(default=None, repr=False)
    encoding_aes_key: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> SecretChanges:
        """Return the secrets that are given."""
        return SecretChanges(
            secret=self.secret,
            push_token=NOT_GIVEN if self.push_token is None else self.push_token,
            encoding_aes_key=NOT_GIVEN if self.encoding_aes_key is None else self.encoding_aes_key,
        )


def get_app(appid: str, *, even_disabled: bool = False) -> AppConfig:
    """Find the app that answers to `appid`; raise AppUnknown, AppDisabled or TenantDisabled."""
    if not APPID.fullmatch(appid):
        raise AppUnknown
    known = caches().apps.find(appid) or _read_app(appid)
    if not even_disabled:
        refuse_disabled_app(known.enabled, known.tenant_status)
    return known.config


def _read_app(appid: str) -> KnownApp:
    asked_at = time.monotonic()
    wanted = select(WeChatApp, Tenant.slug, Tenant.status).join(Tenant)
    with transaction() as db:
        row = db.execute(wanted.where(WeChatApp.appid == appid)).one_or_none()
    if row is None:
        raise AppUnknown
    app, slug, tenant_status = row
    config = AppConfig(
        appid,
        app.tenant_id,
        slug,
        app.registration,
        app.secret or "",
        app.effective_session_limit,
        app.wechat_call_limit,
    )
    known = KnownApp(config, app.enabled, tenant_status)
    caches().apps.keep(appid, known, asked_at, app_subject(appid), app.tenant_id.bytes)
    return known


def refuse_disabled_app(app_enabled: bool, tenant_status: str) -> None:
    """Raise TenantDisabled or AppDisabled."""
    if tenant_status != "active":
        raise TenantDisabled
    if not app_enabled:
        raise AppDisabled


def refuse_malformed(appid: str) -> None:
    """Raise AppidInvalid for an appid that WeChat cannot have given."""
    if not NEW_APPID.fullmatch(appid):
        raise AppidInvalid


def add_app(tenant_slug: str, new: NewApp, actor: audit.Actor = audit.OPERATOR) -> None:
    """Add an app as proven, without asking WeChat, and close every claim to its appid.

    For the platform only: tenants claim an appid and prove it (services/apps/claims.py). Raises
    AppidInvalid, TenantUnknown, AppExists, or AppTaken for an appid of another tenant.
    """
    refuse_malformed(new.appid)
    try:
        with transaction() as db:
            _insert_app(db, get_tenant(db, tenant_slug).id, new, actor)
    except IntegrityError as error:
        if violated(error) != "pk_wechat_apps":
            raise
        raise AppExists if _is_of(tenant_slug, new.appid) else AppTaken from None


def _insert_app(db: Session, tenant_id: UUID, new: NewApp, actor: audit.Actor) -> None:
    app = WeChatApp(
        appid=new.appid,
        tenant_id=tenant_id,
        name=new.name,
        registration=new.registration,
        data_format=new.data_format,
    )
    told = put_secrets(app, new.secrets)
    db.add(app)
    # Before any claim is locked: another proof of the appid waits here and holds no lock.
    db.flush()
    close_claims(db, tenant_id, new.appid)
    shown = {"registration": new.registration, "data_format": new.data_format}
    after = {"name": new.name, **shown, **told["after"]}
    audit.record(db, tenant_id, actor, "app.added", app.appid, after=after)


def _is_of(tenant_slug: str, appid: str) -> bool:
    of_tenant = select(WeChatApp.appid).join(Tenant).where(Tenant.slug == tenant_slug)
    with transaction() as db:
        return db.scalar(of_tenant.where(WeChatApp.appid == appid)) is not None


def change_app(
    appid: str,
    *,
    name: str | None = None,
    registration: str | None = None,
    session_limit: SessionLimit | NotGiven = NOT_GIVEN,
    wechat_call_limit: int | NotGiven | None = NOT_GIVEN,
) -> None:
    """Change settings of an app from the command line, as `change_settings` does."""
    settings = AppSettings(
        name=name,
        registration=registration,
        session_limit=session_limit,
        wechat_call_limit=wechat_call_limit,
    )
    change_settings(audit.OPERATOR, appid, settings)


def change_settings(
    actor: audit.Actor, appid: str, settings: AppSettings, tenant_id: UUID | None = None
) -> None:
    """Change settings of an app. They apply to the next request.

    Raises AppUnknown, also for an app of another tenant than the given one.
    """
    with transaction() as db:
        app = lock_app(db, appid, tenant_id)
        told = audit.before_and_after(app, settings.given())
        settings.apply_to(app)
        audit.record(db, app.tenant_id, actor, "app.changed", appid, **told)


def set_app_push(appid: str, push_token: str, encoding_aes_key: str | None) -> None:
    """Replace the secrets of an app's message push. Without a key, pushes are plain text.

    Applies to the next request. Raises AppUnknown.
    """
    with transaction() as db:
        app = lock_app(db, appid)
        secrets = SecretChanges(push_token=push_token, encoding_aes_key=encoding_aes_key)
        told = put_secrets(app, secrets)
        audit.record(db, app.tenant_id, audit.OPERATOR, "app.push_secrets_replaced", appid, **told)


def set_app_enabled(appid: str, enabled: bool) -> None:
    """Enable or disable an app. The change applies to the next request. Raise AppUnknown."""
    with transaction() as db:
        app = lock_app(db, appid)
        app.enabled = enabled
        action = "app.enabled" if enabled else "app.disabled"
        audit.record(db, app.tenant_id, audit.OPERATOR, action, appid)


def lock_app(db: Session, appid: str, tenant_id: UUID | None = None) -> WeChatApp:
    """Lock an app of one tenant, or of any, to change it. No login waits for this lock.

    Raises AppUnknown, or AppReleased.
    """
    if not APP_KEY.fullmatch(appid):
        raise AppUnknown
    wanted = select(WeChatApp).where(WeChatApp.appid == appid)
    if tenant_id is not None:
        wanted = wanted.where(WeChatApp.tenant_id == tenant_id)
    app = db.scalar(wanted.with_for_update(key_share=True))
    if app is None:
        raise AppUnknown
    if app.released_at is not None:
        raise AppReleased
    return app
