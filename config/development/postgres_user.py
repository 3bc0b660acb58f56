"""The system user of the embedded PostgreSQL, which does not run as root.

Only root needs one. Other users run the server as themselves.
"""

import logging
import os
import shlex
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from pwd import getpwnam, getpwuid, struct_passwd

NAME = "wxpass-postgres"
ATTEMPTS = 20

log = logging.getLogger(__name__)


def find_server_user(data: Path) -> struct_passwd | None:
    """Return the user to run the server as, or None for the current user.

    This is the owner of the data, or else the user `NAME`, which is created if it is missing.
    Raises LookupError or OSError if the user cannot be found or created.
    """
    if os.geteuid() != 0:
        return None
    with suppress(FileNotFoundError, KeyError):
        if owner := data.stat().st_uid:
            return getpwuid(owner)
    return _get_or_make_user()


def set_owner(user: struct_passwd | None, path: Path) -> None:
    """Make `user` the owner of `path` and its contents, without following links."""
    if user is None or path.lstat().st_uid == user.pw_uid:
        return
    for folder, _, files in os.walk(path):
        for name in files:
            os.chown(os.path.join(folder, name), user.pw_uid, user.pw_gid, follow_symlinks=False)
        os.chown(folder, user.pw_uid, user.pw_gid, follow_symlinks=False)
    os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def allow_traversal(user: struct_passwd | None, *paths: Path) -> None:
    """Allow `user` to traverse the parent folders of `paths`, but not to list them."""
    if user is None:
        return
    above = sorted({folder for path in paths for folder in path.resolve().parents})
    closed = [folder for folder in above if not _has_permission(folder.stat(), user, stat.S_IXOTH)]
    for folder in closed:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)
    if closed:
        log.warning(
            "PostgreSQL runs as %s: chmod o+x %s", user.pw_name, shlex.join(map(str, closed))
        )


def allow_reading(user: struct_passwd | None, *trees: Path) -> None:
    """Make installed files readable for `user`, if a strict umask has prevented it."""
    for tree in trees:
        if user is None or not tree.exists() or _has_permission(tree.stat(), user, stat.S_IROTH):
            continue
        for folder, _, files in os.walk(tree):
            for path in (Path(folder), *(Path(folder, name) for name in files)):
                mode = stat.S_IMODE(path.stat().st_mode)
                executable = stat.S_IXOTH if mode & stat.S_IXUSR else 0
                path.chmod(mode | stat.S_IROTH | executable)


def _has_permission(found: os.stat_result, user: struct_passwd, right: int) -> bool:
    """Return whether `user` has `right`, given as the bit that grants it to others."""
    if found.st_uid == user.pw_uid:
        right <<= 6
    elif found.st_gid == user.pw_gid:
        right <<= 3
    return bool(found.st_mode & right)


def _get_or_make_user() -> struct_passwd:
    """Return the user `NAME`, creating it if needed. If another process creates it, retry."""
    command = ["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent"]
    complaint = ""
    for _ in range(ATTEMPTS):
        with suppress(KeyError):
            return getpwnam(NAME)
        done = subprocess.run(
            [*command, "--shell", "/usr/sbin/nologin", NAME],
            capture_output=True,
            text=True,
            check=False,
        )
        complaint = done.stderr.strip()
        time.sleep(0.1 if done.returncode else 0)
    raise LookupError(complaint)
