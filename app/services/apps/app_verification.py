"""Asking WeChat whether an appid and its AppSecret are right, and what to do if they are not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from app.errors import AppHeldElsewhere
from app.i18n_marker import N_
from app.services.apps.app_secrets import get_secrets
from app.services.apps.wechat_calls import client
from app.wechat import AppMisconfigured, WeChatClient, WeChatError, is_rate_limit

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


# For claims, which serve no logins.
CLAIM_ADVICE = ADVICE | {
    40164: N_(
        "WeChat takes this AppSecret from listed addresses only. Add {ip} to the IP whitelist in "
        "WeChat's console, then verify again. Until then the mini-program is not active."
    ),
}
NOT_ASKED = N_("WeChat has not been asked about this AppSecret yet. Verify it.")

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
