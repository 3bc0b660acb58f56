"""Read XLSX files with calamine that Excel and LibreOffice open, but openpyxl rejects.

Examples are an empty `<fill/>`, an unknown `<extLst>`, and the namespaces of Strict OOXML. Each
file is read in its own process, because a file can make calamine end its process.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from app.errors import UserFileBusy, UserFileTooLarge, UserFileUnreadable
from app.services.user_import import calamine_process
from app.services.user_import.cells import UNREADABLE, Cell, DamagedCell, Row, value_cell

SECONDS = 20
# Processes that a worker starts at a time; each may use 1 GB of memory.
MOST_PROCESSES = 2

_free = BoundedSemaphore(MOST_PROCESSES)
_PROGRAM = Path(calamine_process.__file__)
_DAMAGED = {
    "boolean": DamagedCell("cell_boolean"),
    "date": UNREADABLE,
    "error": UNREADABLE,
}


def calamine_rows(package: bytes) -> Iterator[Row]:
    """Return the rows of the first visible sheet.

    The package has passed the checks of xlsx_rows.py. The process runs within limits of time and
    memory, without the environment and the connections of the service.

    Raises:
        UserFileBusy: `MOST_PROCESSES` other files are being read.
        UserFileTooLarge: The sheet has too many cells or texts.
        UserFileUnreadable: calamine rejects the file, or needs too much time or memory.
    """
    return _rows(_run(package))


def _rows(written: bytes) -> Iterator[Row]:
    """Yield the rows of the process's output, with the empty rows between them."""
    following = 0
    for index, cells in json.loads(written):
        yield from repeat((), index - following)
        yield tuple(map(_cell, cells))
        following = index + 1


def _run(package: bytes) -> bytes:
    # Not the whole environment, which holds the keys. The dynamic loader may need this variable.
    environment = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    with _process_slot():
        try:
            done = subprocess.run(
                [sys.executable, "-I", _PROGRAM],
                input=package,
                stdout=subprocess.PIPE,
                # calamine's messages may quote a cell.
                stderr=subprocess.DEVNULL,
                timeout=SECONDS,
                env=environment,
                check=False,
            )
        except (subprocess.TimeoutExpired, OSError) as error:
            raise UserFileUnreadable(f"calamine: {type(error).__name__}") from None
    if done.returncode == calamine_process.TOO_LARGE:
        raise UserFileTooLarge("too many cells or texts")
    if done.returncode:
        raise UserFileUnreadable(f"calamine: exit code {done.returncode}")
    return done.stdout


@contextmanager
def _process_slot() -> Iterator[None]:
    """Reserve one of `MOST_PROCESSES` processes, or raise UserFileBusy without waiting."""
    if not _free.acquire(blocking=False):
        raise UserFileBusy(retry_after=5)
    try:
        yield
    finally:
        _free.release()


def _cell(told: str | dict[str, Any] | None) -> Cell:
    if not isinstance(told, dict):
        return told
    if "is" in told:
        return _DAMAGED[told["is"]]
    return value_cell(told["number"], told["format"])
