"""openpyxl, loaded at its first use: it takes 5 MB in a worker, and most workers read no XLSX."""

from functools import cache
from importlib import import_module
from typing import Any


@cache
def openpyxl() -> Any:
    """Return the module `openpyxl` with the submodules that `load_workbook` needs."""
    return import_module("openpyxl")
