"""The exporter as a child process of gunicorn's master: start, restart and end."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from config.metrics.folder import (
    empty_folder,
    forget_process,
    new_folder,
    remove_if_private,
)
from config.metrics.readers import read_metrics_bind, read_multiprocess_folder

ROOT = Path(__file__).parents[2]
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
RESTART_SECONDS = 5.0
# The exporter gets no other variables, so that it has none of the service's secrets.
INHERITED = ("LANG", "LC_ALL", "PATH", "PYTHONHOME", "PYTHONPATH", "TZ")


class ExporterChild:
    """The exporter of one master process."""

    def __init__(self, server: Any, bind: tuple[str, int], folder: Path, *, as_json: bool) -> None:
        self._server = server
        self._bind = bind
        self._as_json = as_json
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at = 0.0

    def keep_running(self) -> None:
        """Start the exporter if it does not run. Called repeatedly by the master's main loop."""
        if self._process is not None and self._process.poll() is None:
            return
        if time.monotonic() < self._start_at:
            return
        self._start_at = time.monotonic() + RESTART_SECONDS
        try:
            self._process = self._start()
        except OSError as error:
            self._server.log.warning("The metrics port cannot be served: %s", error.strerror)

    def stop(self) -> None:
        """End the exporter."""
        if self._process is not None:
            self._process.terminate()

    def _start(self) -> "subprocess.Popen[bytes]":
        host, port = self._bind
        command = [sys.executable, "-m", "config.metrics.exporter", "--host", host]
        command += ["--port", str(port), "--folder", str(self.folder)]
        command += ["--parent", str(os.getpid()), *(["--json"] if self._as_json else [])]
        cfg = self._server.cfg
        # gunicorn's settings `user` and `group` apply to its workers, which write the files.
        changed = {"user": cfg.uid, "group": cfg.gid} if os.geteuid() == 0 else {}
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={name: os.environ[name] for name in INHERITED if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            **changed,
        )


def prepare(server: Any, *, as_json: bool) -> ExporterChild | None:
    """Prepare the folder of the metrics, and return the exporter if METRICS_BIND is set.

    Called before workers are forked: they inherit the variable of the folder, and so does a second
    master that replaces this one. Both write to the same folder, so that no count is lost.
    """
    bind = read_metrics_bind(os.environ)
    if bind is None:
        return None
    configured = read_multiprocess_folder(os.environ)
    folder = Path(configured) if configured else new_folder()
    is_replacement = server.master_pid != 0
    if not is_replacement:
        empty_folder(folder)
        if os.geteuid() == 0:
            os.chown(folder, server.cfg.uid, server.cfg.gid)
    os.environ[FOLDER] = server.cfg.env_orig[FOLDER] = str(folder)
    return ExporterChild(server, bind, folder, as_json=as_json)


def watch(child: ExporterChild, server: Any) -> None:
    """Start the exporter, and start it again if it ends."""
    promote = server.maybe_promote_master

    def keep_running_and_promote() -> None:
        # gunicorn's main loop calls this at least once per second.
        child.keep_running()
        promote()

    server.maybe_promote_master = keep_running_and_promote


def forget_worker(child: ExporterChild, pid: int) -> None:
    """Delete the state of an ended worker."""
    forget_process(child.folder, pid)


def end(child: ExporterChild, server: Any) -> None:
    """End the exporter with its master. The last master of the service removes the folder."""
    child.stop()
    has_another_master = server.master_pid != 0 or server.reexec_pid != 0
    if not has_another_master:
        remove_if_private(child.folder)
