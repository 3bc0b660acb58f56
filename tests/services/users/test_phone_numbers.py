"""Phone numbers: validation, numbers from WeChat, storage and search."""

import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from app import logs
from app.errors import Failure, PhoneInvalid, PhoneNotMobile, PhonePlusMissing
from app.models import User
from app.services.database.transactions import transaction
from app.services.user_import.files import PersonRow
from app.services.user_import.rows import read_person
from app.services.users.phone_numbers import (
    PhoneNumber,
    find_refusal,
    masked,
    number_from_wechat,
    phone_number,
    searched_number,
)
from app.services.users.users import give_phone
from tests.fixtures.operators import Script, signed_in
from tests.fixtures.personas import ACME_SHOP, Client, Person, Reader, WeChat, enter_user, failure
from tests.fixtures.user_files import csv_of
from tests.test_logs import Captured, log_into

USERS, IMPORTS = "/tenants/acme/users", "/tenants/acme/imports"

REFUSED: dict[str, type[Failure]] = {
    # One digit missing, one too many, and half a number.
    "1380013899": PhoneInvalid,
    "138001389999": PhoneInvalid,
    "1380013": PhoneInvalid,
    "00000000000": PhoneInvalid,
    # A range that is assigned to no carrier.
    "16412345678": PhoneInvalid,
    "+861380013899": PhoneInvalid,
    "+85212345678": PhoneInvalid,
    "+999123456": PhoneInvalid,
    # Short numbers, service numbers and landlines.
    "12306": PhoneNotMobile,
    "12345": PhoneNotMobile,
    "10086": PhoneNotMobile,
    "95588": PhoneNotMobile,
    "+8612306": PhoneNotMobile,
    "4008001234": PhoneNotMobile,
    "8008001234": PhoneNotMobile,
    "010-12345678": PhoneNotMobile,
    "+6561234567": PhoneNotMobile,
    # The country code without its plus sign.
    "6591234567": PhonePlusMissing,
    "886912345678": PhonePlusMissing,
    "85268326366": PhonePlusMissing,
    "852 6832-6366": PhonePlusMissing,
}
ACCEPTED = {
    "13800138000": "+8613800138000",
    " 138 0013-8000 ": "+8613800138000",
    "+86 13800138000": "+8613800138000",
    "8613800138000": "+8613800138000",
    "008613800138000": "+8613800138000",
    "１３８００１３８０００": "+8613800138000",
    "＋８６１３８００１３８０００": "+8613800138000",
    "\u202a13600000018\u202c": "+8613600000018",
    "138\u200b0013\u20608000": "+8613800138000",
    "19912345678": "+8619912345678",
    "+85268326366": "+85268326366",
    "0085268326366": "+85268326366",
    "+6591234567": "+6591234567",
    "+886912345678": "+886912345678",
    "+1 202-555-0123": "+12025550123",
    "+393123456789": "+393123456789",
    # WeChat's test numbers.
    "12066600001": "+8612066600001",
    "12066600004": "+8612066600004",
    "+8612066600002": "+8612066600002",
}
NO_NUMBERS = ["", "1", "+", "nobody", "138-CALL-NOW", "13800138000 ext 1", "tel:13800138000", "\0"]
NO_NUMBERS += ["9" * 400, "+" + "9" * 30, "١٣٨٠٠١٣٨٠٠٠", "\u200b", "\ud800"]


@pytest.mark.parametrize(("typed", "refusal"), REFUSED.items())
def test_phone_number_that_is_not_a_valid_mobile_number_is_refused_with_a_reason(
    typed: str, refusal: type[Failure]
) -> None:
    with pytest.raises(refusal):
        phone_number(typed)


@pytest.mark.parametrize("typed", NO_NUMBERS)
def test_text_that_is_not_a_phone_number_is_refused(typed: str) -> None:
    with pytest.raises(PhoneInvalid):
        phone_number(typed)


@pytest.mark.parametrize(("typed", "e164"), ACCEPTED.items())
def test_mobile_number_is_normalised_to_e164(typed: str, e164: str) -> None:
    number = phone_number(typed)
    assert number.e164 == e164
    assert searched_number(typed) == number


def test_number_that_follows_the_wechat_test_numbers_is_refused() -> None:
    with pytest.raises(PhoneInvalid):
        phone_number("12066600005")


