"""All checks, in the order of the report."""

from collections.abc import Iterator

from flask import Flask

from app.doctor import (
    addresses,
    capacity,
    clocks,
    database,
    jobs,
    nodes,
    public_address,
    schema,
    settings,
    wechat,
)
from app.doctor.findings import Deployment, Finding, Text, warning
from app.doctor.running import Group, run_group

NOT_CHECKED = Text("Not checked", "未检查")
GROUPS = (
    Group(
        Text("Settings", "配置"),
        (settings.check_configuration, settings.check_environment, settings.check_secret_files),
        needs_config=False,
    ),
    Group(Text("Machine", "本机"), (capacity.check_disks,), needs_config=False),
    Group(
        Text("Network", "网络"),
        (
            settings.check_hosts,
            settings.check_proxies,
            addresses.check_service_port,
            addresses.check_metrics_port,
            public_address.check_public_address,
            capacity.check_rate_limit_storage,
        ),
    ),
    Group(Text("Database", "数据库"), (database.check_connection,)),
    Group(
        Text("Database server", "数据库服务器"),
        (
            database.check_server,
            database.check_pooling,
            database.check_tls,
            nodes.check_nodes,
            clocks.check_database_clock,
            capacity.check_connections,
            jobs.check_replica,
            jobs.check_archiver,
        ),
        needs_database=True,
    ),
    Group(
        Text("Schema and keys", "表结构与密钥"),
        (
            schema.check_role,
            schema.check_rights,
            schema.check_migrations,
            schema.check_encryption_keys,
            jobs.check_jobs,
        ),
        needs_database=True,
        seconds=45.0,
    ),
    Group(Text("WeChat", "微信"), (wechat.check_reachability,), seconds=30.0),
    Group(
        Text("Mini-programs", "小程序"),
        (wechat.check_app_secrets,),
        needs_database=True,
        seconds=60.0,
    ),
)


def examine(app: Flask, deployment: Deployment) -> Iterator[tuple[Text, list[Finding]]]:
    """Run all checks that can run. Yield the title and the findings of each group."""
    codes, skipped = set[str](), dict[Text, list[Text]]()
    for group in GROUPS:
        if reason := _why_not(group, deployment, codes):
            skipped.setdefault(reason, []).append(group.title)
            continue
        findings = run_group(app, group, deployment)
        codes.update(finding.code for finding in findings)
        yield group.title, findings
    if skipped:
        yield NOT_CHECKED, [_skipped(reason, titles) for reason, titles in skipped.items()]


def _why_not(group: Group, deployment: Deployment, codes: set[str]) -> Text | None:
    """Return why a group cannot run, or None if it can."""
    if group.needs_config and deployment.config is None:
        return Text("the settings are invalid", "配置无效")
    if group.needs_database and "database_reachable" not in codes:
        return Text("the database cannot be reached", "无法连接数据库")
    if group.checks == (wechat.check_app_secrets,) and "wechat_reachable" not in codes:
        return Text("WeChat cannot be reached", "无法访问微信")
    return None


def _skipped(reason: Text, titles: list[Text]) -> Finding:
    en, zh = ", ".join(title.en for title in titles), "、".join(title.zh for title in titles)
    return warning(
        "checks_skipped",
        (f"{en}: {reason.en}.", f"{zh}：{reason.zh}。"),
        ("Correct the errors above first.", "请先处理上面的错误。"),
    )
