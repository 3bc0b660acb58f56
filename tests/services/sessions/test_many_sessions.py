"""A user with ten thousand sessions: listing, export, and ending all of them."""

import gc
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.extensions import db
from app.models import LoginSession
from app.services.apps.apps import change_app
from app.services.privacy import export
from app.services.sessions.queries import sessions_of_user
from app.services.sessions.sessions import end_sessions_statement
from tests.fixtures.many_sessions import copied_token, copy_session
from tests.fixtures.personas import ACME_SHOP, Client, Person, Reader, failure

pytestmark = pytest.mark.slow

MANY = 10_000
SESSIONS = "/v1/me/sessions"
# Three thousand other users of the tenant, each with a session.
OTHER_USERS = (
    "INSERT INTO users (id, tenant_id)"
    " SELECT gen_random_uuid(), tenant_id FROM users, generate_series(1, 3000)",
    "INSERT INTO social_accounts (id, tenant_id, appid, openid, user_id, last_login_at)"
    f" SELECT id, tenant_id, '{ACME_SHOP.appid}', id, id, now() FROM users",
    "INSERT INTO login_sessions (id, tenant_id, appid, user_id, social_account_id, token_hash,"
    " expires_at, refresh_hash, seen_at)"
    f" SELECT id, tenant_id, '{ACME_SHOP.appid}', id, id, uuid_send(id), now(), '', now()"
    " FROM users",
    "ANALYZE",
)
FIELDS = {
    *("id", "device", "appid", "app_name", "address"),
    *("first_seen_at", "last_seen_at", "current"),
}


@pytest.fixture
def token(client: Client, alice: Person, rows: Reader) -> str:
    """Return the token of the newest of Alice's 10,001 sessions."""
    token: str = client.bind(alice)["token"]
    copy_session(rows, token, MANY)
    return token


def page(client: Client, token: str, query: str = "") -> TestResponse:
    """Return a page of the user's sessions."""
    answer = client.send("GET", f"{SESSIONS}?{query}", token)
    assert answer.status_code == 200, answer.text
    return answer


def pages(client: Client, token: str, limit: int) -> Iterator[list[dict[str, Any]]]:
    """Yield all pages of the user's sessions."""
    cursor: str | None = ""
    while cursor is not None:
        answer = page(client, token, f"limit={limit}{cursor and '&cursor='}{cursor}")
        yield answer.json
        cursor = answer.headers.get("X-Next-Cursor")


def test_session_pages_together_contain_all_sessions_newest_first(
    client: Client, token: str, rows: Reader, statements: list[str]
) -> None:
    """Each page takes one statement besides authentication, and no page is empty."""
    statements.clear()
    paged = list(pages(client, token, 200))
    assert len(statements) == 2 * len(paged)
    assert [len(one) for one in paged] == [200] * 50 + [1]
    listed = [one for page in paged for one in page]
    began = [one["first_seen_at"] for one in listed]
    assert began == sorted(began, reverse=True)
    assert len({one["id"] for one in listed}) == MANY + 1
    assert [one["current"] for one in listed[:2]] == [True, False]


def test_first_session_page_is_an_array_of_fifty_sessions(client: Client, token: str) -> None:
    """The response is the same with an unknown parameter, as in earlier releases."""
    answer = page(client, token)
    assert len(answer.json) == 50
    assert set(answer.json[0]) == FIELDS
    assert answer.headers["X-Next-Cursor"]
    assert page(client, token, "_t=1700000000").json == answer.json


def test_last_session_page_has_no_cursor(client: Client, alice: Person) -> None:
    token = client.bind(alice)["token"]
    assert "X-Next-Cursor" not in page(client, token, "limit=1").headers


