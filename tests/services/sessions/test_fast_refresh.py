"""The fast path of a refresh has the same results as the general path."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask

from app.services.sessions import fast_refresh, refresh
from tests.fixtures.login_paths import Outcome, outcome_of
from tests.fixtures.personas import Client, Person, Reader, failure, transactions_rolled_back

pytestmark = pytest.mark.real_commits


def test_fast_and_general_refresh_have_the_same_response_and_rows(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    refresh_token = client.bind(alice)["refresh_token"]
    request = partial(client.post, "refresh", refresh_token=refresh_token)

    def refreshed() -> Outcome:
        began, undone = datetime.now(UTC), partial(transactions_rolled_back, app)
        return outcome_of(app, rows, began, undone, request)

    with patch.object(refresh, "_refresh", side_effect=AssertionError("the general path")):
        fast = refreshed()
    with patch.object(refresh, "try_fast_refresh", lambda *_: None):
        assert refreshed() == fast
    assert fast.response[0] == 200
    assert set(fast.rows) == {"login_sessions"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("UPDATE login_sessions SET ended_at = now(), end_reason = 'logged_out'",
         (401, "session_ended")),
        ("DELETE FROM login_sessions", (401, "refresh_token_invalid")),
        ("UPDATE login_sessions SET refresh_hash = 'of a concurrent refresh'",
         (401, "refresh_token_reused")),
        ("UPDATE login_sessions SET seen_at = now()", None),
    ],
)  # fmt: skip
def test_refresh_uses_the_changed_session_if_a_change_commits_after_its_read(
    change: str,
    expected: tuple[int, str] | None,
    client: Client,
    alice: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refresh_token, new_salt = client.bind(alice)["refresh_token"], fast_refresh.new_salt

    def change_first() -> Any:
        with ThreadPoolExecutor() as pool:
            pool.submit(rows, change).result()
        return new_salt()

    monkeypatch.setattr(fast_refresh, "new_salt", change_first)
    answer = client.post("refresh", refresh_token=refresh_token)
    if expected is None:
        assert client.me(answer.json["token"]).status_code == 200
    else:
        assert failure(answer) == expected
