"""The simulated access tokens."""

import re

import pytest

ACME = "wx00000000000000ac"
GLOBEX = "wx0000000000000910"


def errcode_of(simulator, token):
    """Tell what WeChat says to a token: 41008 means it was good, only the code was missing."""
    return simulator.phone_number(token, code="")["errcode"]


GOOD = 41008


def test_stable_token_is_repeated_with_the_time_that_remains(simulator):
    """Else a shared cache and a cold one would fight."""
    first = simulator.stable_token()
    assert re.fullmatch(r"\d\d_[\w-]{130,}", first["access_token"], re.ASCII)
    simulator.control("/clock", advance=6855)
    again = simulator.stable_token()
    assert again["access_token"] == first["access_token"]
    assert 345 - 30 <= again["expires_in"] <= 345, "some seconds may pass meanwhile"


def test_stable_token_rotates_five_minutes_early_and_both_work(simulator):
    """Else a request under way at the switch would fail here and nowhere else."""
    old = simulator.stable_token()["access_token"]
    simulator.control("/clock", advance=6901)
    new = simulator.stable_token()["access_token"]
    assert new != old
    assert [errcode_of(simulator, token) for token in (old, new)] == [GOOD, GOOD]
    simulator.control("/clock", advance=300)
    assert [errcode_of(simulator, token) for token in (old, new)] == [42001, GOOD]


def test_force_kills_the_previous_token_and_is_rationed(simulator):
    """Else a product that forces on every error would seem to work."""
    old = simulator.stable_token()["access_token"]
    new = simulator.stable_token(force_refresh=True)["access_token"]
    assert [errcode_of(simulator, token) for token in (old, new)] == [40001, GOOD]
    assert simulator.stable_token(force_refresh=True)["errcode"] == 45011
    assert simulator.stable_token()["access_token"] == new


def test_force_is_allowed_twenty_times_a_day(simulator):
    """Else the daily limit would first be met in production."""
    answers = []
    for _ in range(42):
        simulator.control("/clock", advance=31)
        answers.append(simulator.stable_token(force_refresh=True).get("errcode", 0))
    # 42 times 31 seconds may cross midnight in China once, never twice.
    assert answers[0] == 0
    assert 45009 in answers
    assert 20 <= answers.count(0) <= 40


def test_legacy_token_kills_its_predecessor_after_the_overlap(simulator):
    """Else two refreshers would not be seen to fight."""
    old, new = (simulator.legacy_token()["access_token"] for _ in range(2))
    assert errcode_of(simulator, old) == GOOD
    simulator.control("/clock", advance=301)
    assert [errcode_of(simulator, token) for token in (old, new)] == [40001, GOOD]


def test_families_are_isolated(simulator):
    """Else a legacy refresh elsewhere would end the stable token."""
    legacy, stable = simulator.legacy_token(), simulator.stable_token()
    assert legacy["access_token"] != stable["access_token"]
    assert set(legacy) == set(stable) == {"access_token", "expires_in"}
    simulator.stable_token(force_refresh=True)
    assert errcode_of(simulator, legacy["access_token"]) == GOOD


@pytest.mark.parametrize(
    ("token", "errcode"), [("", 41001), ("nonsense", 40014), ("77_" + "x" * 134, 40001)]
)
def test_bad_token_is_named(simulator, token, errcode):
    """Else the product could not tell a dead token from a missing one."""
    payload = simulator.phone_number(token, code="x")
    assert payload["errcode"] == errcode
    assert re.search(r"[^,] rid: [0-9a-f]{8}-", payload["errmsg"]), "no comma outside /sns/"


def test_token_calls_check_what_they_are_given(simulator):
    """Else a wrong secret would give a token."""
    assert simulator.legacy_token(secret="wrong")["errcode"] == 40125
    assert simulator.legacy_token(secret="")["errcode"] == 41004
    assert simulator.stable_token(appid=GLOBEX, secret="acme secret")["errcode"] == 40125
    assert simulator.stable_token(grant_type="authorization_code")["errcode"] == 40002


def test_stable_token_wants_post_and_json(simulator):
    """Else a wrong client would first fail against the real WeChat."""
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
def test_whitelist_guards_tokens_but_not_logins(simulator, entry, allowed):
    """Else an operator's forgotten whitelist could not be played."""
    simulator.control("/apps", appid=ACME, secret="acme secret", ip_whitelist=[entry])
    answers = [simulator.stable_token(), simulator.legacy_token()]
    assert [answer.get("errcode") for answer in answers] == [None if allowed else 40164] * 2
    assert "openid" in simulator.log_in()
    if not allowed:
        expected = "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist rid: "
        assert answers[0]["errmsg"].startswith(expected)


def test_a_reset_secret_replaces_the_one_before_and_nothing_else(simulator):
    """Else a test of such a change would show what WeChat does not do."""
    code = simulator.login_code()
    unionid = simulator.log_in()["unionid"]
    simulator.control("/app-secret", appid=ACME, secret="another")

    assert simulator.stable_token()["errcode"] == 40125
    assert simulator.exchange(code)["errcode"] == 40125
    fresh = simulator.exchange(code, secret="another")
    assert fresh["unionid"] == unionid, "the code that went with the wrong secret is still good"
