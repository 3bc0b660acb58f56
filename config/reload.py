"""`make reload`: replace a running gunicorn, and wait until the new processes serve."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

# The new processes start within 60 seconds or give up (config/handover.py). The old ones finish
# their requests within GUNICORN_GRACEFUL_TIMEOUT, 30 seconds by default.
DEFAULT_SECONDS = 120
START_SECONDS = 30
POLL_SECONDS = 0.1


SET_PIDFILE = "Start gunicorn and run this command with the same GUNICORN_PIDFILE."
SAME_USER = "Run this command as the user that runs gunicorn."
SEE_LOG = "The log of gunicorn has the reason."
STILL_SERVING = f"{SEE_LOG} The old processes continue to serve."


class ReloadFailed(Exception):
    """The running processes were not replaced. The message says what to do."""


def reload(pidfile: Path, seconds: float) -> int:
    """Replace the gunicorn of a pidfile. Return the process id of the new master.

    config/handover.py describes the replacement. Raises ReloadFailed if there is no gunicorn, if it
    runs in another folder, if the new processes do not start, or if the old ones have not ended
    after `seconds`.
    """
    first, second_pidfile = _pid_of(pidfile), Path(f"{pidfile}.2")
    if first is None:
        raise ReloadFailed(f"{pidfile} names no running gunicorn. {SET_PIDFILE}")
    _refuse_other_folder(first)
    try:
        os.kill(first, signal.SIGUSR2)
    except PermissionError:
        raise ReloadFailed(f"Process {first} belongs to another user. {SAME_USER}") from None
    _until(lambda: _pid_of(second_pidfile) or not _is_running(first), START_SECONDS)
    second = _pid_of(second_pidfile)
    if second is None:
        raise ReloadFailed(f"No second gunicorn was started. {STILL_SERVING}")
    print("New processes are starting ... / 正在启动新进程 ...", flush=True)
    if not _until(lambda: not _is_running(first) or not _is_running(second), seconds):
        raise ReloadFailed(f"The old processes still run after {seconds:g} seconds. {SEE_LOG}")
    if not _is_running(second):
        raise ReloadFailed(f"The new processes did not start. {STILL_SERVING}")
    _until(lambda: _pid_of(pidfile) == second, START_SECONDS)  # until it is renamed
    return second


def _refuse_other_folder(pid: int) -> None:
    """Raise ReloadFailed if a process runs in another folder: it would load that code again."""
    try:
        folder = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return  # No /proc, or a process of another user.
    if folder != os.getcwd():
        raise ReloadFailed(
            f"gunicorn runs in {folder} and would load that release again. Install the new release"
            " there, or start it as a second service and move the traffic. / gunicorn 运行在"
            "该目录中，只会重新加载该目录的版本。请将新版本安装到该目录，或另起一个服务再切换流量。"
        )


def _until(condition: Callable[[], object], seconds: float) -> bool:
    """Wait for a condition. Return whether it is met."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _pid_of(pidfile: Path) -> int | None:
    try:
        pid = int(pidfile.read_text())
    except (OSError, ValueError):
        return None
    return pid if _is_running(pid) else None


def _is_running(pid: int) -> bool:
    """Return whether a process is a running gunicorn.

    A pidfile that a killed gunicorn has left may name another program by now. SIGUSR2 would end it.
    """
    if pid <= 0:  # a process group
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        return b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # only Linux has it
        return True


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="make reload",
        description="Replace the processes of a running gunicorn without a gap in service. "
        "The new processes run the installed code. / 无中断地替换正在运行的 gunicorn 进程。",
    )
    parser.add_argument(
        "--pidfile",
        type=Path,
        default=os.environ.get("GUNICORN_PIDFILE") or None,
        help="file with the process id of gunicorn. Default: GUNICORN_PIDFILE",
    )
    parser.add_argument(
        "--seconds", type=float, default=DEFAULT_SECONDS, help=f"Default: {DEFAULT_SECONDS}"
    )
    arguments = parser.parse_args()
    if arguments.pidfile is None:
        parser.error(
            "Set GUNICORN_PIDFILE to the file that the running gunicorn was started with. / "
            "请将 GUNICORN_PIDFILE 设为启动 gunicorn 时使用的文件。"
        )
    try:
        pid = reload(arguments.pidfile, arguments.seconds)
    except ReloadFailed as error:
        sys.exit(f"Not reloaded / 未完成替换: {error}")
    print(f"Reloaded. The new master process is {pid}. / 已完成替换，新的主进程为 {pid}。")


if __name__ == "__main__":
    main()
