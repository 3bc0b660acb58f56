"""Settings whose value is in a file: `X_FILE` is the path of a file with the value of `X`.

Container platforms and systemd pass secrets as files, because child processes inherit environment
variables. No message contains the content of a file.
"""

import os
import stat
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from config.readers import ConfigError, read_text, refuse

# The settings that hold a secret, or may hold one, such as the password in a URL.
SECRETS = (
    "DATABASE_URL",
    "DATABASE_LISTEN_URL",
    "DATABASE_REPLICA_URL",
    "WXPASS_KEYS",
    "WXPASS_PEPPER",
    "JWT_PRIVATE_KEY",
    "RATE_LIMIT_STORAGE_URL",
    "WECHAT_PROXY",
    "SMTP_URL",
)
SUFFIX = "_FILE"
MAX_BYTES = 64 * 1024


def load_environment() -> dict[str, str]:
    """Return the environment of this process, with the values in files instead of their paths.

    The files are read once. A process that is forked afterwards, such as a worker that replaces
    another, uses the same values even if a file has changed. Raises ConfigError.
    """
    given = {name: os.environ[name] for name in _names_in(os.environ)}
    others = {name: value for name, value in os.environ.items() if name not in given}
    return others | dict(_read_once(tuple(given.items())))


def read_secret_files(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of `environ` that may be secret, each from its variable or its file.

    Raises one ConfigError that names all files that cannot be used.
    """
    values, errors = dict[str, str](), list[ConfigError]()
    for name in SECRETS:
        try:
            if path := read_text(environ, name + SUFFIX):
                values[name] = _read_file(environ, name, path)
            elif name in environ:
                values[name] = environ[name]
        except ConfigError as error:
            errors.append(error)
    if errors:
        raise ConfigError.together(errors)
    return values


def secret_paths(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the paths of the files by the name of the variable."""
    paths = {name + SUFFIX: read_text(environ, name + SUFFIX) for name in SECRETS}
    return {name: path for name, path in paths.items() if path}


def _names_in(environ: Mapping[str, str]) -> list[str]:
    names = [*SECRETS, *(name + SUFFIX for name in SECRETS)]
    return [name for name in names if name in environ]


@cache
def _read_once(given: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    return read_secret_files(dict(given))


def _read_file(environ: Mapping[str, str], name: str, path: str) -> str:
    """Return the content of the file, without one line break at its end."""
    file = name + SUFFIX
    if read_text(environ, name):
        refuse(file, f"is set, and {name} is set too; set one of them", f"与 {name} 只能设置一项")
    try:
        content = _bytes_of(file, Path(path))
        text = content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        refuse(file, f"cannot read {path}: {reason}", f"无法读取 {path}")
    except ValueError:
        refuse(file, f"{path} is not UTF-8 text", f"{path} 不是 UTF-8 文本")
    if "\0" in text:
        refuse(file, f"{path} is not text: it has a NUL character", f"{path} 不是文本，含有空字符")
    return text if text.strip() else refuse(file, f"{path} is empty", f"{path} 内容为空")


def _bytes_of(file: str, path: Path) -> bytes:
    # A pipe or a device could block the start. Kubernetes mounts symbolic links.
    if not stat.S_ISREG(path.stat().st_mode):
        refuse(file, f"{path} is not a file", f"{path} 不是普通文件")
    with path.open("rb") as opened:
        content = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        refuse(file, f"{path} is larger than {MAX_BYTES} bytes", f"{path} 超过 {MAX_BYTES} 字节")
    return content
