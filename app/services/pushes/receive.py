"""Receive pushes. Each is stored and handled exactly once (docs/decisions/0011).

An event is handled in the transaction that stores it. If the handler fails or takes too long, the
event is stored without being handled, and WeChat gets a success response. push_retry.py handles it
later.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app import wechat
from app.clock import now
from app.errors import AppUnknown, PushNotConfigured, PushReplayed, as_failure
from app.keyring import keyring
from app.models import SocialAccount, WeChatApp, WeChatPush
from app.models.columns import new_id
from app.services.apps.apps import AppConfig
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.privacy import consent_revocation
from app.services.privacy.personal_data import person_index
from app.wechat import Push, PushError, PushQuery, PushSecrets

log = structlog.get_logger()

# A handler runs in the caller's transaction, executes only SQL, and is idempotent. It takes the
# tenant's id, the appid, the push, and the arrival time. If it raises, the event is retried later.
Handler = Callable[[Session, UUID, str, Push, datetime], None]
HANDLERS: dict[str, Handler] = {
    "user_authorization_revoke": consent_revocation.withdraw,
    "user_authorization_cancellation": consent_revocation.cancel,
    "user_info_modified": consent_revocation.clear_modified_profile,
}

# The event with which cloud hosting (云托管) checks a URL. It needs a success response and is not
# stored. Cloud hosting signs neither its pushes nor its check. Both are rejected, so an operator
# who enables cloud hosting sees immediately that its pushes would not be accepted.
CONTAINER_CHECK = "CheckContainerPath"
# The event name under which a verification of the URL is stored.
URL_VERIFICATION = "url_verification"
# WeChat closes the connection after 5 s, so an event that takes longer is stored for a retry.
HANDLING_MILLISECONDS, STORING_MILLISECONDS = 3000, 1000


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified push and its signature. In plain mode the signature does not cover the body."""

    id: UUID
    tenant_id: UUID
    appid: str
    push: Push
    signature: str = field(repr=False)
    in_the_clear: bool


def verify_url(
    app: AppConfig,
    *,
    echostr: str,
    timestamp: str,
    nonce: str,
    signature: str = "",
    msg_signature: str = "",
) -> str:
    """Return the echostr, which proves to WeChat that the URL belongs to the app.

    Raises PushNotConfigured and what `wechat.verify_url` raises.
    """
    asked = PushQuery(timestamp, nonce, signature, msg_signature)
    secrets = _secrets_of(app)
    wechat.verify_url(asked, secrets, _unix_seconds())
    if secrets.encoding_aes_key is None:
        with transaction() as db:
            _store_signature(db, app.tenant_id, app.appid, URL_VERIFICATION, asked.signature)
    return echostr


def receive(
    app: AppConfig,
    content: bytes,
    *,
    timestamp: str,
    nonce: str,
    signature: str = "",
    msg_signature: str = "",
) -> None:
    """Verify a push, then store and handle it unless it is stored already.

    Raises PushNotConfigured, PushReplayed and what `wechat.open_push` raises.
    """
    asked = PushQuery(timestamp, nonce, signature, msg_signature)
    secrets = _secrets_of(app)
    push = wechat.open_push(content, asked, secrets, app.appid, _unix_seconds())
    in_the_clear = secrets.encoding_aes_key is None
    signature = asked.signature if in_the_clear else asked.msg_signature
    if push.event != CONTAINER_CHECK:
        _receive(Arrival(new_id(), app.tenant_id, app.appid, push, signature, in_the_clear))


def _secrets_of(app: AppConfig) -> PushSecrets:
    # The query names the tenant, because the app may have been moved to another one since.
    its = (WeChatApp.tenant_id == app.tenant_id, WeChatApp.appid == app.appid)
    with transaction() as db:
        configured = db.scalar(select(WeChatApp).where(*its))
    if configured is None:
        raise AppUnknown
    if not configured.push_token:
        raise PushNotConfigured("no push token")
    return PushSecrets(configured.push_token, configured.encoding_aes_key)


def _unix_seconds() -> int:
    return int(now().timestamp())


def _receive(arrival: Arrival) -> None:
    try:
        _store_and_handle(arrival)
    except PushReplayed:
        raise
    except Exception as error:
        log.error("push_failed", push_event=arrival.push.event, exc_info=error)
        with transaction() as db:
            _limit_statements(db, STORING_MILLISECONDS)
            _store(db, arrival, failure=name_of(error))