@pytest.mark.parametrize(("typed", "refusal"), REFUSED.items())
def test_import_refuses_invalid_phone_numbers_with_the_code_of_the_reason(
    typed: str, refusal: type[Failure]
) -> None:
    person, bad = read_person(PersonRow(2, phone=typed))
    assert [(one.column, one.code) for one in bad] == [("phone", refusal.code)]
    assert person.phone is None


@pytest.fixture
def ann(app: Flask) -> Script:
    """Return the admin API client of Ann, a tenant admin of acme."""
    return signed_in(app, "ann@acme.example", "tenant_admin", "acme")


def test_admin_api_cli_and_import_refuse_the_same_phone_numbers(
    ann: Script, app: Flask, rows: Reader
) -> None:
    run = app.test_cli_runner()
    for typed, refusal in REFUSED.items():
        refused = ann("POST", USERS, json={"phone": typed})
        assert failure(refused) == (422, refusal.code), typed
        line = run.invoke(args=["users", "add", "--tenant", "acme", "--phone", typed])
        assert (line.exit_code, refusal.code in line.output) == (1, True), typed
        preview = ann("POST", IMPORTS, data=csv_of(("phone",), (typed,)), content_type="text/csv")
        assert [one["code"] for one in preview.json["bad"]] == [refusal.code], typed
    assert rows.count("users") == rows.count("phones") == 0


def test_missing_plus_sign_of_a_phone_number_is_explained_in_english_and_chinese(
    ann: Script,
) -> None:
    for language, text in (("en", "The plus sign"), ("zh", "缺少国家（地区）代码前的加号")):
        headers = {"Accept-Language": language}
        headers["Authorization"] = f"Bearer {ann.tokens['access_token']}"
        path, body = f"/v1/admin{USERS}", {"phone": "85268326366"}
        refused = ann.client.send("POST", path, headers=headers, json=body)
        assert text in refused.json["detail"]
        assert "85268326366" not in refused.text


@pytest.mark.parametrize(
    ("national", "country_code", "e164", "reason"),
    [
        ("13800138000", "86", "+8613800138000", None),
        ("68326366", "852", "+85268326366", None),
        ("12066600003", "86", "+8612066600003", None),
        # Accepted from WeChat, although the library does not consider them valid mobile numbers.
        ("16412345678", "86", "+8616412345678", PhoneInvalid),
        ("1380013", "86", "+861380013", PhoneInvalid),
        ("12345678", "852", "+85212345678", PhoneInvalid),
        ("13800138001", "999", "+99913800138001", PhoneInvalid),
        ("01012345678", "86", "+861012345678", PhoneNotMobile),
        ("12306", "86", "+8612306", PhoneNotMobile),
    ],
)
def test_phone_number_from_wechat_is_accepted_even_if_it_is_refused_when_typed(
    national: str, country_code: str, e164: str, reason: type[Failure] | None
) -> None:
    number = number_from_wechat(national, country_code)
    assert (number.e164, number.country_code) == (e164, int(country_code))
    assert find_refusal(number) is reason
    assert searched_number(e164).e164 == e164


@pytest.mark.parametrize(
    ("national", "country_code"),
    [
        *(("138", "86"), ("", "86"), ("letters", "86"), ("1" * 14, "86"), ("1" * 300, "86")),
        *(("13800138000", ""), ("13800138000", "0"), ("13800138000", "9999"), ("1 2 3", "86")),
    ],
)
def test_phone_number_from_wechat_that_cannot_be_e164_is_refused(
    national: str, country_code: str
) -> None:
    with pytest.raises(PhoneInvalid):
        number_from_wechat(national, country_code)


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch, app: Flask) -> Iterator[Captured]:
    """Capture the log in production format."""
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)
    stream = StringIO()
    log_into(stream, as_json=True)
    yield Captured(stream)
    logs.configure(as_json=False)


UNUSUAL = {
    ("16412345678", "86", "+8616412345678"): ["phone_invalid"],
    ("12345678", "852", "+85212345678"): ["phone_invalid"],
    ("13800138009", "86", "+8613800138009"): [],
}


@pytest.mark.parametrize(("number", "reasons"), UNUSUAL.items())
def test_unusual_phone_number_from_wechat_is_accepted_and_logged_without_its_digits(
    client: Client, wechat: WeChat, captured: Captured, number: tuple[str, str, str], reasons: Any
) -> None:
    phone, country_code, e164 = number
    person = Person(wechat, "dora", phone, country_code)
    user = client.bind(person)["user"]
    assert user["phone"] == e164
    logged = [line for line in captured.lines if line["event"] == "wechat_phone_unusual"]
    assert [line["reason"] for line in logged] == reasons
    assert phone not in captured.text
    assert client.bind(person)["user"]["id"] == user["id"], "the number is found again"


