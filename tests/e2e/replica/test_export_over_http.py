"""Exports by gunicorn: complete, or visibly incomplete for the client."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import requests
from flask import Flask

from config import Config
from tests.e2e.replica.conftest import renamed
from tests.e2e.replica.standby import Standby
from tests.fixtures.operators import PASSWORD, Script
from tests.fixtures.servers.gunicorn import is_ready, serving
from tests.fixtures.waiting import until

# With long names, more than the buffers between a worker and a client that does not read: 12 MB.
USERS = 15_000
FILL = """
INSERT INTO users (id, tenant_id, account, nickname)
SELECT gen_random_uuid(), tenants.id, 'large-' || number, repeat('x', 800) || number
FROM tenants, generate_series(1, %(users)s) AS number WHERE slug = 'globex'
"""


@pytest.fixture
def url(site: Flask, replica_config: Config, standby: Standby, tmp_path: Path) -> Iterator[str]:
    """The address of a gunicorn with the replica."""
    settings = {"DATABASE_URL": standby.primary.url, "DATABASE_REPLICA_URL": standby.url}
    with serving(replica_config, tmp_path, GUNICORN_WORKERS="1", **settings) as service:
        until(lambda: is_ready(service.url))
        yield service.url


@pytest.fixture
def many_users(standby: Standby) -> Iterator[None]:
    standby.primary(FILL, users=USERS)
    standby.catch_up()
    yield
    standby.primary("DELETE FROM users WHERE account LIKE 'large-%%'")


def test_export_that_no_server_can_finish_is_an_incomplete_response(
    url: str, many_users: None, standby: Standby, operator: Callable[..., Script]
) -> None:
    gina = operator("tenant_admin", "globex")
    export = partial(request_export, url, access_token(url, gina))
    assert len(export().content.splitlines()) > USERS
    with export() as answer:
        assert answer.status_code == 200
        pieces = answer.iter_content(1000)
        assert next(pieces)
        with renamed(standby, "users"), pytest.raises(requests.exceptions.ChunkedEncodingError):
            list(pieces)


def request_export(url: str, token: str) -> requests.Response:
    """Request the export of the users of the tenant globex. The body is not read yet."""
    return requests.post(
        f"{url}/v1/admin/tenants/globex/exports",
        json={},
        headers={"Authorization": f"Bearer {token}"},
        stream=True,
        timeout=20,
    )


def access_token(url: str, script: Script) -> str:
    """Sign an operator in over HTTP, and return the access token."""
    body = {"email": script.email, "password": PASSWORD}
    answer = requests.post(f"{url}/v1/admin/sign-in", json=body, timeout=10)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])
