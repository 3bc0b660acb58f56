"""The current and the next AppSecret of a mini-program."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from psycopg.errors import LockNotAvailable
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from app.errors import AppUnknown, SecretInUse
from app.models import WeChatApp
from app.services import audit
from app.services.apps.apps import lock_app
from app.services.apps.changes import SecretChanges
from app.services.apps.secret_marks import put_secrets
from app.services.database.transactions import transaction

# How long a login waits to promote a secret.
LOCK_TIMEOUT = "1s"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The current AppSecret of an app, and its next AppSecret if one is stored."""

    current: str = field(repr=False)
    next: str | None = field(repr=False)

    def alternatives_to(self, secret: str) -> Sequence[str]:
        """Return the AppSecrets to try after WeChat has rejected `secret`."""
        return [one for one in (self.current, self.next) if one and one != secret]


def get_secrets(appid: str, tenant_id: UUID | None = None) -> Secrets:
    """Read the AppSecrets of an app from the database. A disabled app is accepted.

    Raises AppUnknown, also if `tenant_id` is given and the app belongs to another tenant.
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
    """Replace the current AppSecret of an app. The change applies to the next request.

    Deletes the next AppSecret. Returns whether there was one. Raises AppUnknown.
    """
    return replace_secrets(audit.OPERATOR, appid, SecretChanges(secret=secret))


def set_next_secret(appid: str, secret: str | None) -> None:
    """Store the next AppSecret of an app, or delete it if `secret` is None.

    The next AppSecret is tried when WeChat rejects the current one. Raises AppUnknown, and
    SecretInUse if `secret` is the current AppSecret.
    """
    replace_secrets(audit.OPERATOR, appid, SecretChanges(next_secret=secret))


def replace_secrets(
    actor: audit.Actor, appid: str, changes: SecretChanges, tenant_id: UUID | None = None
) -> bool:
    """Replace or delete secrets of an app. The changes apply to the next request.

    Replacing the current AppSecret deletes the stored next one, because WeChat has one AppSecret
    at a time. Returns True if the current one was replaced and a next one was stored. Raises
    AppReleased, AppUnknown, also for an app of another tenant than `tenant_id`, and SecretInUse if
    the new next AppSecret equals the current one.
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
    """Make the next AppSecret the current one, unless either secret differs from `seen`.

    A login waits for this call, so a locked row is skipped. In a distributed database, which locks
    the whole table, the call gives up after LOCK_TIMEOUT. A later login then promotes the secret.
    """
    try:
        _promote(appid, seen)
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise


def _promote(appid: str, seen: Secrets) -> None:
    mine = select(WeChatApp).where(WeChatApp.appid == appid)
    with transaction() as db:
        db.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        app = db.scalar(mine.with_for_update(key_share=True, skip_locked=True))
        # Compare plain texts: a key rotation may have changed the ciphertext.
        if app is not None and Secrets(app.secret or "", app.next_secret) == seen:
            entered_at = app.next_secret_set_at
            told = put_secrets(app, SecretChanges(secret=seen.next, next_secret=None))
            app.secret_set_at = entered_at
            audit.record(db, app.tenant_id, audit.SYSTEM, "app.secret_promoted", appid, **told)
