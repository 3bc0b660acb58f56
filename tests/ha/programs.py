"""The programs of the cluster, and the Debian packages that contain them."""

import shutil
from pathlib import Path

from config.development.children import RunFailed

# The path of each program in Debian 12, with its package.
PACKAGES = {
    "etcd": ("/usr/bin/etcd", "etcd-server"),
    "patroni": ("/usr/bin/patroni", "patroni"),
    "patronictl": ("/usr/bin/patronictl", "patroni"),
    "postgres": ("/usr/lib/postgresql/15/bin/postgres", "postgresql-15"),
    "haproxy": ("/usr/sbin/haproxy", "haproxy"),
    "pgbouncer": ("/usr/sbin/pgbouncer", "pgbouncer"),
    "nginx": ("/usr/sbin/nginx", "nginx-light"),
}


def program(name: str) -> str:
    """Return the path of a program."""
    path, _ = PACKAGES[name]
    return path if Path(path).exists() else shutil.which(name) or path


def require_programs() -> None:
    """Raise RunFailed with the command that installs the missing packages."""
    missing = {
        package
        for name, (path, package) in PACKAGES.items()
        if not Path(path).exists() and (name == "postgres" or shutil.which(name) is None)
    }
    if missing:
        names = " ".join(sorted(missing))
        raise RunFailed(
            f"Missing programs. On Debian 12: apt-get install --no-install-recommends {names}\n"
            f"缺少程序。Debian 12 上请执行：apt-get install --no-install-recommends {names}"
        )
