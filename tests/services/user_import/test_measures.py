"""Duration of a large import and export, printed by `IMPORT_PEOPLE=20000 pytest -n0 -s`."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from uuid import UUID

import pytest
from flask import Flask
from openpyxl import Workbook

from app.services import audit
from app.services.apps.tenants import tenant_id_of
from app.services.user_import.files import read_user_file
from app.services.user_import.preview import preview_import
from app.services.user_import.run import confirm_import
from app.services.user_import.user_export import Wanted, export_users
from tests.fixtures.personas import Reader

PEOPLE = int(os.environ.get("IMPORT_PEOPLE", "1000"))
OPERATOR = audit.Actor("operator", UUID(int=7))


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Print the duration of a block."""
    start = time.perf_counter()
    yield
    print(f"{name}: {time.perf_counter() - start:.2f} s")


@pytest.mark.real_commits
def test_large_file_is_imported_and_exported(app: Flask, rows: Reader) -> None:
    book = Workbook()
    book.active.append(["账号", "手机号", "昵称"])
    for number in range(PEOPLE):
        book.active.append([f"person{number}", 13800000000 + number, f"第 {number} 人"])
    content = BytesIO()
    book.save(content)
    print(f"\n{len(content.getvalue()) / 1e6:.2f} MB of XLSX")
    with app.app_context():
        acme = tenant_id_of("acme")
        with timed("reading"):
            file = read_user_file(content.getvalue())
        with timed("previewing"):
            preview = preview_import(OPERATOR, acme, file)
        assert preview.import_id is not None
        with timed("importing"):
            confirm_import(OPERATOR, acme, preview.import_id)
        with timed("exporting"):
            size = sum(map(len, export_users(OPERATOR, acme, Wanted(full_phones=True))))
    print(f"{size / 1e6:.2f} MB of CSV")
    assert (rows.count("users"), rows.count("phones")) == (PEOPLE, PEOPLE)
