"""Masking of secrets in recorded requests."""

import json
from typing import Any

import pytest

from app.simulator.demo.masking import mask, mask_phone
from app.simulator.minting import new_access_token, new_login_code, new_phone_code, new_session_key

TOKEN = "wxp_ol2wFoEeIXfuZhMR8GLVtiiC6q62DyqD8fbDOsmqPKk"
REFRESH = "wxr_IcjDzQTEEtcGxhwtHOHUs3cAkM7JysbwUel9V9_JdOMxNo7ccvKEAubCaGfYoAYlv23C78QjzesL3O"
SECRETS: dict[str, str] = {
    "code": new_login_code(),
    "js_code": new_phone_code(),
    "token": TOKEN,
    "refresh_token": REFRESH,
    "access_token": new_access_token(),
    "session_key": new_session_key(),
    "secret": "decafbadaaaa00000000000000000001",
    "password": "alice-likes-green-tea",
    "encryptedData": "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZM",
    "iv": "r7BXXKkLb8qrSNn05n0qiA==",
    "signature": "75e81ceda165f4ffa64f4068af58c64b8f54b88c",
    "a_field_of_the_next_release": "something new",
}


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_masked_in_every_place(name: str) -> None:
    secret = SECRETS[name]
    shown = json.dumps(mask({name: secret, "body": {"list": [{name: secret}]}}))
    assert secret not in shown
    assert shown.count("••••".encode("unicode_escape").decode()) == 2


@pytest.mark.parametrize("secret", [TOKEN, REFRESH, SECRETS["access_token"]])
def test_tokens_inside_a_harmless_text_are_masked(secret: str) -> None:
    assert secret not in mask({"detail": f"The token {secret} is unknown."})["detail"]


def test_the_mark_of_a_secret_is_the_same_each_time_and_differs_between_secrets() -> None:
    first, again, other = (mask({"code": text})["code"] for text in ("a", "a", "b"))
    assert first == again != other


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13800138001", "138****8001"),
        ("+8613800138001", "+86138****8001"),
        ("+85268124567", "+852****4567"),
        ("123", "****"),
    ],
)
def test_phone_numbers_keep_the_first_and_last_digits(number: str, shown: str) -> None:
    assert mask_phone(number) == mask({"phone": number})["phone"] == shown


def test_phone_numbers_inside_a_text_are_masked() -> None:
    assert mask({"nickname": "Call 13800138001"}) == {"nickname": "Call 138****8001"}


def test_a_problem_keeps_its_error_code() -> None:
    problem: dict[str, Any] = {"title": "code used", "code": "code_used", "status": 400}
    assert mask(problem, is_problem=True) == problem


def test_appids_numbers_and_times_are_shown() -> None:
    shown = {"appid": "wxaaaa000000000001", "expires_in": 7200, "bound": True, "user": None}
    assert mask(shown) == shown
