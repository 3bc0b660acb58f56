"""The command that generates the settings of a new deployment. It needs no configuration."""

import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from config import ConfigError
from config.database_readers import read_database_url
from config.new_settings import Setting, env_file, new_secrets, new_settings, secret_contents
from config.readers import read_allowed_hosts

FILE_NAMES = {
    "DATABASE_URL": "database_url",
    "WXPASS_KEYS": "keys",
    "WXPASS_PEPPER": "pepper",
    "JWT_PRIVATE_KEY": "jwt.pem",
}


@click.command()
@click.option(
    "--host",
    "hosts",
    default="",
    metavar="NAMES",
    help="Host names of the console, for ALLOWED_HOSTS. 控制台的主机名，用于 ALLOWED_HOSTS。",
)
@click.option(
    "--database-url-stdin",
    is_flag=True,
    help="Read DATABASE_URL from standard input. 从标准输入读取 DATABASE_URL。",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a new file instead of printing. 写入新文件，而不打印。",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write each secret to a file of its own, and .env next to them. "
    "每个密钥单独写入一个文件，.env 引用这些文件。",
)
@click.option(
    "--only",
    type=click.Choice(["ring", "jwt"]),
    help="Print one new key of WXPASS_KEYS, or a JWT_PRIVATE_KEY. "
    "只打印一个新的 WXPASS_KEYS 密钥，或 JWT_PRIVATE_KEY。",
)
def generate(
    hosts: str,
    database_url_stdin: bool,
    output: Path | None,
    directory: Path | None,
    only: str | None,
) -> None:
    """Print the settings of a new production deployment, with new secrets. 生成新部署的配置。

    The text is an .env file for systemd, `docker --env-file` or a shell. No database and no other
    setting is needed. Existing files are never overwritten, and no other user can read new ones.
    """
    if only:
        click.echo(_single(only))
        return
    settings = new_settings(_read_url() if database_url_stdin else None, _checked(hosts))
    try:
        if directory:
            _write_folder(directory, output or directory / ".env", settings)
        elif output:
            _write({output: env_file(settings)})
        else:
            click.echo(env_file(settings), nl=False)
    except ValueError as error:
        raise click.UsageError(
            f"DATABASE_URL contains {error}. Percent-encode it. "
            "DATABASE_URL 含有引号、反斜杠或空白，请做百分号编码。"
        ) from None


def _single(kind: str) -> str:
    """Return a new key. The id of a key in WXPASS_KEYS must differ from those in use."""
    made = new_secrets(f"k{datetime.now(UTC):%Y%m%d%H%M}")
    return made["WXPASS_KEYS"] if kind == "ring" else made["JWT_PRIVATE_KEY"].rstrip()


def _read_url() -> str:
    url = sys.stdin.readline().strip()
    try:
        read_database_url({"DATABASE_URL": url})
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    return url


def _checked(hosts: str) -> str:
    try:
        return ",".join(read_allowed_hosts({"ALLOWED_HOSTS": hosts}))
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def _write_folder(directory: Path, env: Path, settings: list[Setting]) -> None:
    contents = secret_contents(settings)
    files = {name: directory.absolute() / FILE_NAMES[name] for name in contents}
    paths = {name: str(path) for name, path in files.items()}
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write({env: env_file(settings, paths)} | {files[name]: contents[name] for name in contents})


def _write(files: dict[Path, str]) -> None:
    """Create the files for the user only. Create none if one exists."""
    created: list[Path] = []
    try:
        for path, text in files.items():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            created.append(path)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        for path in created:
            with suppress(OSError):
                path.unlink()
        exists = isinstance(error, FileExistsError)
        reason = "it exists 已存在" if exists else error.strerror
        raise click.ClickException(
            f"Nothing was written. {error.filename}: {reason}. 未写入任何文件。"
        ) from None
    for path in created:
        click.echo(f"Wrote {path}. 已写入。")
