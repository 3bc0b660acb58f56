"""Advice for operators about WeChat's errcodes.

`ADVICE` is shown when an AppSecret is verified, and when logins fail. `REASONS` and `LOGIN_ADVICE`
are shown when logins fail (services/failures). `app/wechat/errcodes.py` maps the same errcodes to
exceptions. An errcode that is not listed there is treated as `AppMisconfigured`. `{ip}` is this
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
# For failing logins.
LOGIN_ADVICE = ADVICE | {
    -1: N_("WeChat is busy. Wait. If it persists, ask WeChat's support."),
    40029: N_(
        "Check that the published mini-program has this appid, and that it calls wx.login directly "
        "before each login. Codes expire after five minutes."
    ),
    40164: N_(
        "Add {ip} to the IP whitelist in WeChat's console, under Development settings. Phone "
        "numbers can then be fetched again within minutes. Logins by wx.login do not need it."
    ),
    45009: N_(
        "The daily quota of an API is used up. It resets at midnight, Shanghai time. Clear the "
        "quota or apply for a higher one in WeChat's console."
    ),
    45011: N_(
        "WeChat allows a number of calls per minute. Wait a minute. If it persists, check that the "
        "mini-program does not call wx.login in a loop."
    ),
    48001: N_(
        "This kind of mini-program may not use the API. Phone numbers need a verified "
        "mini-program of an organisation. See API permissions in WeChat's console."
    ),
    48004: N_("WeChat has banned the API for this mini-program. WeChat's console says why."),
    50002: N_("WeChat restricts these users for now. Wait."),
}
# The short meaning of an errcode.
REASONS = {
    -1: N_("WeChat is busy."),
    40013: N_("WeChat does not know the appid."),
    40029: N_("WeChat rejects the codes."),
    40125: N_("WeChat rejects the AppSecret."),
    40164: N_("This server's IP address is not whitelisted."),
    40243: N_("The AppSecret is frozen."),
    41004: N_("The AppSecret is missing."),
    45009: N_("WeChat's daily quota is used up."),
    45011: N_("WeChat limits the calls per minute."),
    48001: N_("The mini-program has no permission for the API."),
    48004: N_("WeChat has banned the API for the mini-program."),
    50002: N_("WeChat restricts the users."),
    50007: N_("WeChat has frozen the mini-program's account."),
    89503: N_("The mini-program's administrator has not confirmed this server's IP address."),
    89506: N_("The mini-program's administrator has refused this server's IP address."),
    89507: N_("The mini-program's administrator has refused this server's IP address."),
}
NOT_ASKED = N_("This AppSecret has not been verified with WeChat yet. Verify it.")
