"""The command that prints the version."""

import click

from app.cli.terminal import show
from app.version import VERSION


@click.command("version")
def version() -> None:
    """Print the version of wxpass. 显示 wxpass 的版本号。"""
    show(VERSION)
