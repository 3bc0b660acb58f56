"""Checks of the settings. They need neither a database nor a valid configuration."""

import stat
from collections.abc import Iterator
from pathlib import Path

from app.doctor.addresses import binding_of
from app.doctor.findings import Deployment, Finding, Text, error, ok, warning
from config import ConfigError
from config.secret_files import secret_paths

SETTING_PAGE = Text(
    "Correct the setting. docs/configuration.md describes it.",
    "请修正该配置项，参见 docs/configuration.zh-CN.md。",
)
EXPOSED = stat.S_IROTH | stat.S_IWGRP | stat.S_IWOTH
# A file that is mounted alone, as by Docker Compose, is only in this container. Its folder on the
# machine decides which users can read it.
EXPOSED_MOUNT = stat.S_IWGRP | stat.S_IWOTH


def check_configuration(deployment: Deployment) -> Iterator[Finding]:
    """Report each setting that is missing or invalid."""
    refused = deployment.config_error
    if refused is None:
        yield ok("settings_valid", "All settings are valid.", "所有配置项均有效。")
        return
    for part in refused.parts if isinstance(refused, ConfigError) else (refused,):
        yield _of_message(str(part))


def _of_message(message: str) -> Finding:
    """Return the finding for an error about a setting: English / Chinese, and often a command."""
    about, _, command = message.partition("\n")
    en, separator, zh = about.partition(" / ")
    name = en.partition(":")[0]
    remedy = SETTING_PAGE
    if command.strip():
        remedy = Text(command.strip(), command.strip())
    what = Text(en, f"{name}：{zh}" if separator else en)
    return Finding("error", "setting_invalid", what, remedy)


def check_environment(deployment: Deployment) -> Iterator[Finding]:
    """Check that this is production."""
    name = deployment.environ.get("WXPASS_ENV", "").strip() or "development"
    if name == "production":
        yield ok(
            "environment_production", "WXPASS_ENV is production.", "WXPASS_ENV 为 production。"
        )
        return
    yield error(
        "environment_not_production",
        (
            f"WXPASS_ENV is {name}: passwords, keys and requests are not protected.",
            f"WXPASS_ENV 为 {name}：密码、密钥和请求未受保护。",
        ),
        (
            "Set WXPASS_ENV=production and load the settings of the service before this command: "
            "set -a; . ./.env; set +a",
            "请设置 WXPASS_ENV=production，并在运行本命令前加载服务的配置："
            "set -a; . ./.env; set +a",
        ),
    )


def check_secret_files(deployment: Deployment) -> Iterator[Finding]:
    """Check who can read the files of secrets."""
    paths = secret_paths(deployment.environ)
    for name, path in paths.items():
        try:
            mode = stat.S_IMODE(Path(path).stat().st_mode)
        except OSError:
            continue  # An error of the configuration.
        if mode & (EXPOSED_MOUNT if is_mounted_alone(Path(path)) else EXPOSED):
            yield warning(
                "secret_file_exposed",
                (
                    f"{name}: other users can read or change {path} (mode {mode:04o}).",
                    f"{name}：其他用户可以读取或修改 {path}（权限 {mode:04o}）。",
                ),
                (f"chmod 0400 {path}, as its owner.", f"以文件所有者执行 chmod 0400 {path}。"),
            )
        else:
            yield ok("secret_file_protected", f"{name} is protected.", f"{name} 的文件权限正确。")


def is_mounted_alone(path: Path) -> bool:
    """Return whether a file is on another file system than its folder."""
    file = path.resolve()
    return file.stat().st_dev != file.parent.stat().st_dev


def check_hosts(deployment: Deployment) -> Iterator[Finding]:
    """Check the host names of the console."""
    hosts = deployment.settings.allowed_hosts
    if hosts:
        names = ", ".join(hosts)
        yield ok("hosts_limited", f"ALLOWED_HOSTS is {names}.", f"ALLOWED_HOSTS 为 {names}。")
        return
    yield warning(
        "hosts_unlimited",
        (
            "ALLOWED_HOSTS is not set: the console answers under any host name, so links in it "
            "can be made to lead to another site.",
            "未设置 ALLOWED_HOSTS：控制台接受任意主机名，其中的链接可能被指向其他网站。",
        ),
        (
            "Set ALLOWED_HOSTS to the public host names, such as login.example.com.",
            "请将 ALLOWED_HOSTS 设为对外的主机名，例如 login.example.com。",
        ),
    )


def check_proxies(deployment: Deployment) -> Iterator[Finding]:
    """Check that a port that others can reach is behind a proxy."""
    trusted, binding = deployment.settings.trusted_proxies, binding_of(deployment)
    if binding.is_local or trusted:
        yield ok(
            "proxies_plausible",
            f"The service listens on {binding}, with TRUSTED_PROXIES={_shown(trusted)}.",
            f"服务监听 {binding}，TRUSTED_PROXIES={_shown(trusted)}。",
        )
        return
    yield warning(
        "bind_without_proxy",
        (
            f"The service listens on {binding} and TRUSTED_PROXIES is not set: it is reached "
            "without TLS, or it takes a proxy for the client.",
            f"服务监听 {binding}，但未设置 TRUSTED_PROXIES：要么未使用 TLS，"
            "要么会把代理当成客户端。",
        ),
        (
            "Put a reverse proxy with TLS in front, and set TRUSTED_PROXIES to its network.",
            "请在前面部署启用 TLS 的反向代理，并将 TRUSTED_PROXIES 设为其网段。",
        ),
    )


def _shown(trusted: object) -> str:
    return str(trusted) if isinstance(trusted, int) else ",".join(map(str, trusted))  # type: ignore[call-overload]
