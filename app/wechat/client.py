"""Client of WeChat's server APIs for login, phone numbers and access tokens."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import quote_plus

from app.wechat.damaged_text import undamaged
from app.wechat.errcodes import WITH_APP_SECRET, WITH_PHONE_CODE, Meanings, refusal
from app.wechat.errors import CodeRejected, PhoneNumberMissing, WeChatUnavailable
from app.wechat.json_fields import JsonObject, WrongShape, integer_field, object_field
from app.wechat.records import (
    AccessToken,
    PhoneInfo,
    WeChatIdentity,
    read_access_token,
    read_identity,
    read_phone,
    read_watermark,
)
from app.wechat.transport import MoreHeaders, Transport

MOST_CODE_CHARS = 512  # WeChat's codes have 32 or 64 characters; it publishes no limit
ABOUT_OUR_IP = (40164, 89503, 89506, 89507)

_RID = re.compile(r"\brid: *([0-9a-f]{8}(?:-[0-9a-f]{8}){2})\b")
_LINE_BREAKS = re.compile(r"[\t\r\n]")

Record = TypeVar("Record")


@dataclass(slots=True)
class _Answer:
    """What is known of WeChat's response to a call."""

    is_sent: bool = True
    errcode: int | None = None

    def note(self, answer: JsonObject) -> JsonObject:
        """Note the errcode, and return the answer."""
        with suppress(WrongShape):
            self.errcode = integer_field(answer, "errcode") if "errcode" in answer else 0
        return answer


# Called after every call to WeChat with the appid, the API ("login", "phone" or "token"), the
# duration in seconds, whether WeChat sent any response, and its errcode: 0 after a success, None
# without a response that can be read.
Watcher = Callable[[str, str, float, bool, int | None], None]


class WeChatClient:
    """Client of WeChat's server APIs for any number of apps. Every call may raise WeChatError.

    `proxy_url` and `ca_file` are those of ConnectionPool, and `more_headers` is that of Transport.
    """

    def __init__(
        self,
        base_url: str,
        *watchers: Watcher,
        proxy_url: str | None = None,
        ca_file: str | None = None,
        more_headers: MoreHeaders | None = None,
    ) -> None:
        self._transport = Transport(base_url, proxy_url, ca_file, more_headers)
        self._watchers = watchers

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    @contextmanager
    def _watched(self, appid: str, call: str) -> Iterator[_Answer]:
        began, known = time.perf_counter(), _Answer()
        try:
            yield known
        except WeChatUnavailable as failure:
            known.is_sent = failure.answered
            raise
        finally:
            seconds = time.perf_counter() - began
            for watch in self._watchers:
                watch(appid, call, seconds, known.is_sent, known.errcode)

    def code_to_session(self, appid: str, secret: str, code: str) -> WeChatIdentity:
        """Exchange a wx.login code for the WeChat identity (小程序登录凭证校验, code2Session).

        A code is valid for 5 minutes and can be used once. Needs no access token.
        """
        # Hot path: faster than urlencode, which would quote the parameter names as well.
        target = (
            f"/sns/jscode2session?appid={quote_plus(appid)}&secret={quote_plus(secret)}"
            f"&js_code={quote_plus(_plausible(code))}&grant_type=authorization_code"
        )
        with self._watched(appid, "login") as known:
            answer = known.note(self._transport.exchange("GET", target))
        _raise_refusal(answer, WITH_APP_SECRET)
        return _read(read_identity, answer)

    def stable_token(self, appid: str, secret: str, *, force_refresh: bool = False) -> AccessToken:
        """Fetch the app's access token (获取稳定版接口调用凭据, getStableAccessToken).

        WeChat returns the same token until 5 minutes before it expires. `force_refresh` invalidates
        the current token for all processes, and is allowed 20 times a day, every 30 seconds.
        """
        body: JsonObject = {
            "grant_type": "client_credential",
            "appid": appid,
            "secret": secret,
            "force_refresh": force_refresh,
        }
        target = "/cgi-bin/stable_token"
        with self._watched(appid, "token") as known:
            answer = known.note(self._transport.exchange("POST", target, _encode(body)))
        _raise_refusal(answer, WITH_APP_SECRET)
        return _read(read_access_token, answer)

    def phone_number(
        self, appid: str, access_token: str, code: str, openid: str | None = None
    ) -> PhoneInfo:
        """Exchange the code of a phone button for the phone number (获取手机号, getPhoneNumber).

        If `openid` is given, WeChat checks that the code belongs to that person. WeChat does not
        publish the errcode of a mismatch: 40003, 40013 and 40029 raise CodeRejected. So do the
        errcodes of a used code, 40029 and 40163.

        Raises ForeignWatermark if the phone number was issued for another app, and
        PhoneNumberMissing or PhoneCountryMissing if the response lacks the number or country code.
        """
        body: JsonObject = {"code": _plausible(code)}
        if openid is not None:
            body["openid"] = openid
        target = f"/wxa/business/getuserphonenumber?access_token={quote_plus(access_token)}"
        with self._watched(appid, "phone") as known:
            answer = known.note(self._transport.exchange("POST", target, _encode(body)))
        _raise_refusal(answer, WITH_PHONE_CODE)
        return _read(lambda answer: _phone_of(answer, appid), answer)


def _plausible(code: str) -> str:
    # Saves a call, and part of the quota, for text that cannot be a code.
    if 0 < len(code) <= MOST_CODE_CHARS and code.isascii() and code.isprintable():
        return code
    raise CodeRejected(reason="not a code")


def _encode(body: JsonObject) -> bytes:
    # WeChat has rejected \uXXXX escapes in bodies with 40033, so characters are sent as UTF-8.
    return json.dumps(body, ensure_ascii=False).encode("utf-8")


def _raise_refusal(answer: JsonObject, of_this_call: Meanings) -> None:
    # On success, /sns responses have no errcode and other responses have errcode 0.
    if "errcode" not in answer:
        return
    errcode = _read(lambda answer: integer_field(answer, "errcode"), answer)
    if errcode != 0:
        error = refusal(errcode, _rid(answer), of_this_call)
        error.our_ip = _our_ip(answer) if errcode in ABOUT_OUR_IP else None
        raise error


def _rid(answer: JsonObject) -> str | None:
    found = _RID.search(_errmsg(answer))
    return found[1] if found else None


def _our_ip(answer: JsonObject) -> str | None:
    # The first IP address in "invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist".
    for word in _errmsg(answer).split():
        with suppress(ValueError):
            return str(ip_address(word.strip(",;")))
    return None


def _errmsg(answer: JsonObject) -> str:
    return undamaged(_LINE_BREAKS.sub(" ", str(answer.get("errmsg", ""))))


def _phone_of(answer: JsonObject, appid: str) -> PhoneInfo:
    if "errcode" in answer and not answer.get("phone_info"):
        raise PhoneNumberMissing(reason="phone_info is empty or missing")
    phone_info = object_field(answer, "phone_info")
    return read_phone(phone_info, read_watermark(phone_info, appid))


def _read(reader: Callable[[JsonObject], Record], answer: JsonObject) -> Record:
    try:
        return reader(answer)
    except WrongShape as wrong:
        reason = f"missing or wrong in the answer: {wrong}"
        raise WeChatUnavailable(reason=reason, maybe_consumed=True) from None
