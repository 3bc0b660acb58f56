"""What arbitrary JSON gets: a success or a problem document, and never a 500."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.api.test_bad_input import ROUTES, TEXTS, tokens_of
from tests.fixtures.personas import Client, Person, failure
from tests.fixtures.profiles import PROFILE

NAMES = sorted({what for _, what, _, _ in TEXTS} | {"rawData", "gender"})
CHARS = st.characters(exclude_categories=())  # half characters too
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(CHARS, max_size=200)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(CHARS), inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=4)
# One field changed gets further than a body of chance.
NEARLY_GOOD = st.tuples(st.sampled_from(NAMES), SCALARS)


def body_for(good: dict[str, Any], chance: Any) -> Any:
    """Spoil one field of a good body, or take chance as it is."""
    return good | {chance[0]: chance[1]} if isinstance(chance, tuple) else chance


def assert_told(answer: TestResponse) -> None:
    """Demand success, or a problem that is not our fault."""
    if answer.status_code >= 300:
        status, code = failure(answer)
        assert 400 <= status < 500, code


def test_no_json_breaks_any_route(client: Client, alice: Person, bob: Person) -> None:
    """Otherwise somebody finds, by trying, what we did not think of."""
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
        assert_told(answer)
        if answer.status_code < 300 and name not in ("me", "profile"):
            tokens.update(tokens_of(client, alice, bob))

    try_one()
