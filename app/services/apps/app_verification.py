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
    """What WeChat says of one AppSecret; `advice` is the msgid of what to do.

    An outcome of `held_elsewhere` means that the AppSecret is right and another tenant has the
    appid.
    """

    which: Literal["current", "next"]
    outcome: Outcome
    advice: str
    errcode: int | None = None
    ip: str | None = None

    def fill(self, advice: str) -> str:
        """Put errcode and address into the advice, or its translation."""
        return advice.format(errcode=self.errcode, ip=self.ip or "?")


def verify_app(appid: str, tenant_id: UUID | None = None) -> Sequence[Verdict]:
    """Ask WeChat about the AppSecret in use, and about the next if there is one.

    Asks for the stable token: asking for that again changes nothing for those who use it. Raises
    AppUnknown, for an app of another tenant than the given one too.
    """
    secrets = get_secrets(appid, tenant_id)
    verdicts = [ask_wechat(client(), appid, secrets.current)]
    if secrets.next:
        verdicts.append(_of_next(ask_wechat(client(), appid, secrets.next)))
    return verdicts


def ask_wechat(
    wechat: WeChatClient, appid: str, secret: str, advice: Mapping[int, str] = ADVICE
) -> Verdict:
    """Ask WeChat about an AppSecret, with no database connection held."""
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
    """Return the msgid of what to do about what WeChat said."""
    if outcome == "right":
        return RIGHT
    if outcome == "held_elsewhere":
        return AppHeldElsewhere.en
    if outcome == "unknown":
        return LIMITED if is_rate_limit(errcode) else UNKNOWN
    return advice.get(errcode or 0, OTHER)


def _of_next(verdict: Verdict) -> Verdict:
    """Take the refusal of a next AppSecret that is not in use yet for what it is."""
    is_early = verdict.errcode == 40125
    return replace(verdict, which="next", advice=NOT_YET if is_early else verdict.advice)
