"""Responses of the identity fast path equal those of Flask."""

import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, cast

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.api.forward_auth import find_auth_request
from app.identity_fast_path import BYPASSED_HOOKS, IdentityFastPath
from app.services.cache.registry import Caches
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, Client, Person, Reader, failure
from tests.test_logs import log_into

ADDRESSES = ("/v1/verify", "/v1/apps/wx0123456789abcdef/verify", "/v1/tenants/acme/verify")


@pytest.fixture
def fresh_caches(app: Flask) -> Iterator[Caches]:
    """Mark the caches as up to date for this test."""
    caches: Caches = app.extensions["caches"].of_this_process()
    caches.changes.begin()
    caches.changes.mark_fresh(float("inf"))
    yield caches
    caches._clear()


def comparable(answer: TestResponse) -> tuple[Any, ...]:
    """Return status, headers and body of a response without the request id."""
    headers = {name: value for name, value in answer.headers if name != "X-Request-Id"}
    return answer.status, headers, answer.data


@pytest.mark.parametrize("path", ["/v1/verify", "/v1/me"])
def test_a_cached_response_equals_the_first_and_runs_no_statement(
    client: Client, alice: Person, fresh_caches: Caches, statements: list[str], path: str
) -> None:
    token = client.bind(alice)["token"]
    # The first request caches the session, the second one the profile.
    first, second = (client.send("GET", path, token) for _ in range(2))
    statements.clear()
    third = client.send("GET", path, token)
    assert statements == []
    assert first.status_code < 300
    assert comparable(third) == comparable(second) == comparable(first)
    assert third.headers["X-Request-Id"] != first.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/v1/verify", "/v1/me"])
def test_cache_and_flask_send_the_same_headers_over_https(
    client: Client, alice: Person, fresh_caches: Caches, path: str
) -> None:
    token = client.bind(alice)["token"]
    over = {"environ_overrides": {"wsgi.url_scheme": "https"}}
    first, second, third = (client.send("GET", path, token, **over) for _ in range(3))
    assert comparable(third) == comparable(second) == comparable(first)
    assert "includeSubDomains" in third.headers["Strict-Transport-Security"]


@contextmanager
def logging_into(lines: io.StringIO, *, as_json: bool) -> Iterator[None]:
    """Log into a stream inside the block."""
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
def test_cache_and_flask_log_the_same_line(
    client: Client, alice: Person, fresh_caches: Caches, path: str
) -> None:
    token = client.bind(alice)["token"]
    lines = io.StringIO()
    with logging_into(lines, as_json=True):
        for _ in range(3):
            client.send("GET", path, token, headers={"X-Request-Id": "trace-0001.of_a-caller"})
    logged = [json.loads(line) for line in lines.getvalue().splitlines()]
    for line in logged:
        assert line.pop("milliseconds") >= 0
        assert line.pop("timestamp")
    assert logged[0] == logged[1] == logged[2]
    assert logged[0]["request_id"] == "trace-0001.of_a-caller"
    assert token not in lines.getvalue()


def test_a_log_line_contains_nothing_of_the_previous_request(
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


def test_cache_and_flask_log_the_same_status_in_text_format(
    client: Client, alice: Person, fresh_caches: Caches
) -> None:
    token = client.bind(alice)["token"]
    lines = io.StringIO()
    with logging_into(lines, as_json=False):
        for _ in range(2):
            client.send("GET", "/v1/verify", token)
    assert re.findall(r"status=(\S+)", lines.getvalue()) == ["204", "204"]


def test_an_invalid_request_id_is_replaced(
    client: Client, alice: Person, fresh_caches: Caches
) -> None:
    token = client.bind(alice)["token"]
    for given in ("short", token, "x" * 65, "sixteen chars\r\nX: y"):
        for _ in range(2):
            try:
                answer = client.send("GET", "/v1/verify", token, headers={"X-Request-Id": given})
            except ValueError:  # no client can send it, either
                continue
            assert answer.headers["X-Request-Id"] != given


UNUSUAL: dict[str, dict[str, Any]] = {
    "another method": {"method": "HEAD"},
    "a scheme in small letters": {"scheme": "bearer"},
    "blanks around it": {"scheme": "Bearer  "},
    "the token in another header, too": {"also": "X-Litemall-Token"},
}


@pytest.mark.parametrize("how", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_an_unusual_valid_request_gets_the_same_response(
    client: Client, alice: Person, fresh_caches: Caches, how: dict[str, Any]
) -> None:
    token = client.bind(alice)["token"]
    expected = client.send("GET", "/v1/verify", token)
    headers = {"Authorization": f"{how.get('scheme', 'Bearer')} {token}"}
    headers |= {how["also"]: token} if "also" in how else {}
    for _ in range(2):
        answer = client.send(how.get("method", "GET"), "/v1/verify", headers=headers)
        assert comparable(answer) == comparable(expected)


# Texts that JavaScript sends for a missing token, alone and with a valid one.
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
def test_cache_and_flask_treat_an_undefined_token_alike(
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


def test_two_different_tokens_are_rejected_with_one_in_the_cache(
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
def test_an_unbound_session_is_rejected_repeatedly(
    client: Client, alice: Person, fresh_caches: Caches, path: str, refusal: tuple[int, str]
) -> None:
    token = client.log_in(alice)["token"]
    assert {failure(client.send("GET", path, token)) for _ in range(3)} == {refusal}


def test_a_session_is_bound_immediately_after_the_response(
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


def test_a_user_is_shown_their_own_profile_only(
    client: Client, alice: Person, bob: Person, fresh_caches: Caches
) -> None:
    people = {person: client.bind(person) for person in (alice, bob)}
    for _ in range(3):
        for person, login in people.items():
            shown = client.me(login["token"]).json
            assert shown["phone"] == f"+86{person.phone}"
            assert shown["id"] == login["user"]["id"]


def test_a_changed_profile_is_shown(
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


def test_a_server_error_is_not_cached(
    client: Client, alice: Person, fresh_caches: Caches, rows: Reader
) -> None:
    token = client.bind(alice)["token"]
    assert client.send("GET", "/v1/verify", token).status_code == 204
    rows("ALTER TABLE users RENAME COLUMN nickname TO lost")
    assert client.me(token).status_code == 500
    rows("ALTER TABLE users RENAME COLUMN lost TO nickname")
    assert client.me(token).status_code == 200


def test_a_cached_token_is_rejected_by_another_app(
    client: Client, alice: Person, fresh_caches: Caches
) -> None:
    token = client.bind(alice)["token"]
    for _ in range(2):
        assert client.send("GET", "/v1/verify", token).status_code == 204
        refused = client.post("profile", token, app=ACME_CLUB, nickname="x")
        assert failure(refused) == (403, "token_of_another_app")


def test_the_fast_path_bypasses_only_the_listed_hooks(app: Flask) -> None:
    """A new hook must be replaced on the fast path, or be unnecessary there."""
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
    """Return the rules of the requests that the fast path answers."""
    paths = {"/v1/me", *(find_auth_request(address).route for address in ADDRESSES)}
    return [
        rule
        for rule in app.url_map.iter_rules()
        if rule.rule in paths and "GET" in (rule.methods or ())
    ]
