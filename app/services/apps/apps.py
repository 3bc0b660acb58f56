"""Mini-programs: finding the app of a request, and adding and changing apps."""

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
from app.errors.sqlstates import violated_constraint
from app.models import SessionLimit, Tenant, WeChatApp
from app.not_given import NOT_GIVEN, NotGiven
from app.services import audit
from app.services.apps.changes import AppSettings, SecretChanges
from app.services.apps.claim_closing import close_claims
from app.services.apps.secret_marks import put_secrets
from app.services.apps.tenants import get_tenant
from app.services.cache.registry import caches
from app.services.cache.session_cache import app_subject
from app.services.database.transactions import transaction

# An appid in a request. Apps that were added before `NEW_APPID` was required may differ from it.
APPID = re.compile(r"[A-Za-z0-9_-]{1,64}")
NEW_APPID = re.compile(r"wx[0-9A-Za-z]{16}")
# The key of an app in the database: the appid, followed by a time if the app was released.
APP_KEY = re.compile(rf"{APPID.pattern}(~[0-9]{{20}})?")
# AppSecret and EncodingAESKey as WeChat's console issues them, and the Token that it accepts.
APP_SECRET = re.compile(r"[!-~]{1,128}")
PUSH_TOKEN = re.compile(r"[A-Za-z0-9]{3,32}")
ENCODING_AES_KEY = re.compile(r"[A-Za-z0-9]{43}")


@dataclass(frozen=True, slots=True)
class AppConfig:
    """The settings of an app that requests need.

    A `session_limit` of None means no limit. A `wechat_call_limit` of None means the default.
    """

    appid: str
    tenant_id: UUID
    tenant_slug: str
    registration: str
    secret: str = field(repr=False)
    session_limit: int | None = None
    wechat_call_limit: int | None = None


@dataclass(frozen=True, slots=True)
class KnownApp:
    """A cached app, with the states of app and tenant that can disable its use."""

    config: AppConfig
    enabled: bool
    tenant_status: str


@dataclass(frozen=True, slots=True)
class NewApp:
    """A new app or claim as entered by an operator. Its three secrets are stored encrypted."""

    appid: str
    name: str
    registration: str
    data_format: str
    secret: str = field(repr=False)
    push_token: str | None = field(default=None, repr=False)
    encoding_aes_key: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> SecretChanges:
        """Return the secrets in the form that `put_secrets` takes."""
        return SecretChanges(
            secret=self.secret,
            push_token=NOT_GIVEN if self.push_token is None else self.push_token,
            encoding_aes_key=NOT_GIVEN if self.encoding_aes_key is None else self.encoding_aes_key,
        )


def get_app(appid: str, *, even_disabled: bool = False) -> AppConfig:
    """Return the app with an appid, from the cache or the database.

    Raises AppUnknown. Raises AppDisabled or TenantDisabled unless `even_disabled`.
    """
    if not APPID.fullmatch(appid):
        raise AppUnknown
    known = caches().apps.find(appid) or _read_app(appid)
    if not even_disabled:
        refuse_disabled_app(known.enabled, known.tenant_status)
    return known.config


def find_cached_tenant(appid: str) -> str | None:
    """Return the slug of the tenant of a cached app, or None if the app is not cached."""
    known = caches().apps.find(appid)
    return known and known.config.tenant_slug


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
    """Raise TenantDisabled or AppDisabled if the tenant or the app is disabled."""
    if tenant_status != "active":
        raise TenantDisabled
    if not app_enabled:
        raise AppDisabled


def refuse_malformed(appid: str) -> None:
    """Raise AppidInvalid unless the appid has the form of WeChat's appids."""
    if not NEW_APPID.fullmatch(appid):
        raise AppidInvalid


def add_app(tenant_slug: str, new: NewApp, actor: audit.Actor = audit.OPERATOR) -> None:
    """Add an active app without verifying its AppSecret, and close every claim to its appid.

    For platform admins only: tenants claim an appid and prove the claim (services/apps/claims.py).
    Raises AppidInvalid, TenantUnknown, AppExists, or AppTaken for an appid of another tenant.
    """
    refuse_malformed(new.appid)
    try:
        with transaction() as db:
            _insert_app(db, get_tenant(db, tenant_slug).id, new, actor)
    except IntegrityError as error:
        if violated_constraint(error) != "pk_wechat_apps":
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
    # Insert the app before locking claims: a concurrent insert of the appid waits without any lock.
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
    """Call `change_settings` for the command line. Parameters that are not given stay unchanged."""
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

    Raises AppUnknown, also for an app of another tenant than `tenant_id`, and AppReleased.
    """
    with transaction() as db:
        app = lock_app(db, appid, tenant_id)
        told = audit.before_and_after(app, settings.given())
        settings.apply_to(app)
        audit.record(db, app.tenant_id, actor, "app.changed", appid, **told)


def set_app_push(appid: str, push_token: str, encoding_aes_key: str | None) -> None:
    """Replace the Token and the EncodingAESKey of an app's message push.

    Without an EncodingAESKey, pushes are accepted in plain text. The change applies to the next
    request. Raises AppUnknown.
    """
    with transaction() as db:
        app = lock_app(db, appid)
        secrets = SecretChanges(push_token=push_token, encoding_aes_key=encoding_aes_key)
        told = put_secrets(app, secrets)
        audit.record(db, app.tenant_id, audit.OPERATOR, "app.push_secrets_replaced", appid, **told)


def set_app_enabled(appid: str, enabled: bool) -> None:
    """Enable or disable an app. The change applies to the next request. Raises AppUnknown."""
    with transaction() as db:
        app = lock_app(db, appid)
        app.enabled = enabled
        action = "app.enabled" if enabled else "app.disabled"
        audit.record(db, app.tenant_id, audit.OPERATOR, action, appid)


def lock_app(db: Session, appid: str, tenant_id: UUID | None = None) -> WeChatApp:
    """Return an app, locked for a change. Logins do not wait for this lock.

    Raises AppReleased, and AppUnknown, also for an app of another tenant than `tenant_id`.
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
