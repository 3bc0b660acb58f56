"""A worker's cached response of `/v1/me` is invalidated by changes of the shown columns."""

from typing import Any

import pytest

from app.schemas.responses import UserResponse
from tests.e2e.live.conftest import Database
from tests.e2e.live.test_revocation import has_cached, people
from tests.fixtures.personas import Client, WeChat
from tests.fixtures.servers.gunicorn import Service, Worker
from tests.fixtures.waiting import until

# For each field of the response, a statement that changes its column.
CHANGES = {
    "account": "UPDATE users SET account = 'another-account' WHERE id = %(id)s",
    "nickname": "UPDATE users SET nickname = 'Another' WHERE id = %(id)s",
    "avatar_url": "UPDATE users SET avatar_url = 'https://a.example/b.png' WHERE id = %(id)s",
    "gender": "UPDATE users SET gender = 2 WHERE id = %(id)s",
    "level": "UPDATE users SET level = level + 1 WHERE id = %(id)s",
    "phone": "UPDATE phones SET number_index = sha256(number_index) WHERE user_id = %(id)s",
}
# Fields that never change.
CONSTANT = {"id"}


def profile(worker: Worker, token: str) -> dict[str, Any]:
    """Return the response of a worker to `/v1/me`."""
    headers = {"Authorization": f"Bearer {token}"}
    answer = worker.http.get(f"{worker.url}/v1/me", headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def test_every_field_of_the_user_response_has_a_change_in_this_module() -> None:
    assert CHANGES.keys() | CONSTANT == UserResponse().fields.keys()


@pytest.mark.parametrize("field", CHANGES)
def test_changing_a_column_of_the_profile_invalidates_the_cached_response(
    field: str,
    client: Client,
    wechat: WeChat,
    database: Database,
    service: Service,
) -> None:
    (person,) = people(wechat, 1)
    login = client.bind(person)
    (worker, *_) = service.workers(2)
    token, user_id = login["token"], login["user"]["id"]
    until(lambda: has_cached(database, worker, token))
    before = profile(worker, token)

    database.silently("UPDATE users SET level = 77 WHERE id = %(id)s", id=user_id)
    assert profile(worker, token) == before, "the response does not come from the cache"
    database(CHANGES[field], id=user_id)
    until(lambda: profile(worker, token)["level"] >= 77)
    if field != "phone":
        assert profile(worker, token)[field] != before[field]


def test_deleting_the_phone_number_invalidates_the_cached_response(
    client: Client, wechat: WeChat, database: Database, service: Service
) -> None:
    (person,) = people(wechat, 1)
    login = client.bind(person)
    (worker, *_) = service.workers(2)
    until(lambda: has_cached(database, worker, login["token"]))
    assert profile(worker, login["token"])["phone"]
    database("DELETE FROM phones WHERE user_id = %(id)s", id=login["user"]["id"])
    until(lambda: profile(worker, login["token"])["phone"] is None)
