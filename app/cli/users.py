"""Commands about the users of a tenant."""

import json
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click
from flask.cli import with_appcontext

from app.cli.terminal import read_secret, report_errors, show, validate_slug
from app.cli.user_import import export, import_
from app.schemas.export import ExportResponse
from app.schemas.fields import LONGEST_ACCOUNT
from app.schemas.requests import SHORTEST_PASSWORD, CredentialsRequest
from app.services.apps.tenants import tenant_id_of
from app.services.privacy.erasure import erase_user
from app.services.privacy.export import export_user
from app.services.sessions.bulk_ending import end_all_sessions
from app.services.users import account_changes, account_normalisation, merges, password_changes
from app.services.users import users as service
from app.services.users.phone_numbers import masked
from app.text_cleaning import account_name, escaped


@click.group()
def users() -> None:
    """Users of a tenant. 租户的用户。"""


@users.command("add")
@click.option(
    "--tenant", required=True, callback=validate_slug, help="The slug of the tenant. 所属租户。"
)
@click.option("--account", help="The name to log in with. 登录账号。")
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from standard input instead of a prompt. 从标准输入读取密码。",
)
@click.option("--phone", help="A phone number. Chinese numbers need no +86. 手机号。")
@with_appcontext
@report_errors
def add(tenant: str, account: str | None, password_stdin: bool, phone: str | None) -> None:
    """Add a user, by account and password, by phone, or both. 新增用户。"""
    if account is None and phone is None:
        raise click.UsageError("Give --account, --phone, or both. 请提供账号或手机号。")
    if account is None and password_stdin:
        raise click.UsageError("A password needs an --account. 设置密码须提供账号。")
    if phone == "":
        raise click.UsageError("The phone is empty. 手机号不能为空。")
    password = None if account is None else _read_password(account, password_stdin)
    user_id = service.add_user(tenant, account, password, phone)
    show(f"Added user {user_id}. 已新增用户 {user_id}。")


def _read_password(account: str, from_stdin: bool) -> str:
    """Read a password. Raise UsageError if account or password is not accepted at login."""
    _refuse_unusable(account=account)
    password = read_secret("password", from_stdin=from_stdin)
    if len(password) < SHORTEST_PASSWORD:
        raise click.UsageError(
            f"A password has at least {SHORTEST_PASSWORD} characters. "
            f"密码至少 {SHORTEST_PASSWORD} 个字符。"
        )
    _refuse_unusable(password=password)
    return password


def _refuse_unusable(**credentials: str) -> None:
    """Raise UsageError if the login schema rejects a value, or the account is too long."""
    wrong = set(CredentialsRequest().validate(credentials, partial=True))
    if len(account_name(credentials.get("account", "x"))) not in range(1, LONGEST_ACCOUNT + 1):
        wrong.add("account")
    if wrong & {"account"}:
        raise click.UsageError(
            "An account has 1 to 64 characters, some of them visible. "
            "账号须为 1 到 64 个字符，且至少有一个可见字符。"
        )
    if wrong:
        raise click.UsageError(
            "A password has at most 128 characters, no control characters. "
            "密码最多 128 个字符，不含控制字符。"
        )


@users.command("list")
@click.option(
    "--tenant", required=True, callback=validate_slug, help="The slug of the tenant. 所属租户。"
)
@with_appcontext
@report_errors
def list_(tenant: str) -> None:
    """List users: id, status, account, masked phone, nickname. 列出用户。"""
    for user in service.list_users(tenant):
        phone = masked(user.phone) if user.phone else "-"
        show(user.id, _state(user), user.account or "-", phone, user.nickname or "-")


def _state(user: service.Profile) -> str:
    if user.erase_after is None:
        return user.status
    return f"{user.status}, closed until {user.erase_after.isoformat(timespec='seconds')}"


@users.command("set-password")
@click.argument("account")
@click.option(
    "--tenant", required=True, callback=validate_slug, help="The slug of the tenant. 所属租户。"
)
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from standard input instead of a prompt. 从标准输入读取密码。",
)
@with_appcontext
@report_errors
def set_password(account: str, tenant: str, password_stdin: bool) -> None:
    """Set a user's password and end the user's sessions. 重设密码，该用户的登录全部结束。"""
    password = _read_password(account, password_stdin)
    password_changes.set_password(tenant, account, password)
    show(f"Set the password of {account}. 已重设 {account} 的密码。")


