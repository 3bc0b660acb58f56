"""Cursor pagination of lists."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from tests.fixtures.operators import Script, signed_in
from tests.fixtures.personas import Client, Person, enter_user, failure

CURSOR_INVALID = (422, "cursor_invalid")


@pytest.fixture
def ops(app: Flask) -> Script:
    """Return the admin API client of a platform admin."""
    return signed_in(app, "ops@wxpass.example", "platform")


def pages(script: Script, path: str, limit: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the items of each page of a list, following the cursors."""
    cursor = ""
    while True:
        join = "&" if "?" in path else "?"
        page = script("GET", f"{path}{join}limit={limit}{cursor}").json
        yield page["items"]
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/tenants", "slug"),
        ("/operators", "email"),
        ("/tenants/acme/apps", "appid"),
        ("/tenants/acme/users", "id"),
        ("/tenants/acme/users?account=user", "id"),
        ("/tenants/acme/sessions", "id"),
        ("/tenants/acme/audit", "id"),
        ("/tenants/acme/audit?action=user.added", "id"),
    ],
)
def test_all_pages_together_contain_each_row_of_the_list_once_in_order(
    app: Flask, ops: Script, client: Client, alice: Person, path: str, key: str
) -> None:
    for number in range(7):
        enter_user(app, account=f"user{number}")
    for _ in range(3):
        client.bind(alice)
    whole = ops("GET", f"{path}{'&' if '?' in path else '?'}limit=200").json
    assert whole["next_cursor"] is None
    assert whole["count"] is None
    wanted = [one[key] for one in whole["items"]]
    assert wanted == sorted(wanted, reverse=key == "id")
    assert wanted
    for limit in (1, 2, 3, len(wanted)):
        paged = list(pages(ops, path, limit))
        assert [one[key] for page in paged for one in page] == wanted
        assert all(paged), "no page is empty"


def test_row_added_between_two_pages_does_not_shift_the_next_page(app: Flask, ops: Script) -> None:
    for number in range(4):
        enter_user(app, account=f"user{number}")
    path = "/tenants/acme/users?limit=2"
    first = ops("GET", path).json
    enter_user(app, account="newcomer")
    second = ops("GET", f"{path}&cursor={first['next_cursor']}").json
    accounts = [one["account"] for page in (first, second) for one in page["items"]]
    assert accounts == ["user3", "user2", "user1", "user0"]


def test_cursor_of_another_list_filter_or_tenant_is_refused(app: Flask, ops: Script) -> None:
    for tenant in ("acme", "globex"):
        for number in range(3):
            enter_user(app, tenant, account=f"user{number}")
    path = "/tenants/acme/users?account=user&limit=1"
    cursor = ops("GET", path).json["next_cursor"]
    assert ops("GET", f"{path}&cursor={cursor}").status_code == 200
    for other in (
        "/tenants/globex/users?account=user",
        "/tenants/acme/users?account=use",
        "/tenants/acme/users?nickname=user",
        "/tenants/acme/users?account=user&status=active",
        "/tenants/acme/sessions?living=true",
        "/tenants/acme/audit?action=user.added",
        "/tenants/acme/apps?limit=1",
        "/tenants?limit=1",
        "/operators?limit=1",
    ):
        assert failure(ops("GET", f"{other}&cursor={cursor}")) == CURSOR_INVALID, other


def test_damaged_or_forged_cursor_is_refused(app: Flask, ops: Script) -> None:
    for number in range(2):
        enter_user(app, account=f"user{number}")
    path = "/tenants/acme/users?limit=1"
    cursor = ops("GET", path).json["next_cursor"]
    raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    moved = urlsafe_b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode().rstrip("=")
    foreign = urlsafe_b64encode(bytes(16) + b"\xff\xfe").decode().rstrip("=")
    for wrong in (cursor[:-4], cursor[4:], moved, foreign, "A", "x" * 400, "ü", "%00", "a b"):
        assert failure(ops("GET", f"{path}&cursor={wrong}"))[0] == 422, wrong
    assert failure(ops("GET", f"{path}&cursor={moved}")) == CURSOR_INVALID
    assert failure(ops("GET", f"{path}&cursor="))[1] == "request_invalid"


def test_page_size_is_limited_to_two_hundred_rows(ops: Script) -> None:
    for limit in (0, 201, -1, "all"):
        refused = ops("GET", f"/tenants?limit={limit}")
        assert failure(refused) == (422, "request_invalid"), limit
