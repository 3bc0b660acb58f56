"""Requests that schemathesis generates from /openapi.json, with and without tokens.

Each response must have a documented status and content type, and match the documented schema. The
seed is fixed, so each run sends the same requests.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fixtures.operators import add_operator, signed_in
from tests.fixtures.personas import ACME_SHOP, Client, Person, Reader
from tests.properties.openapi.conftest import CASES

SEED = 20261128
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# The security scheme of the token of each kind of login.
LOGINS = {
    "nobody": None,
    "visitor": "loginToken",
    "user": "loginToken",
    "tenant_admin": "operatorJwt",
    "platform": "operatorJwt",
}
# The share of requests with a login that the operation accepts.
ACCEPTED_SHARE = 0.8

Token = Callable[[], str | None]


@pytest.fixture(params=LOGINS)
def login(request: pytest.FixtureRequest) -> str:
    """The kind of login that sends all requests of a test."""
    return str(request.param)


@pytest.fixture
def token(login: str, app: Flask, client: Client, alice: Person, rows: Reader) -> Token:
    """A function that returns a valid token of the login.

    It may return a different token each time, because a request may end the session.
    """
    if login == "nobody":
        return lambda: None
    if login == "visitor":
        return lambda: str(client.log_in(alice)["token"])
    if login == "user":
        return lambda: str(client.bind(alice)["token"])
    emails = (f"{login}-{number}@acme.example" for number in count())
    tenant = {"tenant_admin": "acme"}.get(login)
    script = signed_in(app, next(emails), login, tenant)

    def valid_token() -> str:
        nonlocal script
        if script("GET", "/me").status_code == 401:
            rows("DELETE FROM password_tries")  # generated passwords count as failed attempts
            script = signed_in(app, next(emails), login, tenant)
        return str(script.tokens["access_token"])

    return valid_token


@pytest.fixture
def known_parameters(app: Flask, client: Client, bob: Person) -> Mapping[str, str]:
    """Ids of existing objects by the name of the path parameter."""
    user = client.bind(bob)["user"]["id"]
    operator = add_operator(app, "another@acme.example", "tenant_reader", "acme")
    appid = ACME_SHOP.appid
    return {
        **{"appid": appid, "its_appid": appid, "slug": "acme", "its_slug": "acme"},
        **{"user_id": user, "operator_id": str(operator)},
    }


def operations(app: Flask) -> Iterator[Any]:
    """Yield the operations of /openapi.json."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, config=SchemathesisConfig())
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        yield result.ok()


def number_of_cases(operation: Any, login: str, operations: int) -> int:
    """Return the number of requests that a login sends to an operation."""
    schemes = {name for one in operation.definition.raw.get("security", []) for name in one}
    accepted = [one for one, scheme in LOGINS.items() if scheme in schemes if scheme] or ["nobody"]
    share = ACCEPTED_SHARE if login in accepted else 1 - ACCEPTED_SHARE
    sharing = len(accepted) if login in accepted else len(LOGINS) - len(accepted)
    return max(1, round(CASES / operations * share / sharing))


def test_every_response_to_a_generated_request_is_documented_in_openapi(
    app: Flask, login: str, token: Token, known_parameters: Mapping[str, str]
) -> None:
    found = list(operations(app))
    sent: Counter[int] = Counter()

    for operation in found:

        @seed(SEED)
        @settings(
            max_examples=number_of_cases(operation, login, len(found)),
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(
            case=operation.as_strategy(), names=st.sets(st.sampled_from(sorted(known_parameters)))
        )
        def send(case: Any, names: set[str]) -> None:
            for name in names & (case.path_parameters or {}).keys():
                case.path_parameters[name] = known_parameters[name]
            valid = token()
            response = case.call(headers={"Authorization": f"Bearer {valid}"} if valid else {})
            sent[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        send()
    print(f"{login}: {sent.total()} requests, by status: {dict(sorted(sent.items()))}")
    assert sent.total() >= len(found)
    assert sum(number for status, number in sent.items() if status < 300) > 3


@pytest.mark.parametrize(
    "answer", [({"status": 1}, 200), ({"status": "ok"}, 299), ("ok", 200), ({}, 500)]
)
def test_the_checks_reject_an_undocumented_response(
    app: Flask, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    (healthz,) = (one for one in operations(app) if one.path == "/healthz")
    case = healthz.Case()
    case.validate_response(case.call(), checks=CHECKS)
    (rule,) = (one for one in app.url_map.iter_rules() if one.rule == "/healthz")
    monkeypatch.setitem(app.view_functions, rule.endpoint, lambda: answer)
    with pytest.raises(FailureGroup):
        case.validate_response(case.call(), checks=CHECKS)