def test_session_cursor_of_another_user_or_damaged_cursor_is_refused(
    client: Client, token: str, bob: Person, rows: Reader
) -> None:
    cursor = page(client, token).headers["X-Next-Cursor"]
    bobs = client.bind(bob)["token"]
    refused = client.send("GET", f"{SESSIONS}?cursor={cursor}", bobs)
    assert failure(refused) == (422, "cursor_invalid")
    flipped = "A" if cursor[0] != "A" else "B"
    for wrong in (cursor[:-4], flipped + cursor[1:], "x", "x" * 400):
        refused = client.send("GET", f"{SESSIONS}?cursor={wrong}", token)
        assert failure(refused) == (422, "cursor_invalid"), wrong
    for query in ("cursor=", f"cursor={'x' * 401}", "limit=0", "limit=201", "limit=all"):
        refused = client.send("GET", f"{SESSIONS}?{query}", token)
        assert failure(refused) == (422, "request_invalid"), query


@pytest.mark.parametrize(
    ("way", "left"),
    [(f"DELETE {SESSIONS}", 1), (f"POST /v1/apps/{ACME_SHOP.appid}/logout-all", 0)],
)
def test_ten_thousand_sessions_are_ended_by_one_statement(
    way: str, left: int, client: Client, token: str, rows: Reader, statements: list[str]
) -> None:
    """The statement returns no ids. Besides it, only the audit event is written."""
    statements.clear()
    assert client.send(*way.split(), token).status_code == 204
    ending, auditing = [one for one in statements if not one.lstrip().startswith("SELECT")]
    assert ending.startswith("UPDATE login_sessions")
    assert "RETURNING" not in ending
    assert auditing.startswith("INSERT INTO audit_events")
    assert rows.count("login_sessions", "ended_at IS NULL") == left
    details = rows("SELECT details FROM audit_events WHERE action LIKE 'sessions.%'")
    assert details == [({"ended": str(MANY + 1 - left)},)]
    assert client.me(token).status_code == (200 if left else 401)
    assert failure(client.me(copied_token(1))) == (401, "session_revoked")


def test_statement_that_ends_the_sessions_of_a_user_uses_indexes(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Bound sessions are found by user, unbound sessions by identity. No other rows are read."""
    client.bind(alice)
    ((tenant_id, user_id),) = rows("SELECT tenant_id, user_id FROM social_accounts")
    for statement in OTHER_USERS:
        rows(statement)
    with app.app_context():
        statement = end_sessions_statement("revoked", *sessions_of_user(tenant_id, user_id))
        literal = statement.compile(db.engine, compile_kwargs={"literal_binds": True})
        plan = "\n".join(line for (line,) in rows(f"EXPLAIN {literal}"))
    assert "BitmapOr" in plan, plan
    assert "Index Cond: ((tenant_id = " in plan
    assert "ix_login_sessions_tenant_id_social_account_id" in plan


def test_export_of_ten_thousand_sessions_holds_at_most_two_pages_in_memory(
    client: Client, token: str
) -> None:
    """The response is written page by page, and each page is released after it is written."""
    answer = client.send("GET", "/v1/me/export", token, buffered=False)
    texts, most = [], 0
    for chunk in answer.iter_encoded():
        texts.append(chunk)
        if len(texts) % 2500 == 0:
            held = sum(isinstance(one, LoginSession) for one in gc.get_objects())
            most = max(most, held)
    assert 0 < most <= 2 * export.PAGE
    assert max(map(len, texts)) < 2000
    document = json.loads(b"".join(texts))
    assert len({one["id"] for one in document["sessions"]}) == MANY + 1


def test_login_ends_thousands_of_sessions_above_the_session_limit(
    app: Flask, client: Client, alice: Person, token: str, rows: Reader
) -> None:
    assert client.log_in(alice)["bound"]
    assert rows.count("login_sessions", "ended_at IS NULL") == 50
    ended = "end_reason = 'session_limit'"
    assert rows.count("login_sessions", ended) == MANY + 2 - 50
    with app.app_context():
        change_app(ACME_SHOP.appid, session_limit="off")
    client.log_in(alice)
    assert rows.count("login_sessions", "ended_at IS NULL") == 51
