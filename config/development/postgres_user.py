"""The system user of the embedded PostgreSQL, which refuses to run as root.

Used only as root. Other users run the server themselves.
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
    """Return the user to run the server: owner of the data, else its own; None is this user.

    Raises LookupError or OSError if there is no such user and none can be made.
    """
    if os.geteuid() != 0:
        return None
    with suppress(FileNotFoundError, KeyError):
        if owner := data.stat().st_uid:
            return getpwuid(owner)
    return _get_or_make_user()


def give(user: struct_passwd | None, path: Path) -> None:
    """Make `user` the owner of `path` and all that is in it, and of nothing it links to."""
    if user is None or path.lstat().st_uid == user.pw_uid:
        return
    for folder, _, files in os.walk(path):
        for name in files:
            os.chown(os.path.join(folder, name), user.pw_uid, user.pw_gid, follow_symlinks=False)
        os.chown(folder, user.pw_uid, user.pw_gid, follow_symlinks=False)
    os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def let_in(user: struct_passwd | None, *paths: Path) -> None:
    """Let `user` traverse, but not list, the folders above `paths`."""
    if user is None:
        return
    above = sorted({folder for path in paths for folder in path.resolve().parents})
    closed = [folder for folder in above if not _may(folder.stat(), user, stat.S_IXOTH)]
    for folder in closed:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)
    if closed:
        log.warning(
            "PostgreSQL runs as %s: chmod o+x %s", user.pw_name, shlex.join(map(str, closed))
        )


def let_read(user: struct_passwd | None, *trees: Path) -> None:
    """Make the installed files readable for `user`, despite a strict umask."""
    for tree in trees:
        if user is None or not tree.exists() or _may(tree.stat(), user, stat.S_IROTH):
            continue
        for folder, _, files in os.walk(tree):
            for path in (Path(folder), *(Path(folder, name) for name in files)):
                mode = stat.S_IMODE(path.stat().st_mode)
                executable = stat.S_IXOTH if mode & stat.S_IXUSR else 0
                path.chmod(mode | stat.S_IROTH | executable)


def _may(found: os.stat_result, user: struct_passwd, right: int) -> bool:
    """Return whether `user` has `right`, given as the bit that grants it to others."""
    if found.st_uid == user.pw_uid:
        right <<= 6
    elif found.st_gid == user.pw_gid:
        right <<= 3
    return bool(found.st_mode & right)


def _get_or_make_user() -> struct_passwd:
    """Make the user once; of two processes that try, one fails and finds it the next time round."""
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
