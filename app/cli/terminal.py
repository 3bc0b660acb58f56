"""Input and output of commands: argument validation, secrets, output rows and errors."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click
import psycopg
from marshmallow import ValidationError
from sqlalchemy.exc import InternalError, OperationalError, ProgrammingError

from app.errors import DatabaseUnavailable, EncryptionKeyMissing, Failure, MigrationsMissing
from app.keyring import SealBroken
from app.languages import in_both_languages
from app.schemas.fields import Label
from app.schemas.shapes import LONGEST_SLUG, SLUG
from app.services.database.server_checks import find_known_cause
from app.services.encryption.key_proofs import check_keys

P = ParamSpec("P")
R = TypeVar("R")

NAME = Label()
REPORTED = (Failure, SealBroken, InternalError, OperationalError, ProgrammingError)


def validate_slug(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Return the slug, or raise BadParameter if it is malformed. None is accepted."""
    if value is not None and (len(value) > LONGEST_SLUG or not SLUG.fullmatch(value)):
        raise click.BadParameter(
            "use 1 to 40 lower-case letters, digits and single hyphens. "
            "须为 1 到 40 个小写字母、数字或单个连字符。"
        )
    return value


def validate_name(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Return the stripped display name, or raise BadParameter if it is invalid."""
    if value is None:
        return None
    try:
        return str(NAME.deserialize(value.strip()))
    except ValidationError:
        raise click.BadParameter(
            "a name has 1 to 64 characters, no control characters. "
            "名称须为 1 到 64 个字符，不含控制字符。"
        ) from None


def report_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Check the key ring before a command. Print errors in both languages and exit with 1."""

    @wraps(command)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        check_keys()
        return command(*args, **kwargs)

    return report_errors_without_key_check(checked)


def report_errors_without_key_check(command: Callable[P, R]) -> Callable[P, R]:
    """Print errors in both languages and exit with 1. The key ring is not checked.

    For commands that must run while an encryption key is missing.
    """

    @wraps(command)
    def reported(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except REPORTED as error:
            failure = _failure_behind(error)
            message = in_both_languages(*failure.sentences, parameters=failure.parameters)
            parts = [failure.code, failure.about, message]
            raise click.ClickException(": ".join(filter(None, parts))) from None

    return reported


def _failure_behind(error: Exception) -> Failure:
    if isinstance(error, Failure):
        return error
    # The key was given up with `keys forget`. No other key can be missing.
    if isinstance(error, SealBroken):
        return EncryptionKeyMissing(about=str(error))
    if cause := find_known_cause(error):
        return cause
    if isinstance(error, OperationalError):
        return DatabaseUnavailable()
    if isinstance(getattr(error, "orig", None), psycopg.errors.UndefinedTable):
        return MigrationsMissing()
    raise error


def show(*columns: object) -> None:
    """Print a row with tabs between its columns.

    Control characters, and characters that the terminal cannot encode, are replaced by question
    marks, because users choose some of the values.
    """
    texts = ("".join(char if char.isprintable() else "?" for char in str(one)) for one in columns)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo("\t".join(texts).encode(encoding, "replace").decode(encoding))


def read_secret(what: str, *, from_stdin: bool) -> str:
    """Read a secret from one line of standard input, or prompt for it twice without echo.

    Raise UsageError if the secret is empty or not UTF-8. Secrets are not read from arguments, which
    are visible in `ps` and in shell histories.
    """
    try:
        secret = _read_line(what, from_stdin)
        secret.encode()
    except UnicodeError:
        raise click.UsageError(f"The {what} is not in UTF-8. {what} 不是 UTF-8 编码。") from None
    if not secret.strip():
        raise click.UsageError(f"The {what} is empty. {what} 不能为空。")
    return secret


def _read_line(what: str, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if sys.stdin.isatty():
        return str(click.prompt(what, hide_input=True, confirmation_prompt=True))
    raise click.UsageError(
        f"No terminal to ask for the {what} on; see the -stdin options. "
        f"没有可输入 {what} 的终端，请使用 -stdin 选项。"
    )
