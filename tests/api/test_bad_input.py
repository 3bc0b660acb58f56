"""Malformed requests to the native API: bodies, fields, paths and headers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from itertools import product
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.fixtures.passwords import GOOD_PASSWORD, OTHER_PASSWORD
from tests.fixtures.personas import ACME_SHOP, Client, Person, Reader, failure

TABLES = ("users", "phones", "social_accounts", "login_sessions")
SHOP = f"/v1/apps/{ACME_SHOP.appid}"
CREDENTIALS = {"account": "carol", "password": GOOD_PASSWORD}
PASSWORDS = {"old_password": GOOD_PASSWORD, "new_password": OTHER_PASSWORD}

JSON_MALFORMED = (400, "json_malformed")
JSON_REQUIRED = (415, "json_required")
BODY_TOO_LARGE = (413, "body_too_large")
REQUEST_INVALID = (422, "request_invalid")
APP_UNKNOWN = (404, "app_unknown")
NOT_FOUND = (404, "not_found")
TOKEN_MISSING = (401, "token_missing")
TOKEN_INVALID = (401, "token_invalid")


@dataclass(frozen=True)
class Route:
    """A route that accepts a body, the login that it requires, and a valid body."""

    method: str
    path: str
    login: str
    body: dict[str, Any] = field(default_factory=dict)

    def send(self, client: Client, token: str | None, **how: Any) -> TestResponse:
        """Send a request to the route."""
        return client.send(self.method, self.path, token, **how)


ROUTES = {
    "login": Route("POST", f"{SHOP}/login", "none", {"code": "code"}),
    "password-login": Route("POST", f"{SHOP}/password-login", "none", CREDENTIALS),
    "profile": Route("POST", f"{SHOP}/profile", "unbound", {"nickname": "小花"}),
    "phone": Route("POST", f"{SHOP}/phone", "unbound", {"code": "code"}),
    "bind": Route("POST", f"{SHOP}/bind", "unbound", CREDENTIALS),
    "unbind": Route("POST", f"{SHOP}/unbind", "bound"),
    "refresh": Route("POST", f"{SHOP}/refresh", "none", {"refresh_token": "wxr_"}),
    "logout": Route("POST", f"{SHOP}/logout", "unbound"),
    "logout-all": Route("POST", f"{SHOP}/logout-all", "bound"),
    "jwt": Route("POST", f"{SHOP}/jwt", "bound"),
    "me": Route("PATCH", "/v1/me", "bound", {"nickname": "小花"}),
    "me-password": Route("POST", "/v1/me/password", "bound", PASSWORDS),
}


@contextmanager
def nothing_written(rows: Reader) -> Iterator[None]:
    """Assert that the block changes no row of the tables in `TABLES`."""
    before = contents(rows)
    yield
    assert contents(rows) == before


def contents(rows: Reader) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of the tables in `TABLES`, by table."""
    return {table: rows(f"SELECT t::text FROM {table} t ORDER BY 1") for table in TABLES}


def tokens_of(client: Client, unbound: Person, bound: Person) -> dict[str, str | None]:
    """Return a token for each login that a route may require: none, unbound and bound."""
    return {
        "none": None,
        "unbound": client.log_in(unbound)["token"],
        "bound": client.bind(bound)["token"],
    }


@pytest.fixture
def tokens(client: Client, alice: Person, bob: Person) -> dict[str, str | None]:
    """Return no token, a token of an unbound session (alice) and of a bound session (bob)."""
    return tokens_of(client, alice, bob)


def test_these_tests_cover_every_route_that_accepts_a_body(app: Flask) -> None:
    accepting = {
        (method, rule.rule.replace("<string:appid>", ACME_SHOP.appid))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(("apps.", "me.", "identity."))
        for method in (rule.methods or set()) & {"POST", "PUT", "PATCH"}
    }
    assert accepting == {(route.method, route.path) for route in ROUTES.values()}


AS_JSON = {"content_type": "application/json"}
DEEP = 30_000
# JSON parsers disagree on these bodies: they read different values, reject the body or crash.
UNREADABLE = {
    "cut off": b'{"code":',
    "invalid UTF-8": b'{"code": "\xff\xfe"}',
    "UTF-16": '{"code": "a"}'.encode("utf-16"),
    "Latin-1": '{"code": "é"}'.encode("latin-1"),
    "byte order mark": b'\xef\xbb\xbf{"code": "a"}',
    "NUL byte": b'{"code": "a\0"}',
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "huge integer": b'{"code": ' + b"9" * 5_000 + b"}",
    "NaN": b'{"code": NaN}',
    "Infinity": b'{"code": -Infinity}',
    "the same name twice": b'{"code": "a", "code": "b"}',
    "two values": b'{"code": "a"} {}',
    "no JSON": b"code=a",
}
NOT_OBJECTS = {"null": b"null", "array": b"[]", "array of it": b'[{"code": "a"}]', "true": b"true"}
NOT_OBJECTS |= {"text": b'"code"', "number": b"1", "big number": b"9" * 4_000}
UNKNOWN_FIELDS = {
    "openid": b'{"openid": "o1"}',
    "user_id": b'{"user_id": 1}',
    "NUL": b'{"\\u0000": 1}',
    "half a character": b'{"\\ud800": 1}',
    "empty": b'{"": 1}',
    "prototype": b'{"__proto__": {}, "__class__": 1}',
}
OTHER_TYPES = {
    "form": "application/x-www-form-urlencoded",
    "multipart": "multipart/form-data; boundary=x",
    "text": "text/plain",
    "XML": "text/xml",
    "none": "",
    "nonsense": "\x7f;;=",
}


