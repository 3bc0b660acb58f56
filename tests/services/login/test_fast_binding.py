"""The fast path of phone binding has the same results as the general path."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask

from app.services.login import binding, fast_binding
from tests.fixtures.login_paths import Outcome, outcome_of
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    Client,
    Person,
    Reader,
    WeChat,
    enter_user,
    failure,
    transactions_rolled_back,
)

PHONE = "13800138001"
Prepare = Callable[[Flask, Client, Person, Reader], None]


def no_owner(app: Flask, client: Client, alice: Person, rows: Reader) -> None:
    """Prepare no user with Alice's number."""


def identity_with_a_profile(app: Flask, client: Client, alice: Person, rows: Reader) -> None:
    """Prepare an identity with a nickname and an avatar."""
    token = client.log_in(alice)["token"]
    client.post("profile", token, nickname="Alice", avatar_url="https://example.org/a.png")


def formerly_bound_identity(app: Flask, client: Client, alice: Person, rows: Reader) -> None:
    """Prepare an identity that the person has unbound from a user without a phone."""
    enter_user(app, account="alice", password=GOOD_PASSWORD)
    credentials = {"account": "alice", "password": GOOD_PASSWORD}
    client.post("unbind", client.log_in(alice, **credentials)["token"])


def owner(app: Flask, client: Client, alice: Person, rows: Reader) -> None:
    """Prepare a user with Alice's number and an account."""
    enter_user(app, account="alice", phone=PHONE, password=GOOD_PASSWORD)


def owner_with_a_session_left(app: Flask, client: Client, alice: Person, rows: Reader) -> None:
    """Prepare an owner with one session less than the limit of the app."""
    owner(app, client, alice, rows)
    for _ in range(2):
        assert client.post("password-login", account="alice", password=GOOD_PASSWORD).json["token"]
    rows("UPDATE wechat_apps SET session_limit = 3")


def owner_in_another_app(app: Flask, client: Client, alice: Person, rows: Reader) -> None:
    """Prepare an owner who is bound in another app, with another unionid there."""
    client.bind(alice, ACME_CLUB)
    rows("UPDATE social_accounts SET unionid = 'another'")


@pytest.mark.real_commits
@pytest.mark.parametrize(
    "prepare",
    [
        *(no_owner, identity_with_a_profile, formerly_bound_identity),
        *(owner, owner_with_a_session_left, owner_in_another_app),
    ],
)
def test_fast_and_general_binding_have_the_same_response_rows_and_metrics(
    prepare: Prepare, app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    prepare(app, client, alice, rows)
    token = client.log_in(alice)["token"]

    def bind() -> Outcome:
        tap = alice.tap_phone_new()
        request = partial(client.post, "phone", token, **tap)
        began, undone = datetime.now(UTC), partial(transactions_rolled_back, app)
        return outcome_of(app, rows, began, undone, request)

    with patch.object(binding, "_bind_phone", side_effect=AssertionError("the general path")):
        fast = bind()
    with patch.object(binding, "try_fast_bind", lambda _: None):
        assert bind() == fast
    assert fast.response[0] == 200
    assert {"login_sessions", "social_accounts", "users", "audit_events"} <= set(fast.rows)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("UPDATE users SET status = 'disabled'", (403, "user_disabled")),
        ("UPDATE users SET erase_after = now() + interval '7 days'", None),
        ("UPDATE tenants SET phone_owner_policy = 'refuse'", None),
        ("DELETE FROM phones", None),
        ("UPDATE login_sessions SET ended_at = now(), end_reason = 'revoked'",
         (401, "session_revoked")),
        ("UPDATE login_sessions SET token_hash = 'another'", (401, "session_replaced")),
    ],
)  # fmt: skip
@pytest.mark.real_commits
def test_binding_uses_the_changed_state_if_a_change_commits_after_its_read(
    change: str,
    expected: tuple[int, str] | None,
    client: Client,
    alice: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner(rows.app, client, alice, rows)
    token, values = client.log_in(alice)["token"], fast_binding._values

    def change_first(*arguments: Any) -> Any:
        with ThreadPoolExecutor() as pool:
            pool.submit(rows, change).result()
        return values(*arguments)

    monkeypatch.setattr(fast_binding, "_values", change_first)
    answer = client.post("phone", token, **alice.tap_phone_new())
    if expected is None:
        assert answer.status_code == 200, answer.text
        assert rows.count("phones") == 1
        assert client.me(answer.json["token"]).json["phone"] == f"+86{PHONE}"
        assert rows.count("users", "erase_after IS NOT NULL") == 0
    else:
        assert failure(answer) == expected
        assert rows.count("social_accounts", "user_id IS NOT NULL") == 0


@pytest.mark.real_commits
def test_two_people_who_verify_one_new_number_at_the_same_time_get_one_user(
    app: Flask, client: Client, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second statement violates the unique number, and reads the owner."""
    first, second = (Person(wechat, name, PHONE) for name in ("first", "second"))
    tokens = [client.log_in(person)["token"] for person in (first, second)]
    values = fast_binding._values

    def bind_the_other_first(*arguments: Any) -> Any:
        monkeypatch.setattr(fast_binding, "_values", values)
        with ThreadPoolExecutor() as pool:
            other = pool.submit(Client(app).post, "phone", tokens[0], **first.tap_phone_new())
            assert other.result().status_code == 200
        return values(*arguments)

    monkeypatch.setattr(fast_binding, "_values", bind_the_other_first)
    monkeypatch.setattr(binding, "_bind_phone", None)
    answer = client.post("phone", tokens[1], **second.tap_phone_new())
    assert answer.status_code == 200
    assert (rows.count("users"), rows.count("phones")) == (1, 1)
    assert rows.count("social_accounts", "user_id IS NOT NULL") == 2
