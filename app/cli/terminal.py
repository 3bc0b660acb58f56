"""How commands read secrets and tell failures."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from app.errors import Failure

P = ParamSpec("P")
R = TypeVar("R")


def failures_told(command: Callable[P, R]) -> Callable[P, R]:
    """Tell a failure in both languages, with exit code 1."""

    @wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except Failure as failure:
            raise click.ClickException(f"{failure.code}: {failure.en} {failure.zh}") from None

    return told


def read_secret(what: str, *, from_stdin: bool) -> str:
    """Read a secret from a line of standard input, or ask for it twice without showing it.

    Never from an argument: those are seen in `ps` and kept in shell histories.
    """
    if from_stdin:
        secret = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        secret = click.prompt(what, hide_input=True, confirmation_prompt=True)
    else:
        raise click.UsageError(f"No terminal to ask for the {what} on; see the -stdin options.")
    if not secret:
        raise click.UsageError(f"The {what} is empty. {what}不能为空。")
    return secret