# Each test covers all routes with one set-up, because the rejected requests write nothing.
def test_an_unparsable_json_body_is_rejected_by_every_route(
    client: Client, tokens: dict[str, str | None], rows: Reader
) -> None:
    with nothing_written(rows):
        for (name, route), (what, body) in product(ROUTES.items(), UNREADABLE.items()):
            answer = route.send(client, tokens[route.login], data=body, **AS_JSON)
            assert (name, what, *failure(answer)) == (name, what, *JSON_MALFORMED)


def test_a_json_body_that_is_not_an_object_is_rejected(
    client: Client, tokens: dict[str, str | None], rows: Reader
) -> None:
    with nothing_written(rows):
        for (name, route), (what, body) in product(ROUTES.items(), NOT_OBJECTS.items()):
            answer = route.send(client, tokens[route.login], data=body, **AS_JSON)
            assert (name, what, *failure(answer)) == (name, what, *REQUEST_INVALID)


def test_an_unknown_field_is_rejected_and_the_error_names_the_field(
    client: Client, tokens: dict[str, str | None], rows: Reader
) -> None:
    with nothing_written(rows):
        for (name, route), (what, body) in product(ROUTES.items(), UNKNOWN_FIELDS.items()):
            answer = route.send(client, tokens[route.login], data=body, **AS_JSON)
            assert (name, what, *failure(answer)) == (name, what, *REQUEST_INVALID)
        for route in ROUTES.values():
            answer = route.send(client, tokens[route.login], json=route.body | {"openid": "o1"})
            assert answer.json["errors"] == {"openid": ["Unknown field."]}


def test_a_body_with_a_content_type_other_than_json_is_rejected(
    client: Client, tokens: dict[str, str | None], rows: Reader
) -> None:
    with nothing_written(rows):
        for (name, route), (what, kind) in product(ROUTES.items(), OTHER_TYPES.items()):
            token = tokens[route.login]
            answer = route.send(client, token, data=b'{"code": "a"}', content_type=kind)
            assert (name, what, *failure(answer)) == (name, what, *JSON_REQUIRED)


def test_an_oversized_body_is_rejected_by_every_route(
    client: Client, tokens: dict[str, str | None], rows: Reader
) -> None:
    large = b'{"code": "' + b"a" * 70_000 + b'"}'
    # Valid JSON within the limit. Bytes beyond the limit are not read.
    padded = b"{}" + b" " * 70_000 + b"garbage"
    with nothing_written(rows):
        for route in ROUTES.values():
            token = tokens[route.login]
            assert failure(route.send(client, token, data=large, **AS_JSON)) == BODY_TOO_LARGE
            for body in (large, padded):
                answer = route.send(client, token, **in_chunks(body))
                assert failure(answer) == BODY_TOO_LARGE


def in_chunks(body: bytes) -> dict[str, Any]:
    """Return the arguments of a chunked request, as gunicorn passes it: without a length."""
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    return {"input_stream": BytesIO(body), "environ_overrides": environ} | AS_JSON


def test_a_small_chunked_body_is_accepted(client: Client, alice: Person) -> None:
    body = f'{{"code": "{alice.wx_login()}"}}'.encode()
    assert ROUTES["login"].send(client, None, **in_chunks(body)).status_code == 200


MISSING = {
    "login": [{}, {"account": "carol"}],
    "password-login": [{}, {"account": "carol"}, {"password": "p"}],
    "profile": [
        {},
        {"avatar_url": "https://example.com/a.png"},
        {"rawData": "{}", "signature": "0" * 40, "encryptedData": "AAAA"},
        {
            "rawData": "{}",
            "signature": "0" * 40,
            "encryptedData": "AAAA",
            "iv": "A",
            "nickname": "n",
        },
    ],
    "phone": [{}, {"encryptedData": "AAAA"}, {"iv": "A"}, {"code": "c", "iv": "A"}],
    "bind": [{}, {"account": "carol"}, {"password": "p"}],
    "refresh": [{}],
}


