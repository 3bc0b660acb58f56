"""Replacement of a running gunicorn by a new one without a gap in service.

On SIGHUP or SIGUSR2, gunicorn starts a second master process. It loads the installed code again and
accepts connections at the same sockets. When all of its workers are ready, it stops the first
master with SIGTERM. The workers of the first master then finish their requests. If the new workers
are not ready within `READY_SECONDS`, the second master stops, and the first one continues to serve.

gunicorn's own handler of SIGHUP stops the old workers before the new ones serve. It also keeps the
modules that the master process has loaded, among them `config`.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from gunicorn import systemd

READY_SECONDS = 60.0
# The name of the process with id 1, and its names on a machine that is no container.
FIRST_PROCESS = Path("/proc/1/comm")
SYSTEM_INITS = ("systemd", "init", "openrc-init")
IN_A_CONTAINER = (
    "The main process of a container cannot be replaced. Start a new container instead."
)
WITHOUT_NOTIFICATION = (
    "The main process cannot be replaced: systemd would end the service. Set Type=notify and "
    "NotifyAccess=all in the unit."
)


class Handover:
    """The second master's wait for its workers."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._first_master: int = server.master_pid
        self._deadline = time.monotonic() + READY_SECONDS
        self._ready_workers = 0
        self._is_finished = False
        # Each worker writes one byte when it is ready.
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)

    def report_ready(self) -> None:
        """Report that this worker is ready. Called in the worker."""
        os.write(self._write, b".")

    def proceed(self) -> None:
        """Stop the first master if all workers are ready. Stop this one if they are late.

        Called repeatedly. The first master may also have ended for another reason.
        """
        if self._is_finished:
            return
        self._count_ready_workers()
        if os.getppid() != self._first_master:
            self._is_finished = True
        elif self._ready_workers >= self._server.num_workers:
            self._is_finished = True
            self._server.log.info("Replacing the master process %s", self._first_master)
            systemd.sd_notify(f"MAINPID={os.getpid()}", self._server.log)
            os.kill(self._first_master, signal.SIGTERM)
        elif time.monotonic() > self._deadline:
            self._is_finished = True
            self._server.log.error("The workers were not ready after %s s", READY_SECONDS)
            os.kill(os.getpid(), signal.SIGTERM)

    def _count_ready_workers(self) -> None:
        with suppress(BlockingIOError):
            self._ready_workers += len(os.read(self._read, 1024))


def prepare(server: Any) -> Handover | None:
    """Make SIGHUP start a second master. Return the handover if this is a second master."""
    reason = _why_irreplaceable()
    if reason:
        server.handle_hup = server.handle_usr2 = lambda: server.log.error(reason)
        return None
    server.handle_hup = server.handle_usr2 = lambda: _start_second_master(server)
    # gunicorn would repeat `python -m gunicorn` as `python gunicorn/__main__.py`, which fails.
    server.START_CTX["args"] = [sys.executable, *sys.orig_argv[1:]]
    if not server.master_pid:
        return None
    handover = Handover(server)
    promote = server.maybe_promote_master

    def hand_over_and_promote() -> None:
        # gunicorn's main loop calls this at least once per second.
        handover.proceed()
        promote()

    server.maybe_promote_master = hand_over_and_promote
    return handover


def _why_irreplaceable() -> str | None:
    """Return why this master cannot be replaced, or None.

    A container ends with its first process, or with the one that this process waits for: a script,
    or an init such as tini. systemd ends a service with its main process, unless it is told the new
    one.
    """
    if os.getpid() == 1:
        return IN_A_CONTAINER
    if os.getppid() != 1:
        return None
    if "INVOCATION_ID" in os.environ and "NOTIFY_SOCKET" not in os.environ:
        return WITHOUT_NOTIFICATION
    try:
        is_system = FIRST_PROCESS.read_text().strip() in SYSTEM_INITS
    except OSError:  # only Linux has it
        return None
    return None if is_system else IN_A_CONTAINER


def _start_second_master(server: Any) -> None:
    """Fork and execute the second master. If that fails, log it and end the child if there is one.

    For example, the folder or the Python of the first start no longer exists. gunicorn would shut
    down the process in which the error occurs. Also in a child, that would kill the workers of the
    first master, and remove the Unix socket and the pidfile.
    """
    first_master = os.getpid()
    try:
        server.reexec()
    except Exception as error:
        server.log.error("The second master process cannot be started: %s", error)
        if os.getpid() != first_master:
            os._exit(1)
