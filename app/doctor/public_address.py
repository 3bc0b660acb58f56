"""Checks of the public address: its certificate, and what the proxies tell the service."""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

import certifi

from app.doctor.findings import Deployment, Finding, error, ok, warning
from app.services.proxy_probe import new_question
from app.version import VERSION

SECONDS = 8.0
# As in app/api/health.py.
QUESTION, ANSWER = "X-Wxpass-Doctor", "X-Wxpass-Seen"
EXPIRES_SOON_DAYS = 14
# An address for documentation (RFC 5737), which no client has.
FORGED = "192.0.2.77"
TRUSTED_PROXIES = (
    "Set TRUSTED_PROXIES to the number of proxies in front, or to their networks. Each proxy must "
    "set X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host. See docs/operations.md.",
    "请将 TRUSTED_PROXIES 设为前面代理的数量或网段；每个代理都须设置 X-Forwarded-For、"
    "X-Forwarded-Proto 和 X-Forwarded-Host，参见 docs/operations.zh-CN.md。",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The response of /healthz, what the service has seen, and this end of the connection."""

    status: int
    health: Any
    seen: Any
    own_address: str
    certificate_ends: float | None


def check_public_address(deployment: Deployment) -> Iterator[Finding]:
    """Request /healthz at the address of --url, as a client does."""
    if deployment.url is None:
        yield ok(
            "public_address_unknown",
            "Give --url https://login.example.com to check the proxies and the certificate.",
            "用 --url https://login.example.com 检查代理和证书。",
        )
        return
    url = urlsplit(deployment.url.rstrip("/"))
    try:
        answer = _request(url)
    except (OSError, http.client.HTTPException, ValueError) as failed:
        yield _unreachable(deployment.url, failed)
        return
    yield from _of_certificate(url, answer)
    yield _of_health(deployment.url, answer)
    if answer.seen is not None:
        yield from _of_proxies(url, answer)


def _request(url: SplitResult) -> Answer:
    host, port = url.hostname or "", url.port
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=certifi.where())
        context.load_default_certs()
        connection = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    headers = {QUESTION: new_question(), "X-Forwarded-For": FORGED, "Accept": "application/json"}
    try:
        connection.connect()
        own_address, ends = connection.sock.getsockname()[0], _end_of_certificate(connection.sock)
        connection.request("GET", f"{url.path}/healthz", headers=headers)
        response = connection.getresponse()
        body, seen = response.read(1 << 16), response.getheader(ANSWER)
    finally:
        connection.close()
    return Answer(response.status, _json(body), _json(seen or b""), own_address, ends)


def _end_of_certificate(connection: socket.socket) -> float | None:
    if isinstance(connection, ssl.SSLSocket):
        certificate = connection.getpeercert() or {}
        return ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return None


def _json(text: bytes | str) -> Any:
    with suppress(ValueError):
        return json.loads(text)
    return None


def _unreachable(url: str, failed: Exception) -> Finding:
    if isinstance(failed, ssl.SSLCertVerificationError):
        return error(
            "certificate_invalid",
            (
                f"{url} has an invalid certificate: {failed.verify_message}.",
                f"{url} 的证书无效：{failed.verify_message}。",
            ),
            (
                "Renew the certificate, and let the proxy send the whole chain.",
                "请更新证书，并让代理发送完整的证书链。",
            ),
        )
    reason = type(failed).__name__
    return error(
        "public_address_unreachable",
        (f"{url} cannot be reached: {reason}.", f"无法访问 {url}：{reason}。"),
        (
            "Check DNS, the firewall and the proxy. Behind NAT, run this from another machine.",
            "请检查 DNS、防火墙和代理；若本机在 NAT 之后，请在其他机器上运行。",
        ),
    )


def _of_certificate(url: SplitResult, answer: Answer) -> Iterator[Finding]:
    if answer.certificate_ends is None:
        yield error(
            "public_address_insecure",
            ("The public address is not https.", "对外地址不是 https。"),
            (
                "WeChat requires https. Configure TLS in the proxy.",
                "微信要求使用 https，请在代理上配置 TLS。",
            ),
        )
        return
    days = (answer.certificate_ends - time.time()) / 86_400
    if days < EXPIRES_SOON_DAYS:
        yield warning(
            "certificate_expires_soon",
            (f"The certificate expires in {days:.0f} days.", f"证书将在 {days:.0f} 天后过期。"),
            (
                "Renew it, and check why it was not renewed automatically.",
                "请更新证书，并检查为何未自动续期。",
            ),
        )
    else:
        yield ok(
            "certificate_valid",
            f"The certificate is valid for {days:.0f} more days.",
            f"证书还有 {days:.0f} 天到期。",
        )


def _of_health(url: str, answer: Answer) -> Finding:
    version = answer.health.get("version") if isinstance(answer.health, dict) else None
    if answer.status != http.client.OK or version is None:
        return error(
            "public_address_answers_otherwise",
            (
                f"{url}/healthz answers {answer.status}, not the health of wxpass.",
                f"{url}/healthz 返回 {answer.status}，而不是 wxpass 的健康状态。",
            ),
            (
                "Check that the proxy passes all paths to the port of the service, and that the "
                "service runs.",
                "请确认代理将所有路径转发到服务端口，且服务正在运行。",
            ),
        )
    if version != VERSION:
        return warning(
            "release_differs",
            (
                f"The running service has version {version}, this command {VERSION}.",
                f"正在运行的版本为 {version}，本命令为 {VERSION}。",
            ),
            ("Run make reload after an upgrade.", "升级后请执行 make reload。"),
        )
    if answer.seen is None:
        return warning(
            "proxies_unchecked",
            (
                "The service did not say how it sees the proxies.",
                "服务未返回其所见的代理信息，无法检查代理。",
            ),
            (
                "Load the settings of the running service before this command: the pepper proves "
                "that it may ask.",
                "请在运行本命令前加载该服务的配置，须使用相同的 WXPASS_PEPPER。",
            ),
        )
    return ok(
        "public_address_answers", f"wxpass {version} answers.", f"wxpass {version} 正常响应。"
    )


def _of_proxies(url: SplitResult, answer: Answer) -> Iterator[Finding]:
    seen, problems = answer.seen, list[Finding]()
    address = str(seen.get("address"))
    if address == FORGED:
        problems.append(_of_forged_address())
    elif address != answer.own_address and _is_inside(address):
        problems.append(_of_proxy_address(address))
    if seen.get("scheme") != url.scheme:
        problems.append(_of_header("scheme", "X-Forwarded-Proto", seen.get("scheme"), url.scheme))
    if str(seen.get("host")).lower() != url.netloc.rpartition("@")[2].lower():
        problems.append(_of_header("host", "X-Forwarded-Host", seen.get("host"), url.netloc))
    yield from problems
    if not problems:
        yield ok(
            "proxies_right",
            f"The service sees the client as {address}, with {seen['scheme']}://{seen['host']}.",
            f"服务所见的客户端为 {address}，地址为 {seen['scheme']}://{seen['host']}。",
        )


def _of_forged_address() -> Finding:
    return error(
        "proxies_too_many",
        (
            "The service takes the address that a client writes into X-Forwarded-For: limits per "
            "address can be bypassed.",
            "服务采信了客户端自行填写的 X-Forwarded-For，按地址的限制可被绕过。",
        ),
        TRUSTED_PROXIES,
    )


def _of_proxy_address(address: str) -> Finding:
    return error(
        "proxies_too_few",
        (
            f"The service takes {address}, a proxy, for the client: all clients share one limit.",
            f"服务把代理 {address} 当成了客户端，所有客户端共用同一限额。",
        ),
        TRUSTED_PROXIES,
    )


def _of_header(what: str, header: str, seen: object, wanted: str) -> Finding:
    return error(
        f"proxies_{what}",
        (
            f"The service sees the {what} {seen} instead of {wanted}: {header} does not arrive.",
            f"服务所见为 {seen}，而不是 {wanted}：未收到 {header}。",
        ),
        TRUSTED_PROXIES,
    )


def _is_inside(address: str) -> bool:
    """Return whether an address is one of a machine or a private network."""
    with suppress(ValueError):
        return not ip_address(address).is_global
    return True