def test_a_body_without_a_required_field_is_rejected(
    client: Client, tokens: dict[str, str | None], rows: Reader
) -> None:
    with nothing_written(rows):
        for name, bodies in MISSING.items():
            route, token = ROUTES[name], tokens[ROUTES[name].login]
            hows: list[dict[str, Any]] = [{}, {"data": b"", **AS_JSON}]
            for how in hows + [{"json": body} for body in bodies]:
                answer = route.send(client, token, **how)
                assert (name, how, *failure(answer)) == (name, how, *REQUEST_INVALID)
                assert answer.json["errors"]


@pytest.mark.parametrize("name", ["unbind", "logout", "logout-all"])
@pytest.mark.parametrize("how", [{}, {"json": {}}, {"data": b"", **AS_JSON}])
def test_a_route_without_required_fields_accepts_an_empty_body(
    name: str, how: dict[str, Any], client: Client, bob: Person
) -> None:
    token = client.bind(bob)["token"]
    assert ROUTES[name].send(client, token, **how).status_code in (200, 204)


# Route, field, longest value, and the fields that accompany it.
OPEN = {"rawData": "{}", "signature": "0" * 40, "encryptedData": "AAAA", "iv": "AAAA"}
OLD_PHONE = {"encryptedData": "AAAA", "iv": "AAAA"}
TEXTS = [
    ("login", "code", 128, {}),
    ("login", "account", 64, {"code": "c", "password": "p"}),
    ("login", "password", 128, {"code": "c", "account": "a"}),
    ("password-login", "account", 64, CREDENTIALS),
    ("password-login", "password", 128, CREDENTIALS),
    ("bind", "account", 64, CREDENTIALS),
    ("bind", "password", 128, CREDENTIALS),
    ("phone", "code", 128, {}),
    ("phone", "encryptedData", 8192, OLD_PHONE),
    ("phone", "iv", 64, OLD_PHONE),
    ("refresh", "refresh_token", 128, {}),
    ("profile", "signature", 40, OPEN),
    ("profile", "encryptedData", 8192, OPEN),
    ("profile", "iv", 64, OPEN),
    ("profile", "nickname", 64, {}),
    ("profile", "avatar_url", 512, {"nickname": "n"}),
    ("me", "nickname", 64, {}),
    ("me", "avatar_url", 512, {}),
]
NOT_TEXTS = [None, 1, 1.5, True, [], ["a"], {}, 10**4000]
INVALID_AVATARS = [
    "http://x.com/a",
    "javascript:alert(1)",
    "//x.com/a",
    "https://",
    "https://[::1/a",
]
INVALID_AVATARS += ["data:image/png;base64,AAAA", "https://x.com/a b", "a", "https://x.com/\n"]
INVALID_TEXTS = ["", "a\0b", "a\nb", "a\x1bb", "a\x7fb", "a\x85b", "\ud800", "a\udfff"]
# After the removal of invisible characters, these accounts and nicknames are empty.
INVALID_NAMES = ["", " ", "\0", "\n", "\u200b\u200d", "\u3164", "\ufe0f", "\u2800"]
INVALID_BY_FIELD = {
    "account": [*INVALID_NAMES, "\ud800", "a\udfff"],
    "nickname": [*INVALID_NAMES, "\ud800"],
}


def test_an_invalid_text_is_rejected_and_the_error_names_the_field(
    client: Client, tokens: dict[str, str | None], rows: Reader
) -> None:
    with nothing_written(rows):
        for name, what, longest, others in TEXTS:
            for value in [
                *NOT_TEXTS,
                *INVALID_BY_FIELD.get(what, INVALID_TEXTS),
                "花" * (longest + 1),
            ]:
                token = tokens[ROUTES[name].login]
                answer = ROUTES[name].send(client, token, json=others | {what: value})
                assert (what, value, *failure(answer)) == (what, value, *REQUEST_INVALID)
                assert list(answer.json["errors"]) == [what]


def test_an_avatar_url_that_is_not_https_is_rejected(
    client: Client, tokens: dict[str, str | None], rows: Reader
) -> None:
    with nothing_written(rows):
        for name, address in product(("profile", "me"), INVALID_AVATARS):
            body = {"nickname": "n", "avatar_url": address}
            answer = ROUTES[name].send(client, tokens["bound"], json=body)
            assert (address, *failure(answer)) == (address, *REQUEST_INVALID)
            assert list(answer.json["errors"]) == ["avatar_url"]


def test_a_gender_other_than_0_1_or_2_is_rejected(
    client: Client, tokens: dict[str, str | None], rows: Reader
) -> None:
    with nothing_written(rows):
        for value in [3, -1, "1", 1.0, True, None, 10**4000, [], {}]:
            answer = ROUTES["me"].send(client, tokens["bound"], json={"gender": value})
            assert (value, failure(answer)) == (value, REQUEST_INVALID)


