"""Access tokens of the simulator."""

import re

import pytest

ACME = "wx00000000000000ac"
GLOBEX = "wx0000000000000910"


def errcode_of(simulator, token):
    """Return the errcode of a call with an access token. VALID means that the token is valid."""
    return simulator.phone_number(token, code="")["errcode"]


# The errcode of a call with a valid access token and without a code.
VALID = 41008


def test_the_stable_token_stays_the_same_and_is_returned_with_its_remaining_lifetime(simulator):
    first = simulator.stable_token()
    assert re.fullmatch(r"\d\d_[\w-]{130,}", first["access_token"], re.ASCII)
    simulator.control("/clock", advance=6855)
    again = simulator.stable_token()
    assert again["access_token"] == first["access_token"]
    assert 345 - 30 <= again["expires_in"] <= 345, "some seconds may pass in between"


def test_the_stable_token_is_renewed_five_minutes_before_it_expires_and_both_are_valid(simulator):
    old = simulator.stable_token()["access_token"]
    simulator.control("/clock", advance=6901)
    new = simulator.stable_token()["access_token"]
    assert new != old
    assert [errcode_of(simulator, token) for token in (old, new)] == [VALID, VALID]
    simulator.control("/clock", advance=300)
    assert [errcode_of(simulator, token) for token in (old, new)] == [42001, VALID]


def test_force_refresh_invalidates_the_previous_stable_token_and_is_throttled(simulator):
    old = simulator.stable_token()["access_token"]
    new = simulator.stable_token(force_refresh=True)["access_token"]
    assert [errcode_of(simulator, token) for token in (old, new)] == [40001, VALID]
    assert simulator.stable_token(force_refresh=True)["errcode"] == 45011
    assert simulator.stable_token()["access_token"] == new


def test_force_refresh_of_the_stable_token_is_allowed_twenty_times_a_day(simulator):
    answers = []
    for _ in range(42):
        simulator.control("/clock", advance=31)
        answers.append(simulator.stable_token(force_refresh=True).get("errcode", 0))
    # 42 times 31 seconds may cross midnight in China once, never twice.
    assert answers[0] == 0
    assert 45009 in answers
    assert 20 <= answers.count(0) <= 40


def test_a_new_legacy_token_invalidates_the_previous_one_after_five_minutes(simulator):
    old, new = (simulator.legacy_token()["access_token"] for _ in range(2))
    assert errcode_of(simulator, old) == VALID
    simulator.control("/clock", advance=301)
    assert [errcode_of(simulator, token) for token in (old, new)] == [40001, VALID]


def test_stable_and_legacy_tokens_are_independent(simulator):
    legacy, stable = simulator.legacy_token(), simulator.stable_token()
    assert legacy["access_token"] != stable["access_token"]
    assert set(legacy) == set(stable) == {"access_token", "expires_in"}
    simulator.stable_token(force_refresh=True)
    assert errcode_of(simulator, legacy["access_token"]) == VALID


@pytest.mark.parametrize(
    ("token", "errcode"), [("", 41001), ("nonsense", 40014), ("77_" + "x" * 134, 40001)]
)
def test_missing_malformed_and_unknown_access_tokens_have_different_errcodes(
    simulator, token, errcode
):
    payload = simulator.phone_number(token, code="x")
    assert payload["errcode"] == errcode
    assert re.search(r"[^,] rid: [0-9a-f]{8}-", payload["errmsg"]), "no comma outside /sns/"


def test_token_endpoints_reject_wrong_secrets_and_grant_types(simulator):
    assert simulator.legacy_token(secret="wrong")["errcode"] == 40125
    assert simulator.legacy_token(secret="")["errcode"] == 41004
    assert simulator.stable_token(appid=GLOBEX, secret="acme secret")["errcode"] == 40125
    assert simulator.stable_token(grant_type="authorization_code")["errcode"] == 40002


def test_the_stable_token_endpoint_requires_post_and_json(simulator):
    path = "/cgi-bin/stable_token"
    assert simulator.http.get(path).get_json()["errcode"] == 43002
    assert simulator.http.post(path, data={"appid": ACME}).get_json()["errcode"] == 47001
    assert simulator.http.post(path, data="[]").get_json()["errcode"] == 47001


@pytest.mark.parametrize(
    ("entry", "allowed"),
    [
        ("127.0.0.1", True),
        ("127.0.*", True),
        ("127.0.0.0/8", True),
        ("10.0.0.1", False),
        ("10.0.0.0/8", False),
    ],
)
def test_the_ip_whitelist_applies_to_token_endpoints_and_not_to_code2session(
    simulator, entry, allowed
):
    simulator.control("/apps", appid=ACME, secret="acme secret", ip_whitelist=[entry])
    answers = [simulator.stable_token(), simulator.legacy_token()]
    assert [answer.get("errcode") for answer in answers] == [None if allowed else 40164] * 2
    assert "openid" in simulator.log_in()
    if not allowed:
        expected = "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist rid: "
        assert answers[0]["errmsg"].startswith(expected)


def test_resetting_the_app_secret_keeps_codes_and_unionids(simulator):
    code = simulator.login_code()
    unionid = simulator.log_in()["unionid"]
    simulator.control("/app-secret", appid=ACME, secret="another")

    assert simulator.stable_token()["errcode"] == 40125
    assert simulator.exchange(code)["errcode"] == 40125
    fresh = simulator.exchange(code, secret="another")
    assert fresh["unionid"] == unionid, "the code sent with the wrong secret is still valid"
