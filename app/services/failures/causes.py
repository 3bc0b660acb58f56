"""Causes of failed logins: how serious each error code is, its short reason and its remedy.

WeChat's errcodes have the reasons and remedies of `services/apps/errcode_advice.py`. Codes that are
missing here are not causes of failed logins, such as those of expired sessions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.errors import FAILURES
from app.i18n_marker import N_
from app.models import NO_ERRCODE
from app.services.apps.errcode_advice import LOGIN_ADVICE, OTHER, REASONS


class Kind(StrEnum):
    """What fails, in the order in which causes are listed.

    `APP`: WeChat rejects the app, until its admin acts. `SERVICE`: the service itself.
    `WECHAT`: WeChat does not answer, or limits calls. `SETTINGS`: a setting of wxpass refuses the
    logins. `CLIENT`: mistakes of users or of the mini-program, which are normal in small numbers.
    """

    APP = "app"
    SERVICE = "service"
    WECHAT = "wechat"
    SETTINGS = "settings"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Remedy:
    """The msgid of what to do, and the values of its placeholders."""

    text: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cause:
    """The kind of an error code, and the msgids of its reason and its remedy."""

    kind: Kind
    why: str
    remedy: str


INTERNAL = Cause(
    Kind.SERVICE,
    N_("wxpass failed with an internal error."),
    N_("Search the log for the event `unexpected`, which has the traceback, and report it."),
)
# WeChat's daily quota and frozen accounts last until someone acts. Other limits end by themselves.
WECHAT_QUOTA = 45009
BAD_REQUEST = N_("The mini-program sends malformed requests.")
BAD_REQUEST_REMEDY = N_(
    "Compare the requests of the newest version of the mini-program with /openapi.json. The log "
    "names the invalid fields."
)
BAD_DATA = N_("Data of WeChat's phone or profile button cannot be used.")
BAD_DATA_REMEDY = N_(
    "Check that the mini-program logs in before the button is tapped, and sends WeChat's values "
    "unchanged."
)
TAKEN = N_("Phone numbers or WeChat identities belong to other users.")
TAKEN_REMEDY = N_(
    "Find the users in the console. Unbind or merge them, or change the tenant's rule for phone "
    "numbers."
)
ATTACK = N_("Too many wrong passwords or codes are sent.")
ATTACK_REMEDY = N_(
    "The limits protect the accounts. If many addresses are affected, check the request log for an "
    "attack. If all users share one address, check TRUSTED_PROXIES."
)

CAUSES: Mapping[str, Cause] = {
    "wechat_app_misconfigured": Cause(
        Kind.APP, N_("WeChat rejects the mini-program's credentials or permissions."), OTHER
    ),
    "internal": INTERNAL,
    "database_unavailable": Cause(
        Kind.SERVICE,
        N_("The database is not available."),
        N_(
            "Check that PostgreSQL runs, and that this server reaches it. The log and /readyz name "
            "the error. If the pool of connections is exhausted, raise DATABASE_POOL_SIZE."
        ),
    ),
    "database_read_only": Cause(
        Kind.SERVICE,
        N_("The database server accepts no writes."),
        N_("Wait for the end of the failover. If it persists, DATABASE_URL leads to a standby."),
    ),
    "passwords_busy": Cause(
        Kind.SERVICE,
        N_("More passwords are sent than the servers can check."),
        N_(
            "Check the request log for an attack. Otherwise add CPU cores or servers, because "
            "checking a password takes CPU time."
        ),
    ),
    "wechat_unavailable": Cause(
        Kind.WECHAT,
        N_("WeChat does not answer, or reports an error of its own."),
        N_(
            "If all mini-programs fail, check that this server reaches api.weixin.qq.com: DNS, "
            "firewall, WECHAT_PROXY_URL. Otherwise wait."
        ),
    ),
    "wechat_circuit_open": Cause(
        Kind.WECHAT,
        N_("WeChat did not answer, so logins are refused without a call."),
        N_(
            "Logins work again within seconds once WeChat answers. Check that this server reaches "
            "api.weixin.qq.com: DNS, firewall, WECHAT_PROXY_URL."
        ),
    ),
    "wechat_busy": Cause(
        Kind.WECHAT,
        N_("Too many calls of the mini-program wait for WeChat."),
        N_(
            "Look at WeChat's response times in the console. If WeChat answers quickly, raise the "
            "limit with `apps set --wechat-call-limit`."
        ),
    ),
    "wechat_rate_limited": Cause(
        Kind.WECHAT,
        N_("WeChat limits the mini-program's calls."),
        N_("Wait a minute. If it persists, see the API quotas in WeChat's console."),
    ),
    "app_disabled": Cause(
        Kind.SETTINGS,
        N_("The mini-program is disabled here."),
        N_("Enable it in the console, or with `apps enable`."),
    ),
    "tenant_disabled": Cause(
        Kind.SETTINGS,
        N_("The tenant is disabled."),
        N_("A platform admin can enable it in the console or the admin API."),
    ),
    "registration_closed": Cause(
        Kind.SETTINGS,
        N_("Only added users may log in: registration is closed."),
        N_("Add the users, or choose another registration policy in the settings of the app."),
    ),
    "code_invalid": Cause(Kind.CLIENT, REASONS[40029], LOGIN_ADVICE[40029]),
    "code_used": Cause(
        Kind.CLIENT,
        N_("The mini-program sends codes that are already used."),
        N_("Call wx.login before each login, and send each code once."),
    ),
    "codes_too_many": Cause(Kind.CLIENT, ATTACK, ATTACK_REMEDY),
    "too_many_tries": Cause(Kind.CLIENT, ATTACK, ATTACK_REMEDY),
    "logins_too_many": Cause(Kind.CLIENT, ATTACK, ATTACK_REMEDY),
    "wechat_person_blocked": Cause(
        Kind.CLIENT,
        N_("WeChat blocks the users as high risk."),
        N_("The users can ask WeChat's support. Many of them at the same time are probably bots."),
    ),
    "credentials_wrong": Cause(
        Kind.CLIENT,
        N_("Account or password is wrong."),
        N_(
            "After an import of users, check that their passwords were imported. Otherwise check "
            "the request log for an attack."
        ),
    ),
    "user_disabled": Cause(
        Kind.CLIENT,
        N_("The users are disabled."),
        N_("Enable them in the console if they were disabled by mistake. The audit log says why."),
    ),
    **dict.fromkeys(
        ("phone_taken", "social_account_taken", "phone_owner_has_identity"),
        Cause(Kind.CLIENT, TAKEN, TAKEN_REMEDY),
    ),
    **dict.fromkeys(
        ("request_invalid", "json_malformed", "json_required", "bad_request"),
        Cause(Kind.CLIENT, BAD_REQUEST, BAD_REQUEST_REMEDY),
    ),
    **dict.fromkeys(
        (
            *("session_key_expired", "open_data_malformed", "open_data_unreadable"),
            *("open_data_of_another", "open_data_too_old", "signature_wrong"),
            *("watermark_foreign", "phone_number_missing", "phone_country_missing"),
        ),
        Cause(Kind.CLIENT, BAD_DATA, BAD_DATA_REMEDY),
    ),
}


def find_cause(code: str, errcode: int | None = None) -> Cause | None:
    """Return the cause for an error code and WeChat's errcode, or None if it fails no login."""
    cause = CAUSES.get(code)
    if cause is None:
        failure = FAILURES.get(code)
        return INTERNAL if failure is not None and failure.status >= 500 else None
    kind = Kind.APP if errcode == WECHAT_QUOTA else cause.kind
    if not errcode:
        return cause
    return Cause(kind, REASONS.get(errcode, cause.why), LOGIN_ADVICE.get(errcode, cause.remedy))


def fill(cause: Cause, errcode: int | None, our_ip: str | None) -> Remedy:
    """Return the remedy of a cause with its values: the errcode, and this server's IP address."""
    values = {"errcode": str(errcode or NO_ERRCODE), "ip": our_ip or "?"}
    return Remedy(cause.remedy, values)
