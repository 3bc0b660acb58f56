"""Open data decrypts although wx.login has run meanwhile, and nothing else passes for it."""

from datetime import timedelta

import pytest
from flask import Flask

from app.clock import now
from app.services.apps import get_app
from app.services.session_keys import keep_session_key
from app.services.social_accounts import upsert_social_account
from app.services.transactions import transaction
from app.wechat import WeChatIdentity
from tests.cast import ACME_CLUB, ACME_SHOP, Client, Person, Reader, WeChat, failure

KEY_EXPIRED = (409, "session_key_expired")


@pytest.mark.parametrize("logins", [1, 2])
def test_what_was_tapped_before_a_login_is_read_after_it(
    client: Client, alice: Person, rows: Reader, logins: int
) -> None:
    """Otherwise a wx.login in the button's callback makes the tap unreadable."""
    token = client.log_in(alice)["token"]
    phone, info = alice.tap_phone_old(), alice.tap_user_info()
    for _ in range(logins):
        client.log_in(alice)
    assert client.post("profile", token, **info).json["nickname"] == "alice 🌸 小花"
    assert client.post("phone", token, **phone).json["user"]["phone"] == "+8613800138001"


def test_the_fourth_key_drives_the_first_out(client: Client, alice: Person, rows: Reader) -> None:
    """Otherwise keys pile up, or the answer to a dead one is not what to do next."""
    token = client.log_in(alice)["token"]
    tap = alice.tap_phone_old()
    for _ in range(3):
        client.log_in(alice)
    refused = client.post("phone", token, **tap)
    assert failure(refused) == KEY_EXPIRED
    assert "wx.login" in refused.json["detail"]
    assert rows.count("session_keys") == 3
    assert client.post("phone", token, **alice.tap_phone_old()).status_code == 200


def test_the_keys_before_the_newest_die_after_three_days(
    client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a key that leaked long ago still makes data that is believed."""
    token = client.log_in(alice)["token"]
    tap = alice.tap_phone_old()
    client.log_in(alice)
    rows("UPDATE session_keys SET asked_at = asked_at - interval '3 days'")
    assert failure(client.post("phone", token, **tap)) == KEY_EXPIRED
    assert client.post("phone", token, **alice.tap_phone_old()).status_code == 200


def test_a_key_that_wechat_gives_again_is_kept_once(app: Flask, rows: Reader) -> None:
    """Otherwise three logins that minted no new key push the one before out."""
    given = [("a", 0), ("b", 1), ("b", 2), ("b", 3), ("a", -1)]
    with app.app_context():
        shop = get_app(ACME_SHOP.appid)
        for key, seconds in given:
            identity = WeChatIdentity("openid", key * 24, None)
            with transaction() as db:
                account = upsert_social_account(db, shop, identity)
                keep_session_key(
                    db, account, identity.session_key, now() + timedelta(seconds=seconds)
                )
    assert rows.count("session_keys") == 2


def test_an_exchange_that_is_overtaken_does_not_hide_the_newer_key(
    app: Flask, client: Client, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    """Otherwise, of two logins at once, the slower one's dead key is all that is left."""
    token = client.log_in(alice)["token"]
    openid = rows("SELECT openid FROM social_accounts")[0][0]
    with app.app_context():
        for number in range(3):
            late = WeChatIdentity(openid, f"{number}" * 22 + "==", None)
            with transaction() as db:
                account = upsert_social_account(db, get_app(ACME_SHOP.appid), late)
                asked_at = now() - timedelta(seconds=60 - number)
                keep_session_key(db, account, late.session_key, asked_at)
    assert client.post("phone", token, **alice.tap_phone_old()).status_code == 200


def test_garbage_and_keys_that_do_not_open_are_no_500(
    client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    """Otherwise a person sees an error of ours where a new login would help."""
    token, tap = client.log_in(alice)["token"], alice.tap_phone_old()
    client.log_in(bob)
    assert failure(client.post("phone", token, **bob.tap_phone_old())) == KEY_EXPIRED
    rows(
        "UPDATE session_keys SET session_key_sealed = (SELECT session_key_sealed"
        " FROM session_keys ORDER BY id DESC LIMIT 1)"
    )  # bob's, who came last
    taps = [alice.tap_phone_old(), bob.tap_phone_old(), tap]
    said = [client.post("phone", token, **one) for one in taps]
    assert {failure(answer) for answer in said} == {KEY_EXPIRED}
    rows("UPDATE session_keys SET session_key_sealed = 'k1:' || repeat('A', 60)")
    assert failure(client.post("phone", token, **tap)) == KEY_EXPIRED
    club = client.log_in(alice, ACME_CLUB)["token"]
    refused = client.post("phone", club, ACME_CLUB, **alice.tap_phone_old(ACME_SHOP))
    assert failure(refused) == KEY_EXPIRED
