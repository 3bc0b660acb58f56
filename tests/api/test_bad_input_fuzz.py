"""Property test: any generated JSON body gets a success or a problem document with 4xx."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.api.test_bad_input import ROUTES, TEXTS, tokens_of
from tests.fixtures.personas import Client, Person, failure
from tests.fixtures.profiles import PROFILE

NAMES = sorted({what for _, what, _, _ in TEXTS} | {"rawData", "gender"})
CHARS = st.characters(exclude_categories=())  # includes lone surrogates
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(CHARS, max_size=200)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(CHARS), inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=4)
# A valid body with one changed field gets past the schema more often than a random one.
NEARLY_GOOD = st.tuples(st.sampled_from(NAMES), SCALARS)


def body_for(good: dict[str, Any], chance: Any) -> Any:
    """Return the valid body with one field replaced if `chance` is a pair, or else `chance`."""
    return good | {chance[0]: chance[1]} if isinstance(chance, tuple) else chance


def assert_success_or_4xx(answer: TestResponse) -> None:
    """Assert that a response is a success or a problem document with status 4xx."""
    if answer.status_code >= 300:
        status, code = failure(answer)
        assert 400 <= status < 500, code


def test_generated_json_bodies_never_cause_an_internal_error(
    client: Client, alice: Person, bob: Person
) -> None:
    tokens = tokens_of(client, alice, bob)

    @settings(PROFILE, max_examples=150)
    @given(
        st.sampled_from(sorted(ROUTES)),
        st.sampled_from(sorted(tokens)),
        ANYTHING | OBJECTS | NEARLY_GOOD,
    )
    def try_one(name: str, login: str, chance: Any) -> None:
        route = ROUTES[name]
        data = json.dumps(body_for(route.body, chance))
        answer = route.send(client, tokens[login], data=data, content_type="application/json")
        assert_success_or_4xx(answer)
        if answer.status_code < 300 and name not in ("me", "profile"):
            tokens.update(tokens_of(client, alice, bob))

    try_one()
