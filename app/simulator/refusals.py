"""WeChat's errors: each errcode and its message."""

MESSAGES = {
    -1: "system error",
    0: "ok",
    40001: (
        "invalid credential, access_token is invalid or not latest, could get access_token by "
        "getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"
    ),
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40014: "invalid access_token",
    40029: "invalid code",
    40097: "invalid args",
    40125: "invalid appsecret",
    40163: "code been used",
    40164: "invalid ip {ip} ipv6 ::ffff:{ip}, not in whitelist",
    40226: "code blocked",
    40243: "appsecret is frozen",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    42001: "access_token expired",
    42003: "oauth code expired",
    43001: "require GET method",
    43002: "require POST method",
    44002: "empty post data",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit  mustslower  retry next minute",
    47001: "data format error",
    48001: "api unauthorized",
    48004: "api forbidden",
    50001: "api unauthorized for user",
    50002: "user limited",
    50004: "token api forbidden",
    50007: "account frozen",
    87007: "session_key is not existd or expired",
    87008: "invalid sig_method",
    87009: "invalid signature",
    89503: "this ip needs to be confirmed by the administrator",
    89506: "this ip was refused by the administrator, wait 24 hours",
    89507: "this ip was refused by the administrator, wait 1 hour",
}


class Refusal(Exception):
    """WeChat rejects a call with this errcode and HTTP status 200."""

    def __init__(self, errcode: int, ip: str = "127.0.0.1") -> None:
        self.errcode = errcode
        self.errmsg = MESSAGES.get(errcode, "error").format(ip=ip)
        super().__init__(errcode)
