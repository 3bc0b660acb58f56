"""Advice for operators about the errcodes that WeChat returns for an AppSecret.

The advice is shown when an AppSecret is verified. `app/wechat/errcodes.py` maps the same errcodes
to exceptions. An errcode that is not listed there is treated as `AppMisconfigured`. `{ip}` is this
server's IP address, known for the errcodes in `ABOUT_OUR_IP` of `app/wechat/client.py`.
"""

from app.i18n_marker import N_

RIGHT = N_("WeChat accepts appid and AppSecret.")
NOT_YET = N_(
    "WeChat does not accept the next AppSecret yet. This is expected until the AppSecret is "
    "reset in WeChat's console. It is then used automatically."
)
UNKNOWN = N_(
    "WeChat is not available right now, so the AppSecret could not be verified. Verify again later."
)
LIMITED = N_(
    "WeChat limits the rate of requests, so the AppSecret could not be verified. "
    "Verify again in a minute."
)
OTHER = N_("WeChat returned errcode {errcode}. Look it up in WeChat's list of global return codes.")

# By errcode, from WeChat's page 获取稳定版接口调用凭据.
ADVICE = {
    40013: N_(
        "WeChat does not know this appid. Copy the appid from Development settings in WeChat's "
        "console, and add the mini-program again."
    ),
    40125: N_(
        "The AppSecret is wrong or has been reset. Enter the one of the last reset. WeChat's "
        "console does not show it again, but can reset it."
    ),
    40164: N_(
        "WeChat accepts this AppSecret from whitelisted addresses only. Add {ip} to the IP "
        "whitelist in WeChat's console. Until then users can log in, but phone numbers cannot "
        "be fetched by code."
    ),
    40243: N_(
        "The AppSecret is frozen. Unfreeze it in WeChat's console, or reset it there and enter "
        "the new one."
    ),
    41004: N_("The AppSecret is missing. Enter it."),
    50007: N_(
        "WeChat has frozen the mini-program's account. The notices in WeChat's console say why."
    ),
    89503: N_(
        "The mini-program's administrator must confirm calls from this server ({ip}). WeChat "
        "has sent them a message. Verify again after the confirmation."
    ),
    89506: N_(
        "The mini-program's administrator has refused calls from this server ({ip}). WeChat "
        "asks them again after 24 hours. Verify again then, and have the request confirmed."
    ),
    89507: N_(
        "The mini-program's administrator has refused calls from this server ({ip}). WeChat "
        "asks them again after one hour. Verify again then, and have the request confirmed."
    ),
}


# For claims, which have no users yet: the advice does not mention logins.
CLAIM_ADVICE = ADVICE | {
    40164: N_(
        "WeChat accepts this AppSecret from whitelisted addresses only. Add {ip} to the IP "
        "whitelist in WeChat's console, then verify again. Until then the mini-program is not "
        "active."
    ),
}
NOT_ASKED = N_("This AppSecret has not been verified with WeChat yet. Verify it.")