def test_operator_can_search_for_an_unusual_phone_number_from_wechat(
    client: Client, wechat: WeChat, ann: Script
) -> None:
    user = client.bind(Person(wechat, "dora", "12345678", "852"))["user"]
    (found,) = ann("GET", USERS, query_string={"phone": "+852 1234 5678"}).json["items"]
    assert found["id"] == user["id"]


# Stored by a release that accepted every number of a possible length.
STORED = {"12306": "+8612306", "1380013": "+861380013", "6591234567": "+866591234567"}


@pytest.mark.parametrize(("typed", "e164"), STORED.items())
def test_stored_phone_number_that_is_no_longer_accepted_stays_usable(
    app: Flask, client: Client, wechat: WeChat, ann: Script, typed: str, e164: str
) -> None:
    user_id = enter_user(app, account="old", password="violet-harbour-74")
    store(app, user_id, PhoneNumber(e164, 86))
    (found,) = ann("GET", USERS, query_string={"phone": typed}).json["items"]
    assert found["id"] == user_id
    token = client.post("password-login", account="old", password="violet-harbour-74").json["token"]
    assert client.me(token).json["phone"] == e164
    export = ann("POST", "/tenants/acme/exports", json={"full_phones": True})
    assert e164 in export.text
    login = client.bind(Person(wechat, "owner", typed))
    assert login["user"]["id"] == user_id, "the verified number links to the stored user"


def store(app: Flask, user_id: str, number: PhoneNumber) -> None:
    """Store a number without validating it."""
    with app.app_context(), transaction() as db:
        user = db.scalars(select(User).where(User.id == UUID(user_id))).one()
        give_phone(db, user.tenant_id, user.id, number)


SOUGHT = {
    "138": "phone_search_incomplete",
    "1380013": "phone_search_incomplete",
    "8000": "phone_search_incomplete",
    "nobody": "phone_search_incomplete",
    "+": "phone_search_incomplete",
    "+999": "phone_search_incomplete",
    "12306": "phone_not_mobile",
    "85268326366": "phone_plus_missing",
}


@pytest.mark.parametrize(("typed", "code"), SOUGHT.items())
def test_search_for_an_invalid_phone_number_returns_the_reason(
    ann: Script, client: Client, alice: Person, typed: str, code: str
) -> None:
    client.bind(alice)
    assert failure(ann("GET", USERS, query_string={"phone": typed})) == (422, code)


def test_search_for_a_valid_phone_number_without_a_user_returns_no_users(ann: Script) -> None:
    answer = ann("GET", USERS, query_string={"phone": "13800138000", "count": "true"})
    assert (answer.status_code, answer.json["items"], answer.json["count"]) == (200, [], 0)


def test_search_does_not_find_a_phone_number_stored_in_another_tenant(
    app: Flask, ann: Script
) -> None:
    """The response is the same as for a number that no user has."""
    store(app, enter_user(app, "globex", account="old"), PhoneNumber("+8612306", 86))
    assert failure(ann("GET", USERS, query_string={"phone": "12306"})) == (422, "phone_not_mobile")


@pytest.mark.parametrize(
    ("e164", "shown"),
    [
        ("+8613800138000", "+86138****8000"),
        ("+85268326366", "+852****6366"),
        ("+29022158", "+****58"),
        ("+8612306", "****06"),
    ],
)
def test_masked_phone_number_shows_at_most_half_of_its_digits(e164: str, shown: str) -> None:
    assert masked(e164) == shown


def test_uni_login_accepts_an_unusual_phone_number_decrypted_from_wechat(
    client: Client, wechat: WeChat
) -> None:
    """The uni-app dialect sends back the number that WeChat delivered."""
    person, root = Person(wechat, "dora", "16412345678"), f"/apps/{ACME_SHOP.appid}/uni"

    def ask(what: str, **body: Any) -> Any:
        return client.send("POST", f"{root}/{what}", json=body).json

    opened = ask("openid", code=person.wx_login())
    handle = {"sessionKey": opened["sessionKey"]}
    assert ask("decrypt", **handle, **person.tap_phone_old())["success"]
    login = ask("login", **handle, openId=opened["openId"], phoneNumber=16412345678)
    assert login["success"], login
