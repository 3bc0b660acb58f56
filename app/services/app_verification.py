"""Asking WeChat whether an app's appid and AppSecret are right, and saying what to do if not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.catalogue import N_
from app.services.app_secrets import get_secrets
from app.services.wechat_calls import client
from app.wechat import AppMisconfigured, RateLimited, WeChatError

RIGHT = N_("WeChat accepts appid and AppSecret.")
NOT_YET = N_(
    "WeChat does not accept the next AppSecret yet. That is as it should be until it is reset in "
    "WeChat's console; then it is tried by itself."
)
UNKNOWN = N_("WeChat does not answer properly right now, so nothing is known. Verify again later.")
LIMITED = N_("WeChat limits how often we may ask, so nothing is known. Verify again in a minute.")
OTHER = N_("WeChat refuses with errcode {errcode}. Look it up in its list of global return codes.")

# What to do about WeChat's errcodes (获取稳定版接口调用凭据).
ADVICE = {
    40013: N_(
        "WeChat knows no such appid. Copy it from Development settings in WeChat's console, and "
        "add the mini-program under that."
    ),
    40125: N_(
        "The AppSecret is wrong, or has been reset since. Enter the one of the last reset; "
        "WeChat's console does not show it again, but can reset it."
    ),
    40164: N_(
        "WeChat takes this AppSecret from listed addresses only. Add {ip} to the IP whitelist in "
        "WeChat's console. Until then people can log in, but new phone numbers cannot be fetched."
    ),
    40243: N_(
        "The AppSecret is frozen. Unfreeze it in WeChat's console; or reset it there and enter the "
        "new one."
    ),
    41004: N_("There is no AppSecret. Enter it."),
    50007: N_("WeChat has frozen the mini-program's account. Its notices in the console say why."),
    89503: N_(
        "The mini-program's administrator must first confirm calls from this server ({ip}). WeChat "
        "has sent them a message: confirm there, then verify again."
    ),
    89506: N_(
        "The mini-program's administrator has refused calls from this server ({ip}). WeChat asks "
        "them again after 24 hours; then verify again, and have it confirmed."
    ),
    89507: N_(
        "The mini-program's administrator has refused calls from this server ({ip}). WeChat asks "
        "them again after an hour; then verify again, and have it confirmed."
    ),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What WeChat says of one AppSecret; `advice` is the msgid of what to do."""

    which: Literal["current", "next"]
    outcome: Literal["right", "wrong", "unknown"]
    advice: str
    errcode: int | None = None
    ip: str | None = None

    def fill(self, advice: str) -> str:
        """Put errcode and address into the advice, or its translation."""
        return advice.format(errcode=self.errcode, ip=self.ip or "?")


def verify_app(appid: str) -> Sequence[Verdict]:
    """Ask WeChat about the AppSecret in use, and about the next if there is one; raise AppUnknown.

    By its stable token: asking for that again changes nothing for those who use it.
    """
    secrets = get_secrets(appid)
    verdicts = [_verify(appid, "current", secrets.current)]
    if secrets.next:
        verdicts.append(_verify(appid, "next", secrets.next))
    return verdicts


def _verify(appid: str, which: Literal["current", "next"], secret: str) -> Verdict:
    try:
        client().stable_token(appid, secret)
    except AppMisconfigured as refusal:
        advice = ADVICE.get(refusal.errcode or 0, OTHER)
        if which == "next" and refusal.errcode == 40125:
            advice = NOT_YET
        return Verdict(which, "wrong", advice, refusal.errcode, refusal.our_ip)
    except RateLimited as refusal:
        return Verdict(which, "unknown", LIMITED, refusal.errcode)
    except WeChatError as error:
        return Verdict(which, "unknown", UNKNOWN, error.errcode)
    return Verdict(which, "right", RIGHT)
