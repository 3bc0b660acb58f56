"""Calls to WeChat, made with no database connection held."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar, cast

from flask import current_app
from sqlalchemy import and_, or_, update
from sqlalchemy.dialects.postgresql import insert

from app.clock import now
from app.models import WeChatAccessToken
from app.services.apps import AppConfig
from app.services.transactions import transaction
from app.wechat import AccessToken, AccessTokenRejected, WeChatClient, WeChatUnavailable

R = TypeVar("R")

# WeChat rotates a stable token 5 minutes before it expires; asking earlier gives the same again.
RENEW_BEFORE = timedelta(minutes=4)
# Longer than two calls can take with all their timeouts, so a living refresher is never doubled.
REFRESH_LEASE = timedelta(seconds=20)
POLL_SECONDS = 0.05


def client() -> WeChatClient:
    """Give the running app's door to WeChat."""
    return cast(WeChatClient, current_app.extensions["wechat_client"])


def with_access_token(app: AppConfig, call: Callable[[str], R]) -> R:
    """Make a call that needs the app's access token; when WeChat rejects it, heal it once.

    A rejected token is rejected before anything else is looked at, so a single-use code that
    went with it is still good.
    """
    token = _access_token(app)
    try:
        return call(token)
    except AccessTokenRejected:
        return call(_access_token(app, rejected=token))


def _access_token(app: AppConfig, rejected: str | None = None) -> str:
    """Take the shared token, or be the one who fetches the next; everybody else waits for it."""
    deadline = time.monotonic() + REFRESH_LEASE.total_seconds()
    while time.monotonic() < deadline:
        kept = _look(app)
        if kept and kept.expires_at and kept.expires_at > now() + RENEW_BEFORE:
            token = kept.token
            if token is not None and token != rejected:
                return token
        if _claim_refresh(app, kept.token_sealed if kept else None):
            return _refresh(app, rejected)
        time.sleep(POLL_SECONDS)
    raise WeChatUnavailable


def _look(app: AppConfig) -> WeChatAccessToken | None:
    with transaction() as db:
        return db.get(WeChatAccessToken, app.appid)


def _claim_refresh(app: AppConfig, seen: str | None) -> bool:
    """Become the one refresher among all processes, for the length of a lease.

    A lease in the row, not a lock: a lock would hold its connection while WeChat answers. Only
    while the row still holds what was `seen`: else somebody has refreshed it since.
    """
    lease = now() + REFRESH_LEASE
    claim = insert(WeChatAccessToken).values(
        appid=app.appid, tenant_id=app.tenant_id, refreshing_until=lease
    )
    claim = claim.on_conflict_do_update(
        constraint="pk_wechat_access_tokens",
        set_={"refreshing_until": claim.excluded.refreshing_until},
        where=and_(
            WeChatAccessToken.token_sealed.is_not_distinct_from(seen),
            or_(
                WeChatAccessToken.refreshing_until.is_(None),
                WeChatAccessToken.refreshing_until < now(),
            ),
        ),
    )
    with transaction() as db:
        return db.scalar(claim.returning(WeChatAccessToken.appid)) is not None


def _refresh(app: AppConfig, rejected: str | None) -> str:
    try:
        fresh = client().stable_token(app.appid, app.secret)
        if fresh.value == rejected:
            fresh = client().stable_token(app.appid, app.secret, force_refresh=True)
    except BaseException:
        _settle(app, None)
        raise
    _settle(app, fresh)
    return fresh.value


def _settle(app: AppConfig, fresh: AccessToken | None) -> None:
    """Give the lease back, and keep the fresh token if there is one."""
    values: dict[str, object] = {"refreshing_until": None}
    if fresh is not None:
        values["expires_at"] = now() + timedelta(seconds=fresh.expires_in)
        values["token_sealed"] = WeChatAccessToken.token.seal(
            fresh.value, WeChatAccessToken, appid=app.appid
        )
    with transaction() as db:
        db.execute(
            update(WeChatAccessToken).where(WeChatAccessToken.appid == app.appid).values(values)
        )