@users.command("set-account")
@click.argument("user_id", type=click.UUID)
@click.argument("account")
@click.option(
    "--tenant", required=True, callback=validate_slug, help="The slug of the tenant. 所属租户。"
)
@with_appcontext
@report_errors
def set_account(user_id: UUID, account: str, tenant: str) -> None:
    """Change a user's account, but not the password. 更换用户的登录账号，密码不变。"""
    _refuse_unusable(account=account)
    account_changes.change_account(tenant, user_id, account)
    show(f"Changed the account of user {user_id}. 已更换用户 {user_id} 的账号。")


@users.command("normalise-accounts")
@click.option(
    "--tenant", callback=validate_slug, help="Only this tenant's users. 只处理该租户的用户。"
)
@with_appcontext
@report_errors
def normalise_accounts(tenant: str | None) -> None:
    """Remove invisible characters from stored accounts. 清除已存账号中的不可见字符。

    If the result equals the account of another user, the account stays unchanged, both users are
    listed and the exit code is 1. Change one of the accounts with set-account.
    """
    done = account_normalisation.normalise_accounts(tenant)
    for one in done.collisions:
        account = escaped(one.spelling.stored)
        show(one.spelling.tenant_id, one.spelling.user_id, account, one.holder_id or "-")
    show(
        f"{done.renamed} accounts rewritten, {len(done.collisions)} left as they are. "
        f"已改写 {done.renamed} 个账号，{len(done.collisions)} 个保持不变。"
    )
    if done.collisions:
        sys.exit(1)


@users.command("undo-merge")
@click.argument("user_id", type=click.UUID)
@click.option(
    "--tenant", required=True, callback=validate_slug, help="The slug of the tenant. 所属租户。"
)
@with_appcontext
@report_errors
def undo_merge(user_id: UUID, tenant: str) -> None:
    """Undo the merge of a user, within 30 days. 撤销 30 天内的用户合并。"""
    merges.undo_merge(tenant, user_id)
    show(f"User {user_id} is active again. 已恢复用户 {user_id}。")


@users.command("end-sessions")
@click.option(
    "--tenant", callback=validate_slug, help="Only this tenant's users. 只限该租户的用户。"
)
@click.option(
    "--opened-before",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Only sessions opened before this time (UTC). 只限此时（UTC）之前开始的登录会话。",
)
@click.confirmation_option(
    prompt="End the sessions? The users must log in again. 确定结束这些登录会话？用户须重新登录",
    help="Skip the confirmation. 不询问确认。",
)
@with_appcontext
@report_errors
def end_sessions(tenant: str | None, opened_before: datetime | None) -> None:
    """End the sessions of all users, after a leak or a restored backup. 结束所有用户的登录会话。"""
    before = opened_before and opened_before.replace(tzinfo=UTC)
    count = sum(end_all_sessions(tenant, before))
    show(f"{count} sessions ended. 已结束 {count} 个登录会话。")


@users.command("personal-data")
@click.argument("user_id", type=click.UUID)
@click.option(
    "--tenant", required=True, callback=validate_slug, help="The slug of the tenant. 所属租户。"
)
@with_appcontext
@report_errors
def personal_data(user_id: UUID, tenant: str) -> None:
    """Write all data about a user as JSON, at the person's request. 应本人请求导出其全部数据。"""
    parts = export_user(tenant_id_of(tenant), user_id)
    fields: Any = ExportResponse().fields
    data = {name: fields[name].schema.dump(list(rows), many=True) for name, rows in parts}
    click.echo(json.dumps(data, ensure_ascii=False, indent=1))


@users.command("erase")
@click.argument("user_id", type=click.UUID)
@click.option(
    "--tenant", required=True, callback=validate_slug, help="The slug of the tenant. 所属租户。"
)
@click.confirmation_option(
    prompt="Erase the user? This cannot be undone. 确定删除该用户？此操作无法撤销",
    help="Skip the confirmation. 不询问确认。",
)
@with_appcontext
@report_errors
def erase(user_id: UUID, tenant: str) -> None:
    """Erase a user and all data about the user immediately. 立即删除用户及其全部数据。"""
    erase_user(tenant_id_of(tenant), user_id)
    show(f"Erased user {user_id}. 已删除用户 {user_id}。")


users.add_command(import_)
users.add_command(export)
