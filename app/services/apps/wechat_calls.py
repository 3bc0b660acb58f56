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

# WeChat issues a new stable token 5 minutes before expiry. An earlier request returns the old one.
RENEW_BEFORE = timedelta(minutes=4)
# Longer than the three calls of a refresh: one with a reset AppSecret, one that returns the
# rejected token, one that forces a new token. Each takes at most 3 + 3 + 5 s.
REFRESH_LEASE = timedelta(seconds=40)


def client() -> WeChatClient:
    """Return the WeChat client of the running Flask app."""
    return cast(WeChatClient, current_app.extensions["wechat_client"])


def proof_client() -> WeChatClient:
    """Return the WeChat client that verifies claims.

    It has its own connection pool. Its calls are not counted, because the counts would go to the
    tenant that has the appid, which may be another one.
    """
    return cast(WeChatClient, current_app.extensions["wechat_proof_client"])


def code_to_session(app: AppConfig, code: str) -> WeChatIdentity:
    """Exchange a `wx.login` code for the openid, unionid and session key."""
    return with_secret(app, lambda secret: client().code_to_session(app.appid, secret, code))


def with_secret(app: AppConfig, call: Callable[[str], R]) -> R:
    """Make a call with the AppSecret. If WeChat rejects the secret, repeat it with newer secrets.

    WeChat checks the AppSecret first, so a single-use code sent with a wrong AppSecret is still
    valid. A next AppSecret that WeChat accepts becomes the current one.
    """
    try:
        return call(app.secret)
    except SecretRejected as rejection:
        log.info("app_secret_rejected", appid=app.appid, rid=rejection.rid)
        kept = get_secrets(app.appid, app.tenant_id)
        for secret in kept.alternatives_to(app.secret):
            with suppress(SecretRejected):
                answer = call(secret)
                if secret == kept.next:
                    promote_next_secret(app.appid, kept)
                return answer
        raise


def with_access_token(app: AppConfig, call: Callable[[str], R]) -> R:
    """Make a call with the app's access token. If WeChat rejects the token, refresh and retry once.

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
    """Return the shared access token. If it has expired, one process refreshes it, others wait.

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
    """Claim the token refresh among all processes. Return the end of the lease, or None.

    Returns None if another process has the lease, or if the expiry of the stored token is no longer
    `seen` because the token was refreshed. The lease is a column, not a lock, because a lock would
    hold a connection during the call to WeChat.
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
    """End this process's lease and store the new token, if any. Do nothing without the lease."""
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
