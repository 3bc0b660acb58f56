"""The example back ends fetch the public keys: outages, unknown key ids and rotation."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import jwt
import pytest

from tests.docs.back_ends import PROGRAMS, BackEnd, serving
from tests.docs.forgeries import Forger
from tests.docs.gateway import Gateway
from tests.docs.site import Site
from tests.fixtures.waiting import until

JWKS = "/.well-known/jwks.json"
BAD_KEY_SETS = ["hang", "drop", "refuse", "garbage", "error", "no user", "redirect"]


@pytest.fixture
def fresh(gateway: Gateway, tmp_path: Path) -> Iterator[list[BackEnd]]:
    """One back end of each kind, which has fetched no keys yet."""
    with ExitStack() as stack:
        yield [stack.enter_context(serving(name, gateway.url, tmp_path)) for name in PROGRAMS]


def statuses(back_ends: list[BackEnd], token: str) -> list[int]:
    """Return the statuses that the back ends answer to a JWT."""
    return [one.status("/reports", token) for one in back_ends]


@pytest.mark.parametrize("behaviour", BAD_KEY_SETS)
def test_without_keys_every_jwt_is_refused_within_4_seconds(
    fresh: list[BackEnd], behaviour: str, forger: Forger, gateway: Gateway
) -> None:
    gateway.behave(behaviour)
    for back_end in fresh:
        began = time.monotonic()
        answer = back_end.get("/reports", forger.genuine)
        assert time.monotonic() - began < 4
        assert (answer.status_code, answer.json()["code"]) == (503, "wxpass_unavailable")


def test_jwts_are_accepted_once_wxpass_answers(
    fresh: list[BackEnd], forger: Forger, gateway: Gateway
) -> None:
    gateway.behave("refuse")
    assert statuses(fresh, forger.genuine) == [503] * len(fresh)
    gateway.behave("forward")
    until(lambda: statuses(fresh, forger.genuine) == [200] * len(fresh), seconds=15)


def test_unknown_key_ids_fetch_the_keys_at_most_every_5_seconds(
    fresh: list[BackEnd], forger: Forger, gateway: Gateway
) -> None:
    tokens = [forger.of_another_key(kid=f"unknown{number}") for number in range(40)]
    for back_end in fresh:
        assert back_end.status("/reports", forger.genuine) == 200
        began, fetched = time.monotonic(), gateway.count(JWKS)
        with ThreadPoolExecutor(8) as pool:
            answers = set(pool.map(lambda token, to=back_end: to.status("/reports", token), tokens))
        assert answers == {401}
        assert gateway.count(JWKS) - fetched <= 1 + (time.monotonic() - began) / 5


def test_a_rotated_signing_key_is_found(fresh: list[BackEnd], forger: Forger, site: Site) -> None:
    """A new key id fetches the keys again. JWTs of the former key stay valid."""
    assert statuses(fresh, forger.genuine) == [200] * len(fresh)
    site.rotate_signing_key()
    token = site.jwt(site.log_in("alice"))
    assert jwt.get_unverified_header(token)["kid"] != forger.header["kid"]
    until(lambda: statuses(fresh, token) == [200] * len(fresh), seconds=15)
    assert statuses(fresh, forger.genuine) == [200] * len(fresh)
