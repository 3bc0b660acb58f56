"""Verification of an appid and its AppSecret with WeChat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from app.errors import AppHeldElsewhere
from app.services.apps.app_secrets import get_secrets
from app.services.apps.errcode_advice import (
    ADVICE,
    CLAIM_ADVICE,
    LIMITED,
    NOT_YET,
    OTHER,
    RIGHT,
    UNKNOWN,
)
from app.services.apps.wechat_calls import client
from app.wechat import AppMisconfigured, WeChatClient, WeChatError, is_rate_limit

Outcome = Literal["right", "wrong", "unknown", "held_elsewhere"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of verifying one AppSecret. `advice` is the msgid of the advice for the operator.

    The outcome `held_elsewhere` means that the AppSecret is right, but another tenant has the
    appid.
    """

    which: Literal["current", "next"]
    outcome: Outcome
    advice: str
    errcode: int | None = None
    ip: str | None = None

    def fill(self, advice: str) -> str:
        """Insert the errcode and this server's IP address into the advice or its translation."""
        return advice.format(errcode=self.errcode, ip=self.ip or "?")


def verify_app(appid: str, tenant_id: UUID | None = None) -> Sequence[Verdict]:
    """Verify the current AppSecret of an app with WeChat, and the next one if there is one.

    Requests the stable token, because a repeated request does not invalidate the token in use.
    Raises AppUnknown, also for an app of another tenant than `tenant_id`.
    """
    secrets = get_secrets(appid, tenant_id)
    verdicts = [ask_wechat(client(), appid, secrets.current)]
    if secrets.next:
        verdicts.append(_for_next_secret(ask_wechat(client(), appid, secrets.next)))
    return verdicts


def ask_wechat(
    wechat: WeChatClient, appid: str, secret: str, advice: Mapping[int, str] = ADVICE
) -> Verdict:
    """Verify an AppSecret with WeChat. Call it without a database connection."""
    try:
        wechat.stable_token(appid, secret)
    except AppMisconfigured as refusal:
        said = advise("wrong", refusal.errcode, advice)
        return Verdict("current", "wrong", said, refusal.errcode, refusal.our_ip)
    except WeChatError as error:
        said = advise("unknown", error.errcode, advice)
        return Verdict("current", "unknown", said, error.errcode)
    return Verdict("current", "right", RIGHT)


def advise(outcome: Outcome, errcode: int | None, advice: Mapping[int, str] = CLAIM_ADVICE) -> str:
    """Return the msgid of the advice for an outcome and WeChat's errcode."""
    if outcome == "right":
        return RIGHT
    if outcome == "held_elsewhere":
        return AppHeldElsewhere.en
    if outcome == "unknown":
        return LIMITED if is_rate_limit(errcode) else UNKNOWN
    return advice.get(errcode or 0, OTHER)


def _for_next_secret(verdict: Verdict) -> Verdict:
    """Return the verdict for the next AppSecret. WeChat rejects it until the AppSecret is reset."""
    is_early = verdict.errcode == 40125
    return replace(verdict, which="next", advice=NOT_YET if is_early else verdict.advice)
