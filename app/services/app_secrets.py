"""The AppSecret of a mini-program, and the one that is to follow it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from app.errors import AppUnknown, SecretInUse
from app.models import WeChatApp
from app.services import audit
from app.services.apps import lock_app
from app.services.transactions import transaction


@dataclass(frozen=True, slots=True)
class Secrets:
    """The AppSecret in use, and the next."""

    current: str = field(repr=False)
    next: str | None = field(repr=False)

    def after(self, secret: str) -> Sequence[str]:
        """List those that may work where this one does not."""
        return [one for one in (self.current, self.next) if one and one != secret]


def get_secrets(appid: str) -> Secrets:
    """Read the secrets as they are now, of an app that may be switched off; raise AppUnknown."""
    with transaction() as db:
        app = db.scalar(select(WeChatApp).where(WeChatApp.appid == appid))
        if app is None:
            raise AppUnknown
        return Secrets(app.secret or "", app.next_secret)


def set_secret(appid: str, secret: str) -> bool:
    """Replace an app's AppSecret, for the very next request; raise AppUnknown.

    WeChat has one at a time, so one that was to follow the replaced one is not kept any longer.
    Tells whether there was one.
    """
    with transaction() as db:
        app = lock_app(db, appid)
        had_next = app.next_secret_sealed is not None
        app.secret, app.next_secret = secret, None
        audit.record(db, app.tenant_id, audit.OPERATOR, "app.secret_replaced", appid)
        if had_next:
            audit.record(db, app.tenant_id, audit.OPERATOR, "app.next_secret_removed", appid)
    return had_next


def set_next_secret(appid: str, secret: str | None) -> None:
    """Keep the AppSecret that follows, or none; raise AppUnknown, or SecretInUse for the present.

    It is tried as soon as WeChat rejects the one in use.
    """
    action = "app.next_secret_set" if secret else "app.next_secret_removed"
    with transaction() as db:
        app = lock_app(db, appid)
        if secret and secret == app.secret:
            raise SecretInUse
        app.next_secret = secret
        audit.record(db, app.tenant_id, audit.OPERATOR, action, appid)


def promote_next_secret(appid: str, seen: Secrets) -> None:
    """Put the next AppSecret in use, once, unless either was changed since they were `seen`.

    Never waits, for somebody's login does: when another is at the app, the next call promotes it.
    """
    mine = select(WeChatApp).where(WeChatApp.appid == appid)
    with transaction() as db:
        app = db.scalar(mine.with_for_update(key_share=True, skip_locked=True))
        # Compared in clear: a rotation of keys may have changed the ciphertext.
        if app is not None and Secrets(app.secret or "", app.next_secret) == seen:
            app.secret, app.next_secret = seen.next, None
            audit.record(db, app.tenant_id, audit.SYSTEM, "app.secret_promoted", appid)
