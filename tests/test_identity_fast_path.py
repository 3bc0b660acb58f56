"""Identity fast path: its responses and logs equal those of Flask."""

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, TypeVar, cast

import psycopg
import pytest
from flask import Flask
from sqlalchemy.exc import TimeoutError
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app import identity_fast_path
from app.api.forward_auth import find_auth_request
from app.identity_fast_path import BYPASSED_HOOKS, IdentityFastPath
from app.services.cache.registry import Caches
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, Client, Person, Reader, failure
from tests.test_logs import log_into

ADDRESSES = ("/v1/verify", "/v1/apps/wx0123456789abcdef/verify", "/v1/tenants/acme/verify")


@pytest.fixture
def fresh_caches(app: Flask) -> Iterator[Caches]:
    """Mark the caches as up to date, so that they are used without an invalidation listener."""
    caches: Caches = app.extensions["caches"].of_this_process()
    caches.changes.begin()
    caches.changes.mark_fresh(float("inf"))
    yield caches
    caches._clear()


Sent = TypeVar("Sent")


def from_each_source(caches: Caches, send: Callable[[], Sent]) -> tuple[Sent, Sent, Sent]:
    """Return the responses of Flask, of the fast path that reads the session, and of its cache."""
    caches.changes.mark_fresh(float("-inf"))
    by_flask = send()
    caches.changes.mark_fresh(float("inf"))
    return by_flask, send(), send()


def comparable(answer: TestResponse) -> tuple[Any, ...]:
    """Return status, headers and body of a response without the request id."""
    headers = {name: value for name, value in answer.headers if name != "X-Request-Id"}
    return answer.status, headers, answer.data


@pytest.mark.parametrize("path", ["/v1/verify", "/v1/me"])
def test_a_cached_response_equals_flasks_response_and_runs_no_sql_statement(
    client: Client, alice: Person, fresh_caches: Caches, statements: list[str], path: str
) -> None:
    token = client.bind(alice)["token"]
    first, second, third = from_each_source(fresh_caches, lambda: client.send("GET", path, token))
    assert first.status_code < 300
    assert comparable(third) == comparable(second) == comparable(first)
    assert third.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    statements.clear()
    assert comparable(client.send("GET", path, token)) == comparable(first)
    assert statements == []


def test_the_first_verification_of_a_token_runs_one_statement(
    client: Client, alice: Person, fresh_caches: Caches, statements: list[str]
) -> None:
    token = client.bind(alice)["token"]
    statements.clear()
    assert client.send("GET", "/v1/verify", token).status_code == 204
    assert len(statements) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE users SET status = 'disabled'", "switched_off"),
        ("UPDATE wechat_apps SET enabled = false", "switched_off"),
        ("UPDATE tenants SET status = 'disabled'", "switched_off"),
        ("UPDATE login_sessions SET expires_at = now()", "session_expired"),
        ("UPDATE login_sessions SET ended_at = now(), end_reason = 'revoked'", "session_revoked"),
        ("DELETE FROM login_sessions", "token_invalid"),
    ],
)
def test_the_first_verification_of_an_invalid_session_gets_flasks_refusal(
    client: Client, alice: Person, fresh_caches: Caches, rows: Reader, change: str, code: str
) -> None:
    token = client.bind(alice)["token"]
    rows(change)
    for _ in range(2):
        assert failure(client.send("GET", "/v1/verify", token)) == (401, code)