@retry_on_conflict
def _store_and_handle(arrival: Arrival) -> None:
    event = arrival.push.event
    with transaction() as db:
        _limit_statements(db, HANDLING_MILLISECONDS)
        if not _store(db, arrival, handled=event in HANDLERS):
            return
        if event in HANDLERS:
            HANDLERS[event](db, arrival.tenant_id, arrival.appid, arrival.push, now())
        else:
            log.info("push_kept", push_event=event)


def _limit_statements(db: Session, milliseconds: int) -> None:
    db.execute(select(func.set_config("statement_timeout", f"{milliseconds}ms", True)))


def _store(
    db: Session, arrival: Arrival, *, handled: bool = False, failure: str | None = None
) -> bool:
    """Store a push unless it is stored already. Return whether it is new.

    Raises PushReplayed if the signature was received with a different message. In plain mode a
    signature does not cover the body, so an attacker who sees one could send any body with it.
    """
    if not _is_stored(db, arrival, arrival.push.previous_key):
        keys = _keys(arrival.tenant_id, arrival.appid, arrival.push.key, arrival.signature)
        row = insert(WeChatPush).values(
            **keys, **_content_of(db, arrival, handled), id=arrival.id, failure=failure
        )
        if db.scalar(row.on_conflict_do_nothing().returning(WeChatPush.id)):
            return True
        if not _is_stored(db, arrival, arrival.push.key):
            raise PushReplayed
    if arrival.in_the_clear:
        _store_signature(
            db, arrival.tenant_id, arrival.appid, arrival.push.event, arrival.signature
        )
    return False


def _is_stored(db: Session, arrival: Arrival, key: str | None) -> bool:
    if key is None:
        return False
    index = keyring().blind_index(key, _scope_of(arrival.appid))
    same = select(WeChatPush.id).where(
        WeChatPush.tenant_id == arrival.tenant_id,
        WeChatPush.appid == arrival.appid,
        WeChatPush.key_index == index,
    )
    return db.scalar(same) is not None


def _store_signature(db: Session, tenant_id: UUID, appid: str, event: str, signature: str) -> None:
    """Store the signature of a plain-text request, so that it is not accepted with another body."""
    keys = _keys(tenant_id, appid, json.dumps(["signature", signature]), signature)
    moments = {"received_at": now(), "handled_at": now()}
    row = insert(WeChatPush).values(**keys, **moments, id=new_id(), event=event)
    db.execute(row.on_conflict_do_nothing())


def _keys(tenant_id: UUID, appid: str, key: str, signature: str) -> dict[str, Any]:
    scope = _scope_of(appid)
    return {
        "tenant_id": tenant_id,
        "appid": appid,
        "key_index": keyring().blind_index(key, scope),
        "delivery_index": keyring().blind_index(signature, scope),
    }


def _scope_of(appid: str) -> str:
    return f"wechat_pushes:{appid}"


def _content_of(db: Session, arrival: Arrival, handled: bool) -> dict[str, Any]:
    """Return the stored content. A handled push has no message."""
    said = {"event": arrival.push.event, "received_at": now()}
    if handled:
        index = index_if_known(db, arrival.tenant_id, arrival.appid, arrival.push)
        return said | {"handled_at": said["received_at"], "person_index": index}
    sealed = WeChatPush.message.seal(arrival.push.message, WeChatPush, id=arrival.id)
    return said | {"message_sealed": sealed, "person_index": _index_of(arrival)}


def _index_of(arrival: Arrival) -> bytes | None:
    person = arrival.push.person
    return None if person is None else person_index(arrival.appid, person)


def index_if_known(db: Session, tenant_id: UUID, appid: str, push: Push) -> bytes | None:
    """Return the index of a person, or None if no data is stored about them."""
    if push.person is None:
        return None
    known = select(SocialAccount.id).where(
        SocialAccount.tenant_id == tenant_id,
        SocialAccount.appid == appid,
        SocialAccount.openid == push.person,
    )
    return None if db.scalar(known) is None else person_index(appid, push.person)


def name_of(error: Exception) -> str:
    """Return the name of an error, without its message, which may quote personal data.

    For a PushError, this is the stable code and the reason.
    """
    if isinstance(error, PushError):
        code = as_failure(error).code
        return f"{code}: {error.reason}" if error.reason else code
    cause = error.orig if isinstance(error, DBAPIError) else error
    return type(cause).__name__
