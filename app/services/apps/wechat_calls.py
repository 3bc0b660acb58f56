"""Calls to WeChat, made with no database connection held."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar, cast

import structlog
from flask import current_app
from sqlalchemy import and_, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.clock import now
from app.models import WeChatAccessToken
from app.services.apps.app_secrets import get_secrets, promote_next_secret
from app.services.apps.apps import AppConfig
from app.services.apps.call_limits import call_slot
from app.services.database.transactions import transaction
from app.services.runtime.polling import backoff
from app.wechat import (
    AccessToken,
    AccessTokenRejected,
    SecretRejected,
    WeChatClient,
    WeChatIdentity,
    WeChatUnavailable,
)

R = TypeVar("R")

log = structlog.get_logger()

# WeChat rotates a stable token 5 minutes before it expires; asking earlier gives the same again.
RENEW_BEFORE = timedelta(minutes=4)
# Longer than three calls take, each with a failed connect repeated: 3 x (3 + 3 + 5) s. One is for
# an AppSecret that was reset, one for a token that is dead, one for the next.
REFRESH_LEASE = timedelta(seconds=40)


def client() -> WeChatClient:
    """Return the running app's door to WeChat."""
    return cast(WeChatClient, current_app.extensions["wechat_client"])


def proof_client() -> WeChatClient:
    """Return the client that verifies claims.

    It has connections of its own, and its calls are not counted: they would change the figures of
    another tenant that has the appid.
    """
    return cast(WeChatClient, current_app.extensions["wechat_proof_client"])


def code_to_session(app: AppConfig, code: str) -> WeChatIdentity:
    """Exchange a code of wx.login, with the AppSecret that WeChat accepts."""
    return with_secret(app, lambda secret: client().code_to_session(app.appid, secret, code))


def with_secret(app: AppConfig, call: Callable[[str], R]) -> R:
    """Make a call that needs the AppSecret; when WeChat rejects it, with one that came after it.

    WeChat looks at the secret before anything else, so a single-use code that went with a wrong
    one is still good. A next secret that works takes the place of the rejected one.
    """
    try:
        return call(app.secret)
    except SecretRejected as rejection:
        log.info("app_secret_rejected", appid=app.appid, rid=rejection.rid)
        kept = get_secrets(app.appid, app.tenant_id)
        for secret in kept.after(app.secret):
            with suppress(SecretRejected):
                answer = call(secret)
                if secret == kept.next:
                    promote_next_secret(app.appid, kept)
                return answer
        raise


def with_access_token(app: AppConfig, call: Callable[[str], R]) -> R:
    """Make a call that needs the app's access token; when WeChat rejects it, heal it once.

    WeChat checks the token first, so a single-use code sent with a rejected token is still valid.
    Raises WeChatBusy or WeChatCircuitOpen.
    """
    with call_slot(app):
        token = _access_token(app)
        try:
            return call(token)
        except AccessTokenRejected as rejection:
            log.info("access_token_rejected", errcode=rejection.errcode, rid=rejection.rid)
            return call(_access_token(app, rejected=token))


def _access_token(app: AppConfig, rejected: str | None = None) -> str:
    """Return the shared token. If it has expired, one process fetches the next and the others wait.

    Raises WeChatUnavailable if that process fails or takes too long. The waiting processes then
    fail too, rather than try one after another.
    """
    for look in backoff():
        kept = _look(app)
        token = kept.token if kept and kept.is_good_until(now() + RENEW_BEFORE) else None
        if token is not None and token != rejected:
            return token
        if kept is None or not kept.is_being_refreshed(now()):
            if look > 0 and kept and kept.refreshing_until is None:
                break
            lease = _claim_refresh(app, kept.expires_at if kept else None)
            if lease is not None:
                return _refresh(app, lease, rejected)
    raise WeChatUnavailable(reason="the access token was not refreshed")


def _look(app: AppConfig) -> WeChatAccessToken | None:
    with transaction() as db:
        return db.scalar(
            select(WeChatAccessToken).where(
                WeChatAccessToken.tenant_id == app.tenant_id, WeChatAccessToken.appid == app.appid
            )
        )


def _claim_refresh(app: AppConfig, seen: datetime | None) -> datetime | None:
    """Claim the refresh among all processes. Return the end of the lease, or None.

    The lease is a column, not a lock, because a lock would hold a connection while WeChat answers.
    There is no lease if the expiry of the token is not the one `seen`: it was refreshed since.
    """
    lease = now() + REFRESH_LEASE
    claim = insert(WeChatAccessToken).values(
        appid=app.appid, tenant_id=app.tenant_id, refreshing_until=lease
    )
    claim = claim.on_conflict_do_update(
        constraint="pk_wechat_access_tokens",
        set_={"refreshing_until": claim.excluded.refreshing_until},
        where=and_(
            WeChatAccessToken.expires_at.is_not_distinct_from(seen),
            or_(
                WeChatAccessToken.refreshing_until.is_(None),
                WeChatAccessToken.refreshing_until < now(),
            ),
        ),
    )
    with transaction() as db:
        return db.scalar(claim.returning(WeChatAccessToken.refreshing_until))


def _refresh(app: AppConfig, lease: datetime, rejected: str | None) -> str:
    try:
        fresh = with_secret(app, lambda secret: _fetch(app, secret, rejected))
    except BaseException:
        _end_lease(app, lease, None)
        raise
    _end_lease(app, lease, fresh)
    return fresh.value


def _fetch(app: AppConfig, secret: str, rejected: str | None) -> AccessToken:
    fresh = client().stable_token(app.appid, secret)
    if fresh.value == rejected:
        fresh = client().stable_token(app.appid, secret, force_refresh=True)
    return fresh


def _end_lease(app: AppConfig, lease: datetime, fresh: AccessToken | None) -> None:
    """End the lease and store the fresh token, if any, unless another process has the lease now."""
    values: dict[str, object] = {"refreshing_until": None}
    if fresh is not None:
        values["expires_at"] = now() + timedelta(seconds=fresh.expires_in)
        values["token_sealed"] = WeChatAccessToken.token.seal(
            fresh.value, WeChatAccessToken, appid=app.appid
        )
    own = (
        WeChatAccessToken.tenant_id == app.tenant_id,
        WeChatAccessToken.appid == app.appid,
        WeChatAccessToken.refreshing_until == lease,
    )
    with transaction() as db:
        db.execute(update(WeChatAccessToken).where(*own).values(values))
