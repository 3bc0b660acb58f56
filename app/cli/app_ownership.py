"""Commands that add, verify, remove, release and move mini-programs."""

import sys
from collections.abc import Sequence
from typing import Any

import click
from flask.cli import with_appcontext

from app.cli.app_options import (
    REGISTRATION,
    claim_tenant_option,
    claimant_of,
    read_valid_secret,
    secret_stdin,
    validate_appid,
    validate_new_appid,
)
from app.cli.terminal import report_errors, show, validate_name, validate_slug
from app.languages import in_both_languages
from app.models.registration import DEFAULT_REGISTRATION
from app.services import audit
from app.services.apps import apps as service
from app.services.apps import claims, proofs, releases
from app.services.apps.app_records import AppUsage
from app.services.apps.app_verification import Verdict, verify_app
from app.services.apps.tenants import tenant_id_of

# The optional secrets, in the order in which they are read after the AppSecret.
PUSH_SECRETS = (
    ("push_token", "Token", service.PUSH_TOKEN),
    ("encoding_aes_key", "EncodingAESKey", service.ENCODING_AES_KEY),
)


@click.command("add")
@click.argument("appid", callback=validate_new_appid)
@click.option(
    "--tenant", required=True, callback=validate_slug, help="The slug of its tenant. 所属租户。"
)
@click.option("--name", required=True, callback=validate_name, help="The display name. 名称。")
@click.option(
    "--registration",
    type=REGISTRATION,
    default=DEFAULT_REGISTRATION,
    show_default=True,
    help="When a person is registered: at the first login, at phone verification, or "
    "never. 何时自动注册用户。",
)
@click.option(
    "--data-format",
    type=click.Choice(["json", "xml"], case_sensitive=False),
    default="json",
    show_default=True,
    help="The format of WeChat's message push. 消息推送的数据格式。",
)
@secret_stdin
@click.option(
    "--push-token",
    is_flag=True,
    help="Also read the Token of message push. 同样读取消息推送 Token。",
)
@click.option(
    "--encoding-aes-key",
    is_flag=True,
    help="Also read the EncodingAESKey of message push. 同样读取 EncodingAESKey。",
)
@click.option(
    "--unproven",
    is_flag=True,
    help="Activate it without verification, if WeChat cannot be reached. "
    "不向微信核对，直接启用，用于无法连接微信时。",
)
@with_appcontext
@report_errors
def add(appid: str, tenant: str, secret_stdin: bool, unproven: bool, **facts: Any) -> None:
    """Add a mini-program and verify it with WeChat. 新增小程序，经微信核对后启用。

    If WeChat rejects it, the mini-program stays pending and the exit code is 1. Correct the
    AppSecret with `apps set-secret`, or verify again with `apps verify`. Secrets are read from a
    prompt or from standard input, one per line: AppSecret, push Token, EncodingAESKey.
    """
    facts["secret"] = read_valid_secret("AppSecret", service.APP_SECRET, secret_stdin)
    for name, what, pattern in PUSH_SECRETS:
        facts[name] = read_valid_secret(what, pattern, secret_stdin) if facts[name] else None
    new = service.NewApp(appid, **facts)
    if unproven:
        service.add_app(tenant, new)
        show(f"Added {appid} to {tenant}. 已为 {tenant} 新增 {appid}。")
        return
    claimed = claims.claim_app(audit.OPERATOR, tenant_id_of(tenant), new, limited=False)
    if not _show_claim_state(appid, tenant, proofs.prove(audit.OPERATOR, claimed)):
        sys.exit(1)


def _show_claim_state(appid: str, tenant: str, verdict: Verdict) -> bool:
    """Print the verification result and the state of the app. Return whether it is active."""
    _show_verdicts([verdict])
    if verdict.outcome == "right":
        show(f"{appid} is active for {tenant}. {appid} 已为 {tenant} 启用。")
        return True
    show(f"{appid} is pending for {tenant}. {appid} 待 {tenant} 完成核对，尚未启用。")
    return False


