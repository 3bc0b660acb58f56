"""The command that checks a deployment."""

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import cast
from urllib.parse import urlsplit

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from app.cli.terminal import show
from app.doctor.catalogue import examine
from app.doctor.findings import Deployment, Finding, Text
from app.version import VERSION

SHOWN_LEVELS = {"ok": "ok      正常", "warning": "WARNING 警告", "error": "ERROR   错误"}
Report = list[tuple[Text, list[Finding]]]


def validate_url(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Return the URL, or raise BadParameter if it is no http or https address."""
    try:
        parts = urlsplit(value or "https://unset")
        is_right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right:
        raise click.BadParameter(
            "use an address such as https://login.example.com. "
            "须为 https://login.example.com 形式的地址。"
        )
    return value


@click.command()
@click.option(
    "--url",
    callback=validate_url,
    metavar="URL",
    help="Public address of the service, to check proxies and certificate. "
    "服务的对外地址，用于检查代理和证书。",
)
@click.option(
    "--app",
    "appids",
    multiple=True,
    metavar="APPID",
    help="Check the AppSecret of this mini-program only. Can be repeated. "
    "只检查该小程序的 AppSecret，可重复。",
)
@click.option(
    "--hosts",
    type=click.IntRange(1, 10_000),
    help="Number of machines that run the service. 运行服务的机器数量。",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON. 输出 JSON。")
@click.option("--quiet", is_flag=True, help="Print problems only. 只显示问题。")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings, too. 有警告时也返回 1。")
@with_appcontext
def doctor(url: str | None, appids: tuple[str, ...], hosts: int | None, **output: bool) -> None:
    """Check this deployment, and print a remedy for each problem. 检查部署并给出处理办法。

    Checks settings, database, TLS, migrations, keys, clock, WeChat, proxies, ports, disks,
    retention and backups. The exit code is 0 without errors, 1 with errors, and 2 for wrong usage.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    deployment = cast(Deployment, app.extensions["deployment"])
    deployment = replace(deployment, url=url, appids=appids, hosts=hosts)
    report: Report = []
    for title, findings in examine(app, deployment):
        report.append((title, findings))
        if not output["as_json"]:
            _show_group(title, findings, quiet=output["quiet"])
    count = _count(finding for _, findings in report for finding in findings)
    if output["as_json"]:
        click.echo(json.dumps(_as_json(report, count), ensure_ascii=False, indent=2))
    else:
        show(
            f"{count['error']} errors, {count['warning']} warnings. "
            f"{count['error']} 个错误，{count['warning']} 个警告。"
        )
    if count["error"] or (output["strict"] and count["warning"]):
        raise click.exceptions.Exit(1)


def _count(findings: Iterable[Finding]) -> dict[str, int]:
    levels = [finding.level for finding in findings]
    return {level: levels.count(level) for level in ("error", "warning", "ok")}


def _show_group(title: Text, findings: list[Finding], *, quiet: bool) -> None:
    shown = [finding for finding in findings if finding.level != "ok" or not quiet]
    if not shown:
        return
    show(f"{title.en} {title.zh}")
    for finding in shown:
        show(f"  {SHOWN_LEVELS[finding.level]}  {finding.what.en}")
        show(f"          {finding.what.zh}")
        if finding.remedy is not None:
            show(f"          → {finding.remedy.en}")
            if finding.remedy.zh != finding.remedy.en:  # a command
                show(f"          → {finding.remedy.zh}")


def _as_json(report: Report, count: dict[str, int]) -> dict[str, object]:
    """Return the report for `--json`. Its shape is documented in docs/cli.md."""
    findings = [
        {"group": title.en, **asdict(finding)} for title, several in report for finding in several
    ]
    return {
        "version": VERSION,
        "errors": count["error"],
        "warnings": count["warning"],
        "findings": findings,
    }