NICKNAMES = ["🌸", "👨‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "𠮷野家", "a'b\"c<d>&", "%s {0}", "名　字"]


def test_emoji_and_rare_characters_in_a_nickname_from_the_client_are_stored_unchanged(
    client: Client, tokens: dict[str, str | None]
) -> None:
    for nickname, name in product(NICKNAMES, ("me", "profile")):
        answer = ROUTES[name].send(client, tokens["bound"], json={"nickname": nickname})
        assert answer.json["nickname"] == nickname
        assert client.me(str(tokens["bound"])).json["nickname"] == nickname


APPIDS = ["%00", "wx%00", "%ff", "%ed%a0%80", "a" * 65, "a" * 5000, "wx%20", "%F0%9F%98%80", "*"]
ADDRESSES = [
    "/v1",
    "/v1/",
    "/%00",
    "/v1/me/",
    f"{SHOP}/login/",
    f"{SHOP}/x",
    "/v1/apps//login",
]


def test_a_malformed_appid_in_the_path_gets_app_unknown(client: Client) -> None:
    paths = [route.path for route in ROUTES.values() if ACME_SHOP.appid in route.path]
    for path, appid in product(paths, APPIDS):
        answer = client.send("POST", path.replace(ACME_SHOP.appid, appid), json={})
        assert (appid, *failure(answer)) == (appid, *APP_UNKNOWN)


def test_an_unknown_path_gets_a_problem_document_with_404(client: Client) -> None:
    for address, method in product(ADDRESSES, ("GET", "POST", "DELETE")):
        answer = client.send(method, address, json={})
        assert (address, *failure(answer)) == (address, *NOT_FOUND)


def test_a_wrong_method_gets_405_with_the_allowed_methods(client: Client, rows: Reader) -> None:
    with nothing_written(rows):
        for route, method in product(ROUTES.values(), ("PUT", "DELETE", "TRACE", "BREW")):
            if (method, route.path) == ("DELETE", "/v1/me"):  # closes the account
                continue
            answer = client.send(method, route.path, json=route.body)
            assert failure(answer) == (405, "method_not_allowed")
            assert route.method in answer.headers["Allow"]


AUTHORIZATIONS = {
    "": TOKEN_MISSING,
    "Bearer": TOKEN_MISSING,
    "Bearer ": TOKEN_MISSING,
    "Bearer\tabc": TOKEN_MISSING,
    "Basic YTpi": TOKEN_MISSING,
    "x" * 10_000: TOKEN_MISSING,
    "Bearer wxp_": TOKEN_INVALID,
    "Bearer " + "x" * 10_000: TOKEN_INVALID,
    "Bearer wxp_é\xff": TOKEN_INVALID,
    "Bearer a b": TOKEN_INVALID,
    "Bearer null": TOKEN_MISSING,
    "bearer undefined": TOKEN_MISSING,
    "Bearer  undefined ": TOKEN_MISSING,
    "Bearer Undefined": TOKEN_INVALID,
    "undefined": TOKEN_MISSING,
}


def test_a_malformed_authorization_header_is_rejected(client: Client, rows: Reader) -> None:
    for header, expected in AUTHORIZATIONS.items():
        headers = {"Authorization": header}
        for route in ROUTES.values():
            if route.login != "none":
                answer = route.send(client, None, json=route.body, headers=dict(headers))
                assert (header, failure(answer)) == (header, expected)
                assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert failure(client.send("GET", "/v1/me", headers=headers)) == expected


def test_the_authorization_scheme_is_case_insensitive(
    client: Client, tokens: dict[str, str | None]
) -> None:
    for spelling in ("Bearer {}", "bearer {}", "BEARER {}", "Bearer  {} "):
        headers = {"Authorization": spelling.format(tokens["bound"])}
        assert client.send("GET", "/v1/me", headers=headers).status_code == 200


def test_a_malformed_request_id_is_replaced_by_a_generated_one(client: Client) -> None:
    for given in [
        "short",
        "13800138000",
        "wxp_" + "x" * 43,
        "x" * 65,
        "a b c d e f",
        "<b>alert(1)</b>",
        "é" * 10,
        '"}{"a":1',
    ]:
        answer = client.send("GET", "/v1/me", headers={"X-Request-Id": given})
        assert failure(answer) == TOKEN_MISSING
        assert given not in (answer.headers["X-Request-Id"], answer.text)


def test_a_valid_request_id_from_a_proxy_is_returned_in_the_response(client: Client) -> None:
    answer = client.send("GET", "/v1/me", headers={"X-Request-Id": "proxy-0001.a_b-0001"})
    assert answer.json["request_id"] == "proxy-0001.a_b-0001"
