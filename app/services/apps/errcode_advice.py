"""What an operator should do about the errcodes that WeChat returns for an AppSecret.

`app/wechat/errcodes.py` maps the same errcodes to exceptions.
"""

from app.i18n_marker import N_

RIGHT = N_("WeChat accepts appid and AppSecret.")
NOT_YET = N_(
    "WeChat does not accept the next AppSecret yet. That is as it should be until it is reset in "
    "WeChat's console; then it is tried by itself."
)
UNKNOWN = N_("WeChat does not answer properly right now, so nothing is known. Verify again later.")
LIMITED = N_("WeChat limits how often we may ask, so nothing is known. Verify again in a minute.")
OTHER = N_("WeChat refuses with errcode {errcode}. Look it up in its list of global return codes.")

# By errcode, from WeChat's page 获取稳定版接口调用凭据.
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


# For claims. They serve no logins.
CLAIM_ADVICE = ADVICE | {
    40164: N_(
        "WeChat takes this AppSecret from listed addresses only. Add {ip} to the IP whitelist in "
        "WeChat's console, then verify again. Until then the mini-program is not active."
    ),
}
NOT_ASKED = N_("WeChat has not been asked about this AppSecret yet. Verify it.")