@pytest.mark.parametrize("error", [psycopg.errors.QueryCanceled, TimeoutError])
def test_flask_does_not_read_a_session_that_the_fast_path_could_not_read(
    client: Client,
    alice: Person,
    fresh_caches: Caches,
    statements: list[str],
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    """Otherwise a request would wait twice for a database that does not respond."""
    token = client.bind(alice)["token"]

    def fail(*given: object) -> None:
        raise error

    monkeypatch.setattr(identity_fast_path, "read_bound_principal", fail)
    statements.clear()
    for path in ("/v1/verify", "/v1/me"):
        assert failure(client.send("GET", path, token)) == (503, "database_unavailable")
    assert statements == []


@pytest.mark.parametrize("path", ["/v1/verify", "/v1/me"])
def test_fast_path_and_flask_send_the_same_headers_over_https(
    client: Client, alice: Person, fresh_caches: Caches, path: str
) -> None:
    token = client.bind(alice)["token"]
    over = {"environ_overrides": {"wsgi.url_scheme": "https"}}
    first, second, third = from_each_source(
        fresh_caches, lambda: client.send("GET", path, token, **over)
    )
    assert comparable(third) == comparable(second) == comparable(first)
    assert "includeSubDomains" in third.headers["Strict-Transport-Security"]


@contextmanager
def logging_into(lines: io.StringIO, *, as_json: bool) -> Iterator[None]:
    """Redirect the log to a stream inside the block."""
    (handler_of_service,) = (
        handler
        for handler in logging.getLogger().handlers
        if type(handler) is logging.StreamHandler
    )
    log_into(lines, as_json=as_json)
    try:
        yield
    finally:
        logging.getLogger().handlers = [handler_of_service]


@pytest.mark.parametrize("path", ["/v1/verify", "/v1/me"])
def test_fast_path_and_flask_log_a_request_with_the_same_values(
    client: Client, alice: Person, fresh_caches: Caches, path: str
) -> None:
    token = client.bind(alice)["token"]
    lines = io.StringIO()
    with logging_into(lines, as_json=True):
        trace = {"X-Request-Id": "trace-0001.of_a-caller"}
        from_each_source(fresh_caches, lambda: client.send("GET", path, token, headers=trace))
    logged = [json.loads(line) for line in lines.getvalue().splitlines()]
    for line in logged:
        assert line.pop("milliseconds") >= 0
        assert line.pop("timestamp")
    assert logged[0] == logged[1] == logged[2]
    assert logged[0]["request_id"] == "trace-0001.of_a-caller"
    assert token not in lines.getvalue()


def test_the_log_line_of_the_fast_path_contains_no_value_of_the_previous_request(
    client: Client, alice: Person, fresh_caches: Caches
) -> None:
    token = client.bind(alice)["token"]
    assert client.send("GET", "/v1/verify", token).status_code == 204
    lines = io.StringIO()
    with logging_into(lines, as_json=True):
        for shown in ("wxp_nobody", token):
            client.send("GET", "/v1/verify", shown)
    refused, answered = (json.loads(line) for line in lines.getvalue().splitlines())
    assert (refused["status"], refused["failure"]) == (401, "token_invalid")
    assert answered["status"] == 204
    assert "failure" not in answered


def test_fast_path_and_flask_log_the_status_as_a_number_in_text_format(
    client: Client, alice: Person, fresh_caches: Caches
) -> None:
    token = client.bind(alice)["token"]
    lines = io.StringIO()
    with logging_into(lines, as_json=False):
        from_each_source(fresh_caches, lambda: client.send("GET", "/v1/verify", token))
    assert re.findall(r"status=(\S+)", lines.getvalue()) == ["204"] * 3


def test_the_fast_path_replaces_an_invalid_request_id(
    client: Client, alice: Person, fresh_caches: Caches
) -> None:
    token = client.bind(alice)["token"]
    for given in ("short", token, "x" * 65, "sixteen chars\r\nX: y"):
        for _ in range(2):
            try:
                answer = client.send("GET", "/v1/verify", token, headers={"X-Request-Id": given})
            except ValueError:  # the test client cannot send it
                continue
            assert answer.headers["X-Request-Id"] != given


UNUSUAL: dict[str, dict[str, Any]] = {
    "another method": {"method": "HEAD"},
    "a scheme in small letters": {"scheme": "bearer"},
    "blanks around it": {"scheme": "Bearer  "},
    "the token in another header, too": {"also": "X-Litemall-Token"},
}


@pytest.mark.parametrize("how", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_a_valid_request_in_an_unusual_spelling_gets_the_same_response(
    client: Client, alice: Person, fresh_caches: Caches, how: dict[str, Any]
) -> None:
    token = client.bind(alice)["token"]
    expected = client.send("GET", "/v1/verify", token)
    headers = {"Authorization": f"{how.get('scheme', 'Bearer')} {token}"}
    headers |= {how["also"]: token} if "also" in how else {}
    for answer in from_each_source(
        fresh_caches,
        lambda: client.send(how.get("method", "GET"), "/v1/verify", headers=dict(headers)),
    ):
        assert comparable(answer) == comparable(expected)


# Token headers of JavaScript clients without a token, alone and beside a valid token.
MISSING_TOKENS: dict[str, tuple[dict[str, str], int]] = {
    "undefined": ({"Authorization": "Bearer undefined"}, 401),
    "null": ({"Authorization": "Bearer null"}, 401),
    "blank": ({"Authorization": "Bearer "}, 401),
    "scheme alone": ({"Authorization": "Bearer"}, 401),
    "small undefined": ({"Authorization": "bearer undefined"}, 401),
    "bare undefined": ({"X-Litemall-Token": "undefined"}, 401),
    "good and undefined": ({"Authorization": "Bearer {}", "X-OA-Token": "undefined"}, 200),
    "good and null": ({"Authorization": "Bearer {}", "X-Litemall-Token": "null"}, 200),
    "good and blank": ({"Authorization": "Bearer {}", "X-Litemall-Token": ""}, 200),
    "undefined and good": ({"Authorization": "Bearer undefined", "X-OA-Token": "{}"}, 200),
    "null and good": ({"Authorization": "BEARER null", "X-Litemall-Token": "{}"}, 200),
}


def by_flask(app: Flask, client: Client, path: str, headers: dict[str, str]) -> TestResponse:
    """Send a request to Flask, without the fast path."""
    fast_path = cast(IdentityFastPath, app.wsgi_app)
    app.wsgi_app = fast_path._behind  # type: ignore[method-assign]
    try:
        return client.send("GET", path, headers=dict(headers))
    finally:
        app.wsgi_app = fast_path  # type: ignore[method-assign]


@pytest.mark.parametrize("case", MISSING_TOKENS.values(), ids=MISSING_TOKENS)
@pytest.mark.parametrize("path", ["/v1/verify", "/v1/me"])
def test_fast_path_and_flask_ignore_undefined_and_null_as_tokens(
    app: Flask, client: Client, alice: Person, fresh_caches: Caches, path: str, case: Any
) -> None:
    token, (headers, status) = client.bind(alice)["token"], case
    sent = {name: value.format(token) for name, value in headers.items()}
    expected = by_flask(app, client, path, sent)
    assert (expected.status_code >= 300) == (status >= 300)
    for _ in range(2):
        assert client.send("GET", path, token).status_code < 300
        answer = client.send("GET", path, headers=dict(sent))
        if status == 401:
            assert failure(answer) == failure(expected) == (401, "token_missing")
        else:
            assert comparable(answer) == comparable(expected)


def test_a_request_with_two_different_cached_tokens_is_rejected(
    client: Client, alice: Person, bob: Person, fresh_caches: Caches
) -> None:
    tokens = [client.bind(person)["token"] for person in (alice, bob)]
    for token in tokens:
        assert client.send("GET", "/v1/verify", token).status_code == 204
    mixed = {"Authorization": f"Bearer {tokens[0]}", "X-OA-Token": tokens[1]}
    for _ in range(2):
        answer = client.send("GET", "/v1/verify", headers=mixed)
        assert failure(answer) == (401, "tokens_differ")


@pytest.mark.parametrize(
    ("path", "refusal"), [("/v1/verify", (401, "no_user")), ("/v1/me", (403, "login_unbound"))]
)
def test_every_request_of_an_unbound_session_is_rejected(
    client: Client, alice: Person, fresh_caches: Caches, path: str, refusal: tuple[int, str]
) -> None:
    token = client.log_in(alice)["token"]
    assert {failure(client.send("GET", path, token)) for _ in range(3)} == {refusal}


def test_a_token_works_for_its_user_immediately_after_the_phone_binding(
    client: Client, alice: Person, fresh_caches: Caches
) -> None:
    token = client.log_in(alice)["token"]
    assert failure(client.me(token)) == (403, "login_unbound")
    body = alice.tap_phone_old()
    bound = client.send(
        "POST",
        f"/apps/{ACME_SHOP.appid}/wx/auth/bindPhone",
        headers={"X-Litemall-Token": token},
        json=body,
    )
    assert bound.json["errno"] == 0, bound.json
    assert client.me(token).status_code == 200


def test_cached_profiles_are_returned_only_to_their_own_users(
    client: Client, alice: Person, bob: Person, fresh_caches: Caches
) -> None:
    people = {person: client.bind(person) for person in (alice, bob)}
    for _ in range(3):
        for person, login in people.items():
            shown = client.me(login["token"]).json
            assert shown["phone"] == f"+86{person.phone}"
            assert shown["id"] == login["user"]["id"]


def test_a_profile_change_invalidates_the_cached_response(
    client: Client, alice: Person, fresh_caches: Caches, rows: Reader
) -> None:
    login = client.bind(alice)
    token, user_id = login["token"], rows("SELECT id FROM users")[0][0]
    assert [client.me(token).json["gender"] for _ in range(2)] == [0, 0]
    assert client.send("PATCH", "/v1/me", token, json={"gender": 2}).status_code == 200
    fresh_caches.changes.note(user_id.bytes)
    assert [client.me(token).json["gender"] for _ in range(2)] == [2, 2]


def test_profile_is_not_cached_for_the_previous_user_after_a_session_is_relinked(
    app: Flask, client: Client, alice: Person, bob: Person, fresh_caches: Caches, rows: Reader
) -> None:
    passed, kept = (client.bind(alice) for _ in range(2))
    bobs = client.bind(bob)["user"]["id"]
    for login in (passed, kept):
        assert client.send("GET", "/v1/verify", login["token"]).status_code == 204
    fast_path = cast(IdentityFastPath, app.wsgi_app)
    behind = fast_path._behind

    def move_session(*request: Any) -> Any:
        (moved,) = rows(
            "UPDATE login_sessions SET user_id = :bob WHERE token_hash = :hash RETURNING id",
            bob=bobs,
            hash=sha256(passed["token"].encode()).digest(),
        )
        fresh_caches.changes.note(moved[0].bytes)
        return behind(*request)

    fast_path._behind = move_session
    try:
        assert client.me(passed["token"]).json["id"] == bobs
    finally:
        fast_path._behind = behind
    assert client.me(kept["token"]).json["id"] == kept["user"]["id"]


def test_an_error_response_is_not_cached(
    client: Client, alice: Person, fresh_caches: Caches, rows: Reader
) -> None:
    token = client.bind(alice)["token"]
    assert client.send("GET", "/v1/verify", token).status_code == 204
    rows("ALTER TABLE users RENAME COLUMN nickname TO lost")
    assert client.me(token).status_code == 500
    rows("ALTER TABLE users RENAME COLUMN lost TO nickname")
    assert client.me(token).status_code == 200


def test_another_app_rejects_a_token_whose_session_is_cached(
    client: Client, alice: Person, fresh_caches: Caches
) -> None:
    token = client.bind(alice)["token"]
    for _ in range(2):
        assert client.send("GET", "/v1/verify", token).status_code == 204
        refused = client.post("profile", token, app=ACME_CLUB, nickname="x")
        assert failure(refused) == (403, "token_of_another_app")


def test_bypassed_hooks_lists_every_hook_of_the_fast_path_views(app: Flask) -> None:
    """A new hook must be listed with a reason in `BYPASSED_HOOKS`."""
    per_request = [
        *app.before_request_funcs.get(None, ()),
        *app.after_request_funcs.get(None, ()),
        *app.teardown_request_funcs.get(None, ()),
        *app.url_value_preprocessors.get(None, ()),
        *app.teardown_appcontext_funcs,
    ]
    of_the_views = {app.view_functions[rule.endpoint] for rule in identity_rules(app)}
    blueprints = {rule.endpoint.rpartition(".")[0] for rule in identity_rules(app)}
    of_blueprints = [
        hook
        for hooks in (
            app.before_request_funcs,
            app.after_request_funcs,
            app.teardown_request_funcs,
            app.url_value_preprocessors,
        )
        for blueprint in blueprints
        for hook in hooks.get(blueprint, ())
    ]
    assert len(of_the_views) == 4
    names = {f"{hook.__module__}.{hook.__qualname__}" for hook in [*per_request, *of_blueprints]}
    assert names == BYPASSED_HOOKS.keys()


def identity_rules(app: Flask) -> list[Rule]:
    """Return the URL rules of the requests that the fast path answers."""
    paths = {"/v1/me", *(find_auth_request(address).route for address in ADDRESSES)}
    return [
        rule
        for rule in app.url_map.iter_rules()
        if rule.rule in paths and "GET" in (rule.methods or ())
    ]
