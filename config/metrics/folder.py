"""The folder in which the processes of the service keep their values for `/metrics`.

prometheus_client names the files after the process, for example `counter_12.db`. Live gauges, whose
names begin with `gauge_live`, hold the state of a process and end with it.
"""

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

# An empty file that marks a temporary folder, which the service removes when it ends.
PRIVATE = ".private"
FILE = re.compile(r"(?:counter|histogram|summary|gauge_(?P<live>live)?[a-z]+)_(?P<pid>[0-9]+)\.db")
SNAPSHOT = "service.json"


def new_folder() -> Path:
    """Return a new temporary folder that only this user can read."""
    folder = Path(tempfile.mkdtemp(prefix="wxpass-metrics-"))
    (folder / PRIVATE).touch()
    return folder


def empty_folder(folder: Path) -> None:
    """Create a folder, or delete the values of an earlier start in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in folder.iterdir():
        if FILE.fullmatch(file.name) or file.name == SNAPSHOT:
            file.unlink(missing_ok=True)


def remove_if_private(folder: Path) -> None:
    """Delete a folder that `new_folder` returned. Never raises."""
    if (folder / PRIVATE).exists():
        shutil.rmtree(folder, ignore_errors=True)


def forget_process(folder: Path, pid: int) -> None:
    """Delete the live gauges of an ended process. Its counters remain."""
    for file in folder.glob(f"gauge_live*_{pid}.db"):
        file.unlink(missing_ok=True)


def ended_processes(folder: Path) -> set[int]:
    """Return the ids in the names of the files that belong to no running process."""
    found = (FILE.fullmatch(file.name) for file in folder.iterdir())
    pids = {int(match["pid"]) for match in found if match}
    return {pid for pid in pids - {0} if not _is_running(pid)}


def _is_running(pid: int) -> bool:
    with suppress(ProcessLookupError):
        with suppress(PermissionError):  # a process of another user
            os.kill(pid, 0)
        return True
    return False
