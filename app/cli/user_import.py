"""Commands that import and export the users of a tenant."""

import sys
from typing import BinaryIO

import click
from flask.cli import with_appcontext

from app.cli.terminal import report_errors, show, validate_slug
from app.languages import in_both_languages
from app.services import audit
from app.services.apps.tenants import tenant_id_of
from app.services.user_import.columns import shown_names
from app.services.user_import.files import LARGEST_FILE, read_user_file
from app.services.user_import.preview import COMMAND, Preview, check_users, preview_import
from app.services.user_import.run import confirm_import
from app.services.user_import.user_export import Wanted, export_users


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--tenant", required=True, callback=validate_slug, help="The slug of the tenant. 所属租户。"
)
@click.option(
    "--dry-run", is_flag=True, help="Check the file without importing it. 只检查，不导入。"
)
@with_appcontext
@report_errors
def import_(file: BinaryIO, tenant: str, dry_run: bool) -> None:
    """Import all users of a CSV or XLSX file. 从 CSV 或 XLSX 导入用户，要么全部要么不导入。

    The first row names the columns: account, phone, nickname, password; 账号、手机号、昵称、密码。
    If a row is invalid, no user is imported, the invalid rows are listed with column and reason,
    and the exit code is 1. --dry-run shows the first ten rows and the last one with the values that
    would be stored. 试运行时显示前十行和最后一行。
    """
    tenant_id = tenant_id_of(tenant)
    people = read_user_file(file.read(LARGEST_FILE + 1))
    if dry_run:
        preview = check_users(tenant_id, people)
    else:
        preview = preview_import(audit.OPERATOR, tenant_id, people)
    _show_notes(preview)
    _show_invalid_rows(preview)
    if preview.import_id is None:
        show(f"{preview.good} people can be imported. 可导入 {preview.good} 人。")
        _show_sample(preview)
        return
    with click.progressbar(
        length=preview.rows, label=tenant, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        done = confirm_import(
            audit.OPERATOR, tenant_id, preview.import_id, lambda count: bar.update(count - bar.pos)
        )
    show(f"Imported {done.people} people. 已导入 {done.people} 人。")


def _show_notes(preview: Preview) -> None:
    if preview.imported_at is not None:
        when = preview.imported_at.isoformat(timespec="seconds")
        who = preview.imported_by or COMMAND
        show(f"This file was imported at {when} by {who}. 该文件已于 {when} 由 {who} 导入。")
    if preview.ignored:
        names = shown_names(preview.ignored)
        show(f"Ignored columns: {names}. 已忽略的列：{names}。")
    if preview.skipped:
        count = preview.skipped
        show(
            f"{count} rows without account and phone are skipped. "
            f"已跳过 {count} 行既无账号也无手机号的数据。"
        )


def _show_sample(preview: Preview) -> None:
    """Print the first ten valid rows and the last one with the values that would be stored."""
    show("row 行", "account 账号", "phone 手机号", "nickname 昵称", "password 密码")
    for one in preview.sample:
        password = "set" if one.has_password else "-"
        show(one.row, one.account or "-", one.phone or "-", one.nickname or "-", password)


def _show_invalid_rows(preview: Preview) -> None:
    for bad in preview.bad:
        advice = bad.fill(in_both_languages(*bad.sentences))
        show(bad.row, bad.column or "-", bad.code, advice)
    if preview.bad:
        count = len({bad.row for bad in preview.bad})
        show(f"{count} invalid rows. No user was imported. 有 {count} 行有误，未导入任何人。")
        sys.exit(1)


@click.command()
@click.option(
    "--tenant", required=True, callback=validate_slug, help="The slug of the tenant. 所属租户。"
)
@click.option("--query", default="", help="Prefix of account or nickname. 账号或昵称开头。")
@click.option(
    "--status",
    type=click.Choice(["active", "disabled", "merged"]),
    help="Only users with this status. 只导出该状态的用户。",
)
@click.option("--full-phones", is_flag=True, help="Do not mask phone numbers. 手机号不打码。")
@with_appcontext
@report_errors
def export(tenant: str, query: str, status: str | None, full_phones: bool) -> None:
    """Write users to standard output as CSV, and audit the export. 以 CSV 导出用户，并记入审计。"""
    wanted = Wanted(query, status, full_phones)
    out = sys.stdout.buffer
    for piece in export_users(audit.OPERATOR, tenant_id_of(tenant), wanted):
        out.write(piece)
