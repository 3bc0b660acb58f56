"""Checks of the way to WeChat, and of each mini-program's AppSecret."""

import time
from collections.abc import Iterator

from sqlalchemy import select

from app.doctor.clocks import of_difference
from app.doctor.findings import Deployment, Finding, Text, error, of_failure, ok
from app.errors import Failure
from app.languages import all_translated
from app.models import WeChatApp
from app.services.apps.app_verification import Verdict, verify_app
from app.services.database.transactions import transaction
from app.wechat.reachability import try_to_reach

# Without --app, so that a large platform does not send thousands of calls.
MOST_APPS = 20
SECONDS = 40.0
STEPS = {
    "name": (
        "its host name, or that of WECHAT_PROXY, is unknown",
        "无法解析微信或 WECHAT_PROXY 的主机名",
    ),
    "connection": ("no connection to it, or to WECHAT_PROXY", "无法连接微信或 WECHAT_PROXY"),
    "proxy": ("WECHAT_PROXY refuses", "WECHAT_PROXY 拒绝了连接"),
    "certificate": ("its certificate is not trusted", "证书不受信任"),
    "response": ("it sends no valid response", "未返回有效响应"),
}
REMEDIES = {
    "name": (
        "Correct DNS (/etc/resolv.conf) or WECHAT_PROXY.",
        "请检查 DNS（/etc/resolv.conf）或 WECHAT_PROXY。",
    ),
    "connection": (
        "Allow outgoing connections to api.weixin.qq.com:443, or set WECHAT_PROXY.",
        "请放行到 api.weixin.qq.com:443 的出站连接，或设置 WECHAT_PROXY。",
    ),
    "proxy": (
        "Correct user, password and port in WECHAT_PROXY, and let the proxy allow CONNECT.",
        "请检查 WECHAT_PROXY 中的用户、密码和端口，并让代理允许 CONNECT。",
    ),
    "certificate": (
        "If a proxy replaces the certificate, set WECHAT_CA_FILE. Check the clock, too.",
        "如果代理会替换证书，请设置 WECHAT_CA_FILE；同时检查系统时钟。",
    ),
    "response": (
        "Check WECHAT_API_BASE_URL and WECHAT_PROXY.",
        "请检查 WECHAT_API_BASE_URL 和 WECHAT_PROXY。",
    ),
}


def check_reachability(deployment: Deployment) -> Iterator[Finding]:
    """Check that WeChat answers, and compare its clock with that of this machine."""
    config = deployment.settings
    began = time.time()
    reached = try_to_reach(config.wechat_api_base_url, config.wechat_proxy, config.wechat_ca_file)
    if reached.step != "reached":
        en, zh = STEPS[reached.step]
        yield error(
            "wechat_unreachable",
            (
                f"WeChat cannot be reached: {en} ({reached.reason}).",
                f"无法访问微信：{zh}（{reached.reason}）。",
            ),
            REMEDIES[reached.step],
        )
        return
    yield ok("wechat_reachable", "WeChat answers.", "可以访问微信。")
    if reached.server_time is not None:
        local = (began + time.time()) / 2
        # The header has whole seconds.
        seconds = local - reached.server_time.timestamp()
        yield of_difference("wechat", "WeChat", "微信", seconds - 0.5, tolerance=1.0)


def check_app_secrets(deployment: Deployment) -> Iterator[Finding]:
    """Ask WeChat whether it accepts the AppSecrets: of the given apps, or of some active ones."""
    appids, until = deployment.appids or _active_apps(), time.monotonic() + SECONDS
    for number, appid in enumerate(appids[:MOST_APPS] if not deployment.appids else appids):
        if time.monotonic() > until:
            yield _unchecked(len(appids) - number)
            return
        try:
            verdicts = verify_app(appid)
        except Failure as failure:
            failure.about = appid
            yield of_failure(failure)
        else:
            yield from (_of_verdict(appid, verdict) for verdict in verdicts)
    if not deployment.appids and len(appids) > MOST_APPS:
        yield _unchecked(len(appids) - MOST_APPS)


def _active_apps() -> tuple[str, ...]:
    wanted = select(WeChatApp.appid).where(WeChatApp.enabled)
    with transaction() as db:
        return tuple(db.scalars(wanted.order_by(WeChatApp.appid)))


def _unchecked(count: int) -> Finding:
    return ok(
        "app_secrets_unchecked",
        f"{count} more mini-programs were not checked. Name them with --app.",
        f"另有 {count} 个小程序未检查，可用 --app 指定。",
    )


def _of_verdict(appid: str, verdict: Verdict) -> Finding:
    en, zh = (verdict.fill(all_translated([verdict.advice], one)) for one in ("en", "zh"))
    if verdict.outcome == "right":
        return ok("app_secret_right", f"{appid}: {en}", f"{appid}：{zh}")
    is_early = verdict.which == "next" and verdict.errcode == 40125
    if is_early:
        return ok("app_secret_next", f"{appid}: {en}", f"{appid}：{zh}")
    errcode = "" if verdict.errcode is None else f" (errcode {verdict.errcode})"
    level = "warning" if verdict.outcome == "unknown" else "error"
    code = "app_secret_unknown" if verdict.outcome == "unknown" else "app_secret_rejected"
    which_en = "next AppSecret" if verdict.which == "next" else "AppSecret"
    which_zh = "下一个 AppSecret" if verdict.which == "next" else "AppSecret"
    what = Text(
        f"{appid}: WeChat did not accept the {which_en}{errcode}.",
        f"{appid}：微信未接受{which_zh}{errcode}。",
    )
    return Finding("warning" if level == "warning" else "error", code, what, Text(en, zh))
