"""The example back ends verify JWTs with the public keys of wxpass."""

import subprocess

import pytest

from tests.docs.back_ends import EXAMPLES, GO_ENVIRON, BackEnd
from tests.docs.forgeries import ACCEPTED, REFUSED, Forger
from tests.docs.gateway import Gateway
from tests.docs.site import LIFE, Site


def test_the_user_of_a_jwt_is_admitted(back_end: BackEnd, site: Site) -> None:
    token = site.log_in("alice")
    answer = back_end.get("/reports", site.jwt(token))
    assert (answer.status_code, answer.json()) == (200, {"user": site.user_of(token)})


@pytest.mark.parametrize("kind", ACCEPTED)
def test_a_valid_jwt_is_accepted(back_end: BackEnd, forger: Forger, kind: str) -> None:
    answer = back_end.get("/reports", ACCEPTED[kind](forger))
    assert (answer.status_code, answer.json()) == (200, {"user": forger.claims["sub"]})


@pytest.mark.parametrize("kind", REFUSED)
def test_an_invalid_jwt_is_refused(back_end: BackEnd, forger: Forger, kind: str) -> None:
    answer = back_end.get("/reports", REFUSED[kind](forger))
    assert (answer.status_code, answer.json()["code"]) == (401, "jwt_invalid")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_jwt_of_another_tenant_and_a_login_token_are_refused(
    back_end: BackEnd, site: Site
) -> None:
    foreign = site.jwt(site.log_in("carol", LIFE), LIFE)
    for token in (foreign, site.log_in("alice"), None):
        answer = back_end.get("/reports", token)
        assert (answer.status_code, answer.json()["code"]) == (401, "jwt_invalid")


def test_jwts_are_verified_while_wxpass_is_unavailable(
    back_end: BackEnd, forger: Forger, gateway: Gateway
) -> None:
    assert back_end.status("/reports", forger.genuine) == 200
    gateway.behave("refuse")
    assert back_end.status("/reports", forger.genuine) == 200
    assert back_end.status("/reports", REFUSED["of another key"](forger)) == 401


def test_the_go_example_is_formatted_and_passes_go_vet() -> None:
    for command in (["gofmt", "-l", "."], ["go", "vet", "./..."]):
        done = subprocess.run(
            command,
            cwd=EXAMPLES / "go",
            env=GO_ENVIRON,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
