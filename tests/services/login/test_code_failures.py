"""Failed codes: local refusal of rejected codes, limits per client, and WeChat's errcode 45011."""

from typing import Any

import pytest
from flask import Flask

from app.services.login import code_failures
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, App, Client, Person, Reader, WeChat
from tests.fixtures.personas import failure as failure_of

EXCHANGE = "/sns/jscode2session"


class Phones:
    """Logins with a given IP address and User-Agent."""

    def __init__(self, app: Flask) -> None:
        self._client = Client(app)

    def log_in(
        self, code: str, address: str = "192.0.2.1", agent: str = "phone", app: App = ACME_SHOP
    ) -> Any:
        return self._client.send(
            "POST",
            f"/v1/apps/{app.appid}/login",
            json={"code": code},
            headers={"User-Agent": agent},
            environ_base={"REMOTE_ADDR": address},
        )


@pytest.fixture
def phones(app: Flask) -> Phones:
    return Phones(app)


def calls_of(wechat: WeChat) -> int:
    return sum(call["path"] == EXCHANGE for call in wechat.calls())


def test_code_rejected_by_wechat_is_sent_to_wechat_only_once(
    phones: Phones, wechat: WeChat, rows: Reader
) -> None:
    answers = [phones.log_in("made-up", f"192.0.2.{number}") for number in range(20)]
    assert {failure_of(answer) for answer in answers} == {(400, "code_invalid")}
    assert calls_of(wechat) == 1
    assert rows.count("code_exchanges") == 0


def test_used_code_is_sent_to_wechat_once_for_each_client(
    phones: Phones, wechat: WeChat, alice: Person
) -> None:
    """The client that has used the code in another process may still repeat its login."""
    code = alice.wx_login()
    wechat.control("faults", kind="errcode", errcode=40163, path=EXCHANGE, times=2)
    for address in ("192.0.2.1", "198.51.100.1"):
        for _ in range(3):
            assert failure_of(phones.log_in(code, address)) == (400, "code_used")
    assert calls_of(wechat) == 2


def test_rejected_code_is_sent_to_wechat_again_after_five_minutes(
    phones: Phones, wechat: WeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_failures, "REJECTED_FOR", 0.0)
    for _ in range(2):
        assert failure_of(phones.log_in("made-up")) == (400, "code_invalid")
    assert calls_of(wechat) == 2


@pytest.mark.parametrize("fault", [{"kind": "errcode", "errcode": -1}, {"kind": "drop"}])
def test_code_is_sent_to_wechat_again_after_a_failure_of_wechat(
    phones: Phones, wechat: WeChat, alice: Person, fault: dict[str, Any]
) -> None:
    code = alice.wx_login()
    wechat.control("faults", path=EXCHANGE, times=1, **fault)
    assert failure_of(phones.log_in(code))[0] == 503
    assert phones.log_in(code).status_code in (200, 400), "WeChat decided"
    assert calls_of(wechat) == 2


def test_client_with_thirty_failed_codes_in_a_minute_is_refused(
    phones: Phones, wechat: WeChat, alice: Person
) -> None:
    for number in range(30):
        assert failure_of(phones.log_in(f"made-up-{number}")) == (400, "code_invalid")
    refused = phones.log_in("made-up-30")
    assert failure_of(refused) == (429, "codes_too_many")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert failure_of(phones.log_in(alice.wx_login())) == (429, "codes_too_many")
    assert calls_of(wechat) == 30
    assert phones.log_in(alice.wx_login(), agent="tablet").status_code == 200
    assert phones.log_in(alice.wx_login(), "198.51.100.1").status_code == 200
    assert phones.log_in(alice.wx_login(ACME_CLUB), app=ACME_CLUB).status_code == 200


def test_successful_logins_do_not_count_as_failed_codes(phones: Phones, alice: Person) -> None:
    """Thousands of phones share the IP address of a mobile carrier."""
    assert {phones.log_in(alice.wx_login()).status_code for _ in range(40)} == {200}


def test_errcode_45011_refuses_the_same_device_but_no_other_devices(
    phones: Phones, wechat: WeChat, alice: Person
) -> None:
    wechat.control("faults", kind="errcode", errcode=45011, path=EXCHANGE, times=1)
    assert failure_of(phones.log_in(alice.wx_login())) == (429, "wechat_rate_limited")
    refused = phones.log_in(alice.wx_login())
    assert failure_of(refused) == (429, "wechat_rate_limited")
    assert 50 <= int(refused.headers["Retry-After"]) <= 60
    assert calls_of(wechat) == 1
    assert phones.log_in(alice.wx_login(), "198.51.100.1").status_code == 200
    assert phones.log_in(alice.wx_login(), agent="tablet").status_code == 200


def test_errcode_45011_at_three_ip_addresses_refuses_the_whole_app(
    phones: Phones, wechat: WeChat, alice: Person
) -> None:
    wechat.control("faults", kind="errcode", errcode=45011, path=EXCHANGE, times=3)
    for number in range(3):
        answer = phones.log_in(alice.wx_login(), f"192.0.2.{number}")
        assert failure_of(answer) == (429, "wechat_rate_limited")
    refused = phones.log_in(alice.wx_login(), "198.51.100.1")
    assert failure_of(refused) == (429, "wechat_rate_limited")
    assert calls_of(wechat) == 3
    assert phones.log_in(alice.wx_login(ACME_CLUB), app=ACME_CLUB).status_code == 200


def test_number_of_stored_rejected_codes_is_bounded(
    app: Flask, phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_failures, "MOST_REMEMBERED", 5)
    for number in range(10):
        phones.log_in(f"made-up-{number}")
    assert len(app.extensions["code_failures"]._rejected) == 5
