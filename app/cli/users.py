"""Commands about the people of a tenant."""

import click
from flask.cli import with_appcontext

from app.cli.terminal import failures_told, read_secret
from app.services import users as service
from app.services.phone_numbers import masked

SHORTEST_PASSWORD = 8


@click.group()
def users() -> None:
    """People of a tenant. 租户的用户。"""


@users.command("add")
@click.option("--tenant", required=True, help="The slug of the tenant. 所属租户。")
@click.option("--account", help="The name to log in with. 登录账号。")
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from a line of standard input; without it you are asked. "
    "从标准输入读取密码。",
)
@click.option("--phone", help="A phone number, +86... or Chinese without it. 手机号。")
@with_appcontext
@failures_told
def add(tenant: str, account: str | None, password_stdin: bool, phone: str | None) -> None:
    """Enter a person, by account and password, by phone, or both. 新增用户。"""
    if not (account or phone):
        raise click.UsageError("Give --account, --phone, or both. 请提供账号或手机号。")
    password = read_secret("password", from_stdin=password_stdin) if account else None
    if password is not None and len(password) < SHORTEST_PASSWORD:
        raise click.UsageError(f"A password has at least {SHORTEST_PASSWORD} characters.")
    user_id = service.add_user(tenant, account, password, phone)
    click.echo(f"Added user {user_id}. 已新增用户 {user_id}。")


@users.command("list")
@click.option("--tenant", required=True, help="The slug of the tenant. 所属租户。")
@with_appcontext
@failures_told
def list_(tenant: str) -> None:
    """List users: id, status, account, masked phone, nickname. 列出用户。"""
    for user in service.list_users(tenant):
        phone = masked(user.phone) if user.phone else "-"
        told = (user.id, user.status, user.account or "-", phone, user.nickname or "-")
        click.echo("\t".join(map(str, told)))
