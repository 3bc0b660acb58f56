"""The AppSecret of a mini-program, and the one that is to follow it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import select

from app.errors import AppUnknown, SecretInUse
from app.models import WeChatApp
from app.services import audit
from app.services.apps.apps import lock_app
from app.services.apps.changes import SecretChanges
from app.services.apps.secret_marks import put_secrets
from app.services.database.transactions import transaction


@dataclass(frozen=True, slots=True)
class Secrets:
    """The AppSecret in use, and the next."""

    current: str = field(repr=False)
    next: str | None = field(repr=False)

    def after(self, secret: str) -> Sequence[str]:
        """List the secrets to try after WeChat rejected this one."""
        return [one for one in (self.current, self.next) if one and one != secret]


def get_secrets(appid: str, tenant_id: UUID | None = None) -> Secrets:
    """Read the present secrets of an app of one tenant, or of any; it may be switched off.

    Raises AppUnknown.
    """
    wanted = select(WeChatApp).where(WeChatApp.appid == appid)
    if tenant_id is not None:
        wanted = wanted.where(WeChatApp.tenant_id == tenant_id)
    with transaction() as db:
        app = db.scalar(wanted)
        if app is None or app.released_at is not None:
            raise AppUnknown
        return Secrets(app.secret or "", app.next_secret)


def set_secret(appid: str, secret: str) -> bool:
    """Replace an app's AppSecret. The change applies to the next request. Raise AppUnknown.

    Tells whether one was to follow it, which is not kept any longer.
    """
    return replace_secrets(audit.OPERATOR, appid, SecretChanges(secret=secret))


def set_next_secret(appid: str, secret: str | None) -> None:
    """Keep the AppSecret that follows, or none; raise AppUnknown, or SecretInUse for the present.

    It is tried as soon as WeChat rejects the one in use.
    """
    replace_secrets(audit.OPERATOR, appid, SecretChanges(next_secret=secret))


def replace_secrets(
    actor: audit.Actor, appid: str, changes: SecretChanges, tenant_id: UUID | None = None
) -> bool:
    """Replace some of an app's secrets; remove those that are None. Applies to the next request.

    WeChat has one AppSecret at a time, so one that was to follow a replaced one is not kept any
    longer; tells whether there was one. Raises AppUnknown, for an app of another tenant than the
    given one too, and SecretInUse for a next AppSecret that is the present one.
    """
    with transaction() as db:
        app = lock_app(db, appid, tenant_id)
        given = changes.given()
        if given.get("next_secret") and given["next_secret"] == app.secret:
            raise SecretInUse
        drops_next = "secret" in given and app.next_secret_sealed is not None
        if drops_next and "next_secret" not in given:
            changes = replace(changes, next_secret=None)
        told = put_secrets(app, changes)
        for action in _actions(changes.given()):
            audit.record(db, app.tenant_id, actor, action, appid, **told)
    return drops_next


def _actions(secrets: Mapping[str, str | None]) -> Iterator[str]:
    if "secret" in secrets:
        yield "app.secret_replaced"
    if "next_secret" in secrets:
        yield "app.next_secret_set" if secrets["next_secret"] else "app.next_secret_removed"
    if secrets.keys() & {"push_token", "encoding_aes_key"}:
        yield "app.push_secrets_replaced"


def promote_next_secret(appid: str, seen: Secrets) -> None:
    """Put the next AppSecret in use, unless either secret was changed since they were `seen`.

    Does not wait for a locked app, because a login waits for this call: the next call promotes it.
    """
    mine = select(WeChatApp).where(WeChatApp.appid == appid)
    with transaction() as db:
        app = db.scalar(mine.with_for_update(key_share=True, skip_locked=True))
        # Compared in clear: a rotation of keys may have changed the ciphertext.
        if app is not None and Secrets(app.secret or "", app.next_secret) == seen:
            entered_at = app.next_secret_set_at
            told = put_secrets(app, SecretChanges(secret=seen.next, next_secret=None))
            app.secret_set_at = entered_at
            audit.record(db, app.tenant_id, audit.SYSTEM, "app.secret_promoted", appid, **told)