def _show_verdicts(verdicts: Sequence[Verdict]) -> None:
    for one in verdicts:
        name = "AppSecret" if one.which == "current" else "next AppSecret 下一个 AppSecret"
        said = one.fill(in_both_languages(one.advice))
        show(": ".join([name, str(one.errcode), said] if one.errcode else [name, said]))


@click.command("verify")
@click.argument("appid", callback=validate_appid)
@claim_tenant_option
@with_appcontext
@report_errors
def verify(appid: str, tenant: str | None) -> None:
    """Verify appid and AppSecret with WeChat, and print the result. 向微信核对 AppSecret。

    A pending mini-program becomes active if WeChat accepts it. The exit code is 0 if WeChat accepts
    the AppSecret or the next one, otherwise 1.
    """
    claimant = claimant_of(appid, tenant)
    if claimant is None:
        verdicts = verify_app(appid)
        _show_verdicts(verdicts)
        accepted = any(one.outcome == "right" for one in verdicts)
    else:
        claimed = claims.take_secret(tenant_id_of(claimant), appid, limited=False)
        accepted = _show_claim_state(appid, claimant, proofs.prove(audit.OPERATOR, claimed))
    if not accepted:
        sys.exit(1)


@click.command("remove")
@click.argument("appid", callback=validate_appid)
@click.option(
    "--tenant", required=True, callback=validate_slug, help="The slug of its tenant. 所属租户。"
)
@with_appcontext
@report_errors
def remove(appid: str, tenant: str) -> None:
    """Remove a mini-program that is not verified or was never used. 删除未核对或未使用的小程序。"""
    tenant_id = tenant_id_of(tenant)
    if claimant_of(appid, tenant) is None:
        releases.delete_app(audit.OPERATOR, tenant_id, appid)
    else:
        claims.withdraw_claim(audit.OPERATOR, tenant_id, appid)
    show(f"Removed {appid} from {tenant}. 已从 {tenant} 删除 {appid}。")


@click.command("release")
@click.argument("appid", callback=validate_appid)
@click.option(
    "--tenant", required=True, callback=validate_slug, help="The slug of its tenant. 所属租户。"
)
@with_appcontext
@report_errors
def release(appid: str, tenant: str) -> None:
    """Release an appid, so that any tenant can add it again. 收回 appid，供重新核对。

    All login sessions of the mini-program end. Users, identities and statistics stay with the
    tenant. If the command is interrupted, run it again.
    """
    kept = releases.release_app(audit.OPERATOR, tenant, appid, limited=False)
    show(f"Released {appid} of {tenant}. 已收回 {tenant} 的 {appid}。")
    _show_kept_records(kept, tenant)


@click.command("move")
@click.argument("appid", callback=validate_appid)
@click.option(
    "--tenant", required=True, callback=validate_slug, help="The tenant that has it. 现属租户。"
)
@click.option(
    "--to", required=True, callback=validate_slug, help="The tenant that gets it. 接收租户。"
)
@click.option(
    "--unproven",
    is_flag=True,
    help="Do not verify the AppSecret of the receiving tenant. "
    "不向微信核对接收租户录入的 AppSecret。",
)
@with_appcontext
@report_errors
def move(appid: str, tenant: str, to: str, unproven: bool) -> None:
    """Move an appid to a tenant that has added it. 将 appid 转给已录入它的租户。

    All login sessions of the mini-program end. Users, identities and statistics stay with the
    previous tenant. If the command is interrupted, run it again.
    """
    kept = releases.move_app(audit.OPERATOR, tenant, appid, to, unproven=unproven, limited=False)
    show(f"Moved {appid} from {tenant} to {to}. 已将 {appid} 从 {tenant} 转给 {to}。")
    _show_kept_records(kept, tenant)


def _show_kept_records(kept: AppUsage, tenant: str) -> None:
    show(
        f"Kept for {tenant}: {kept.identities} identities, {kept.sessions} sessions, "
        f"{kept.pushes} pushes. {tenant} 保留：{kept.identities} 个微信身份、"
        f"{kept.sessions} 个会话、{kept.pushes} 条推送。"
    )
